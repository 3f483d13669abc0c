"""higlow simulate: mock maps on which everything can be tried."""

import enum
from pathlib import Path
from typing import Annotated

import typer

from higlow_tf.cli.console import progress_bar, say
from higlow_tf.cli.options import Overwrite, Seed

__all__ = ["Suite", "simulate"]


class Suite(enum.StrEnum):
    """Suites that can be simulated."""

    LOGNORMAL = "lognormal"


def simulate(
    simulations: Annotated[int, typer.Option(help="Number of simulations: points in the plane of the parameters.")],
    out: Annotated[Path, typer.Option(help="Folder for the two files.")],
    suite: Annotated[Suite, typer.Option(help="Kind of maps: for lognormal ones the exact density is known.")] = (
        Suite.LOGNORMAL
    ),
    size: Annotated[int, typer.Option(help="Pixels on a side.")] = 64,
    maps_per_simulation: Annotated[int, typer.Option(help="Maps of each simulation.")] = 15,
    seed: Seed = 0,
    overwrite: Overwrite = False,
):
    """Write mock maps and their parameters, in the layout of the CAMELS Multifield Dataset.

    Example: higlow simulate --suite lognormal --simulations 300 --size 64 --seed 0 --out data
    """
    from higlow_tf.data.simulate import write_lognormal

    writers = {Suite.LOGNORMAL: write_lognormal}
    with progress_bar("simulations") as report:
        maps, params = writers[suite](
            out,
            simulations=simulations,
            map_size=size,
            maps_per_simulation=maps_per_simulation,
            seed=seed,
            overwrite=overwrite,
            progress=report,
        )
    say(f"Wrote {simulations * maps_per_simulation} maps of {simulations} simulations:")
    say(f"  {maps}\n  {params}")
    say(f"Next: higlow train --preset compact --maps {maps} --params {params} --out RUN")
