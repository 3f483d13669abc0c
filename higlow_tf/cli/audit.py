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
    params: Annotated[Path | None, typer.Option(help="Their table of parameters; not for .h5 that holds them.")] = None,
):
    """Say what a run was trained on, and whether a file may test it. A file is known by its content.

    Example: higlow audit RUN --maps MAPS.npy --params PARAMS.txt
    """
    maps = maps or []
    if params is None and any(file.suffix == ".npy" for file in maps) or params is not None and not maps:
        raise InputError("Expected --maps and --params together. Received: one of them.")
    load_tensorflow()
    from higlow_tf.runs import audit_run

    found = audit_run(run, maps or None, params)
    say(f"{run} was trained on:")
    print_table(("", ""), found.facts)
    print_table((f"split by simulation, seed {found.split_seed}", "simulations", "maps"), found.counts)
    if not maps:
        say("Give --maps and --params to learn whether a file may be used to test it.")
    else:
        say(found.findings)
        say(found.verdict, fg="green" if found.is_usable else "red")
