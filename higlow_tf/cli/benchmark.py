"""higlow benchmark: speed and memory of presets beside the limits of the machine, and beside peers if a script is given."""

from pathlib import Path
from typing import Annotated

import typer

from higlow_tf.cli.console import load_tensorflow, print_table, progress_bar, say
from higlow_tf.cli.options import Overwrite
from higlow_tf.errors import InputError
from higlow_tf.files import check_new, write_json

__all__ = ["benchmark"]

_COLUMNS = ("task", "program", "CPU s a call", "ours is quicker by", "maps/s", "of the limit", "compile s", "peak MiB")


def benchmark(
    preset: Annotated[
        str, typer.Option(help="Architecture: compact, higlow, paper or tiny; or hiflow64 and its like.")
    ] = "compact",
    batch: Annotated[int, typer.Option(min=1, help="Maps a call.")] = 64,
    threads: Annotated[int, typer.Option(min=1, help="CPU cores and threads.")] = 1,
    rows: Annotated[
        str | None,
        typer.Option(
            help="Many rows in the place of one preset: all, or with commas paper, compact, map-size, depth, width, "
            "PRESET:BATCH:THREADS.",
            show_default="the preset above",
        ),
    ] = None,
    tasks: Annotated[str, typer.Option(help="What is measured.")] = "train,log_prob,sample,posterior",
    peer: Annotated[
        Path | None,
        typer.Option(metavar="SCRIPT", help="Script that measures other programs beside ours, for ratios."),
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="File for the numbers.")] = None,
    overwrite: Overwrite = False,
):
    """Measure training, density, sampling and posteriors of presets: CPU time, maps a second, compile time, memory.

    Medians of five, with the lowest and the highest. Each row ends with its share of the limit: how much of its CPU time this
    machine needs for the same matrix products at its highest rate. The task posterior takes 1024 points of one map.

    Example, in a source checkout with PyTorch: higlow benchmark --peer benchmarks/compare_with_peers.py
    """
    if json_file is not None:
        check_new(json_file, overwrite)
    if peer is not None and not peer.is_file():
        raise InputError(f"{peer}: expected a script that compares with peers. Received: no such file.")
    load_tensorflow()
    from higlow_tf.evaluation import SpeedCase, compare_with_peer, find_cases, measure_speed

    cases = [SpeedCase(preset, batch, threads)] if rows is None else find_cases(rows)
    chosen = [task.strip() for task in tasks.split(",")]
    with progress_bar() as progress:
        if peer is None:
            measured = measure_speed(cases, chosen, initializer=load_tensorflow, progress=progress)
        else:
            measured = compare_with_peer(peer, cases, chosen, with_memory=rows is None, progress=progress)
    for title in dict.fromkeys(row["title"] for row in measured):
        print_table(_COLUMNS, [_cells(row) for row in measured if row["title"] == title], title=title)
    for note in dict.fromkeys(f"{row['who']}: {row['note']}" for row in measured if row["note"]):
        say(note)
    if peer is None:
        say("For the ratios beside PyTorch and others: --peer benchmarks/compare_with_peers.py")
        say("(in a source checkout, with the extra peers)")
    if json_file is not None:
        write_json({"rows": measured}, json_file)
        say(f"Wrote {json_file}")


def _cells(row):
    if row["cpu_s"] is None:
        return row["task"], row["who"], "-", "-", "-", "-", "-", "-"
    return (
        row["task"],
        row["who"],
        _with_range(row["cpu_s"], "{:.4f}"),
        "-" if row["ratio"] is None else _with_range(row["ratio"], "{:.2f}"),
        f"{row['maps_per_s']:.1f}",
        "-" if row["share_of_limit"] is None else f"{row['share_of_limit']:.0%}",
        "-" if row["compile_cpu_s"] is None else f"{row['compile_cpu_s']:.1f}",
        "-" if row["peak_mib"] is None else f"{row['peak_mib']:.0f}",
    )


def _with_range(summary, form):
    median, low, high = (form.format(summary[name]) for name in ("median", "min", "max"))
    return f"{median} ({low}-{high})"
