"""higlow estimate: what a training run will cost."""

from typing import Annotated

import typer

from higlow_tf.cli.console import load_tensorflow, print_table, say
from higlow_tf.cli.options import MemoryOption

__all__ = ["estimate"]


def estimate(
    preset: Annotated[
        str,
        typer.Argument(
            metavar="[PRESET]", help="Architecture: compact, higlow, paper or tiny; or hiflow64 and its like."
        ),
    ] = "compact",
    map_size: Annotated[
        int | None, typer.Option(min=1, help="Pixels a side.", show_default="that of the preset")
    ] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Maps a step.", show_default="as higlow train")] = None,
    maps: Annotated[int, typer.Option(min=1, help="Maps of the file; 70 % of them are trained on.")] = 15000,
    channels: Annotated[int, typer.Option(min=1, help="Fields in a map.")] = 1,
    memory: MemoryOption = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY.PATH=VALUE", help="Any value of the configuration of a run; may be repeated."
        ),
    ] = None,
):
    """Estimate time, memory and disk of a training run on this machine, before it. Takes some ten seconds.

    It counts the operations of the model, and times a small part of it. Close other programs first: they make it slower, too.

    Example: higlow estimate compact --map-size 256 --set model.num_levels=6 --maps 15000
    """
    load_tensorflow()
    from higlow_tf.runs import estimate as estimate_run
    from higlow_tf.runs.options import parse_settings

    found = estimate_run(
        preset,
        map_size=map_size,
        batch_size=batch,
        num_maps=maps,
        num_channels=channels,
        memory=memory,
        settings=parse_settings(settings or []),
    )
    rows = [
        ("model", f"{found.title}: {found.num_weights:,} weights, {found.operations_per_map / 1e6:,.0f} MFLOP a map"),
        ("an epoch", f"{found.minutes_per_epoch:.3g} minutes: {found.steps_per_epoch} steps of {found.batch_size} maps, "
                     f"{found.seconds_per_step:.3g} s each, and the validation"),
        ("before the first step", f"about {found.compile_seconds:.0f} s of compilation, once"),
        ("memory", f"{found.memory_mib / 1024:.2g} GiB"),
        ("disk", f"{found.disk_mib:,.0f} MiB in the folder of the run"),
    ]  # fmt: skip
    print_table(("what", "estimate"), rows)
    say("The time is that of the machine as busy as it is now. Memory and time are rough.")
