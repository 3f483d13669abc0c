"""Options that several commands have, with one text each."""

import enum
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Ensemble", "MapsFiles", "MemoryOption", "Overwrite", "ParamsFile", "Run", "Seed", "Task"]


class Task(enum.StrEnum):
    """What an exported model is asked for."""

    SAMPLE = "sample"
    LOG_PROB = "log_prob"
    POSTERIOR = "posterior"


class Memory(enum.StrEnum):
    """What a training step of a Glow keeps for its way back."""

    HIGH = "high"
    LOW = "low"


Run = Annotated[
    Path,
    typer.Argument(help="Folder of a training run or of a saved model; or the name of a published one: compact_mock."),
]
MapsFiles = Annotated[
    list[Path], typer.Option("--maps", help="Maps, in any form that training reads; several are channels.")
]
ParamsFile = Annotated[
    Path | None, typer.Option("--params", help="Parameters: a table, one row a simulation; not for .h5 with them.")
]
MemoryOption = Annotated[
    Memory | None,
    typer.Option(
        "--memory",
        help="high: keeps the activations of a step; low: evaluates them again, slower. Not for baselines.",
        show_default="high",
    ),
]
Ensemble = Annotated[
    int | None,
    typer.Option("--ensemble", min=1, help="Flows of the run whose log-likelihoods are averaged (train --ensemble)."),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of everything random.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace what higlow wrote there before, and nothing else.")
]
