"""Options that several commands have, with one text each."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["MapsFile", "Overwrite", "ParamsFile", "Run", "Seed"]

Run = Annotated[Path, typer.Argument(help="Folder of a training run, or of a saved model.")]
MapsFile = Annotated[
    Path, typer.Option("--maps", help="Maps: a .npy file in the layout of the CAMELS Multifield Dataset.")
]
ParamsFile = Annotated[Path, typer.Option("--params", help="Parameters: a text table, one row a simulation.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is already there.")]
