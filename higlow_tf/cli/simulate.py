"""higlow simulate: mock maps, with which you can try everything."""

import enum
from pathlib import Path
from typing import Annotated

import typer

from higlow_tf.cli.console import INTERRUPTED, progress_bar, say
from higlow_tf.cli.options import Overwrite, Seed
from higlow_tf.errors import InputError

__all__ = ["Suite", "simulate"]


class Suite(enum.StrEnum):
    """Suites that can be simulated."""

    LOGNORMAL = "lognormal"
    MOCK = "mock"


def simulate(
    simulations: Annotated[
        int, typer.Option(help="Number of simulations, which are points in the space of the parameters.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the files.")],
    suite: Annotated[
        Suite,
        typer.Option(
            help="Kind of maps: lognormal ones have a density that is known exactly, mock ones look like simulations."
        ),
    ] = Suite.LOGNORMAL,
    size: Annotated[int, typer.Option(help="Pixels on a side.")] = 64,
    maps_per_simulation: Annotated[
        int | None,
        typer.Option(help="lognormal: maps of each simulation; of mock maps there are 15.", show_default="15"),
    ] = None,
    variant: Annotated[
        str | None,
        typer.Option(help="mock: uniform-background or bubbles, other physics.", show_default="uniform-background"),
    ] = None,
    set_name: Annotated[
        str | None,
        typer.Option(
            "--set",
            help="mock: LH, a Latin hypercube over all six parameters; CV, the fiducial point; "
            "1P, one parameter at a time (61 simulations for 11 values each).",
            show_default="LH",
        ),
    ] = None,
    mesh_size: Annotated[
        int | None,
        typer.Option(help="mock: cells on a side of the particle mesh.", show_default="2 a pixel"),
    ] = None,
    processes: Annotated[
        int | None, typer.Option(help="mock: simulations at a time.", show_default="one a core")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="mock: continue the call that was interrupted.")] = False,
    seed: Seed = 0,
    overwrite: Overwrite = False,
):
    """Write mock maps and their parameters, in the layout of the CAMELS Multifield Dataset.

    300 simulations of --suite mock, 64 pixels a side, take some ten minutes of one core; lognormal ones take seconds.

    Example: higlow simulate --suite mock --variant bubbles --simulations 300 --size 64 --seed 0 --out data
    """
    if resume and overwrite:
        raise InputError("Expected --resume or --overwrite. Received: both.")
    common = {"simulations": simulations, "map_size": size, "seed": seed, "overwrite": overwrite}
    of_mock = {"variant": variant, "set_name": set_name, "mesh_size": mesh_size, "processes": processes}
    of_mock = {name: value for name, value in of_mock.items() if value is not None} | (
        {"resume": True} if resume else {}
    )
    of_lognormal = {} if maps_per_simulation is None else {"maps_per_simulation": maps_per_simulation}
    if suite is Suite.MOCK:
        _refuse_options(of_lognormal, Suite.LOGNORMAL)
        files = _write_mock(out, **common, **of_mock)
    else:
        _refuse_options(of_mock, Suite.MOCK)
        files = _write_lognormal(out, **common, **of_lognormal)
    say(f"Wrote the maps of {simulations} simulations:")
    for file in files:
        say(f"  {file}")
    say(f"Next: higlow train --preset compact --maps {files[0]} --params {files[1]} --out RUN")


def _refuse_options(given, suite):
    if given:
        option = "--set" if "set_name" in given else "--" + next(iter(given)).replace("_", "-")
        raise InputError(f"Expected {option} with --suite {suite} only. Received: another suite.")


def _write_lognormal(out, **arguments):
    from higlow_tf.data.lognormal import write_lognormal

    with progress_bar() as progress:
        return write_lognormal(out, **arguments, progress=progress)


def _write_mock(out, **arguments):
    from higlow_tf.data.mock import write_mock

    try:
        with progress_bar() as progress:
            return write_mock(out, **arguments, progress=progress)
    except KeyboardInterrupt:
        say("\nStopped. Continue with the same command and --resume.")
        raise typer.Exit(INTERRUPTED) from None
