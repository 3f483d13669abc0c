"""higlow benchmark: speed and memory of a preset; also beside a peer, if a script for this is given."""

from pathlib import Path
from typing import Annotated

import typer

from higlow_tf.cli.console import load_tensorflow, print_table, progress_bar, say
from higlow_tf.cli.options import Overwrite
from higlow_tf.errors import InputError
from higlow_tf.files import check_new, write_json

__all__ = ["benchmark"]


def benchmark(
    preset: Annotated[str, typer.Option(help="Architecture: compact, higlow, paper or tiny.")] = "compact",
    batch: Annotated[int, typer.Option(min=1, help="Maps a call.")] = 64,
    threads: Annotated[int, typer.Option(min=1, help="CPU cores and threads.")] = 1,
    peer: Annotated[
        Path | None,
        typer.Option(metavar="SCRIPT", help="Script that measures the same beside a peer, for ratios."),
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="File for the numbers.")] = None,
    overwrite: Overwrite = False,
):
    """Measure training, density and sampling of a preset: maps a second, CPU time, compile time, memory.

    The numbers are medians of five calls. Each task runs in a separate process.

    Example, in a source checkout with PyTorch: higlow benchmark --peer benchmarks/compare_with_torch.py
    """
    if json_file is not None:
        check_new(json_file, overwrite)
    if peer is not None and not peer.is_file():
        raise InputError(f"{peer}: expected a script that compares with a peer. Received: no such file.")
    load_tensorflow()
    from higlow_tf.evaluation import compare_with_peer, measure_speed

    with progress_bar() as progress:
        results = measure_speed(preset, batch, threads, initializer=load_tensorflow, progress=progress)
    print_table(
        ("task", "maps/s", "CPU s a call", "compile s (CPU)", "peak MiB"),
        [_speed_row(task, batch, result) for task, result in results.items()],
        title=f"{preset}, batch {batch}, {threads} thread(s)",
    )
    beside = None
    if peer is None:
        say("For the ratios beside a plain PyTorch program of the same flow: --peer benchmarks/compare_with_torch.py")
        say("(in a source checkout, with PyTorch installed)")
    else:
        say(f"Beside the peer of {peer} (minutes) ...")
        beside = compare_with_peer(peer, preset, batch, threads)
        print_table(
            ("task", "times less CPU time", "times less memory"),
            [_ratio_row(task, speed, beside["memory"] or {}) for task, speed in beside["speed"].items()],
            title="ratios peer / higlow_tf: above 1, higlow_tf is better",
        )
    if json_file is not None:
        write_json({"preset": preset, "batch": batch, "threads": threads, "tasks": results, "peer": beside}, json_file)
        say(f"Wrote {json_file}")


def _speed_row(task, batch, result):
    return (
        task,
        f"{batch / result['wall_s']:.1f}",
        f"{result['cpu_s']:.4f}",
        f"{result['compile_cpu_s']:.1f}",
        f"{result['peak_mib']:.0f}",
    )


def _ratio_row(task, speed, memory):
    ratio = f"{memory[task]['ratio_peak']:.2f}" if task in memory else "-"
    return task, f"{speed['ratio_cpu']['median']:.2f}", ratio
