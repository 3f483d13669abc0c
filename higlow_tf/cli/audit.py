"""higlow audit: what a run was trained on, and whether a file may test it."""

from pathlib import Path
from typing import Annotated

import typer

from higlow_tf.cli.console import load_tensorflow, print_table, say
from higlow_tf.cli.options import Run
from higlow_tf.errors import InputError

__all__ = ["audit"]


def audit(
    run: Run,
    maps: Annotated[list[Path] | None, typer.Option(help="Maps that might test the run; several are channels.")] = None,
    params: Annotated[
        Path | None, typer.Option(help="Their table of parameters, if you have it; not for .h5 that holds them.")
    ] = None,
):
    """Say what a run was trained on, and whether a file may test it. A file is known by its content.

    Without --params only the pixels of the maps are compared. With it, other maps of the same simulations are noticed, too.

    Example: higlow audit RUN --maps NEW.npy
    """
    maps = maps or []
    if params is not None and not maps:
        raise InputError("--params: expected with --maps. Received: alone.")
    load_tensorflow()
    from higlow_tf.runs import audit_run

    found = audit_run(run, maps or None, params)
    say(f"{run} was trained on:")
    print_table(("", ""), found.facts)
    print_table((f"split by simulation, seed {found.split_seed}", "simulations", "maps"), found.counts)
    if not maps:
        say("Give --maps to learn whether a file may be used to test it.")
    else:
        say(found.findings)
        say(found.verdict, fg="green" if found.is_usable else "red")
