"""higlow benchmark: speed and memory of a preset, and beside its PyTorch peer where that is at hand."""

import concurrent.futures
import importlib.util
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from higlow_tf.cli.console import load_tensorflow, print_table, progress_bar, say
from higlow_tf.cli.options import Overwrite
from higlow_tf.errors import InputError
from higlow_tf.files import check_new, whole_path

__all__ = ["benchmark", "measure_task"]

_TASKS = ("train", "log_prob", "sample")
_ROUNDS = 5
_PEER_ROUNDS = 3
_PEER_SCRIPT = Path(__file__).parents[2] / "benchmarks" / "compare_with_torch.py"


def benchmark(
    preset: Annotated[str, typer.Option(help="Architecture: compact, higlow, paper or tiny.")] = "compact",
    batch: Annotated[int, typer.Option(min=1, help="Maps a call.")] = 64,
    threads: Annotated[int, typer.Option(min=1, help="CPU cores and threads.")] = 1,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="File for the numbers.")] = None,
    overwrite: Overwrite = False,
):
    """Measure training, density and sampling of a preset: maps a second, CPU time, compile time, memory.

    Medians of five calls, each task in a process of its own. Beside the PyTorch peer as ratios, if PyTorch and the
    source checkout are there.
    """
    if json_file is not None:
        check_new(json_file, overwrite)
    load_tensorflow()
    from higlow_tf.models import preset as find_preset

    find_preset(preset)
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if threads > available:
        raise InputError(f"--threads: expected at most {available}, the cores of this machine. Received: {threads}.")
    results = {}
    with progress_bar("tasks") as report:
        for number, task in enumerate(_TASKS, start=1):
            results[task] = _in_own_process(preset, task, batch, threads)
            report(number, len(_TASKS))
    print_table(
        ("task", "maps/s", "CPU s a call", "compile s (CPU)", "peak MiB"),
        [
            (
                task,
                f"{batch / result['wall_s']:.1f}",
                f"{result['cpu_s']:.4f}",
                f"{result['compile_cpu_s']:.1f}",
                f"{result['peak_mib']:.0f}",
            )
            for task, result in results.items()
        ],
        title=f"{preset}, batch {batch}, {threads} thread(s)",
    )
    peer = _compare_with_peer(preset, batch, threads)
    if json_file is not None:
        content = {"preset": preset, "batch": batch, "threads": threads, "tasks": results, "peer": peer}
        with whole_path(json_file) as part:
            part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        say(f"Wrote {json_file}")


def measure_task(preset, task, batch, threads):
    """Measures one task in this process, whose memory it reports: call in a new process.

    Returns:
        Dict: wall_s and cpu_s a call (medians), compile_cpu_s of the first call, peak_mib of the process.
    """
    import resource

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    load_tensorflow()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    run = _make_task(preset, task, batch)
    times = []
    for _ in range(1 + _ROUNDS):
        cpu, wall = time.process_time(), time.perf_counter()
        run()
        times.append((time.process_time() - cpu, time.perf_counter() - wall))
    cpu_s, wall_s = np.median(times[1:], axis=0)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return {
        "wall_s": float(wall_s),
        "cpu_s": float(cpu_s),
        "compile_cpu_s": float(times[0][0] - cpu_s),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit,
    }


def _make_task(preset, task, batch):
    """A function without arguments that does the task once and waits for the result."""
    import keras
    import tensorflow as tf

    from higlow_tf.models import model_from_preset

    model = model_from_preset(preset)
    rng = np.random.default_rng(0)
    theta = tf.constant(model.parameters.sample_uniform(batch, seed=0), tf.float32)
    maps = 10.0 ** rng.normal(0.0, 0.4, (batch, model.map_size, model.map_size))
    maps = tf.constant(maps, tf.float32)
    if task == "log_prob":
        return lambda: model.log_prob(maps, theta).numpy()
    if task == "sample":
        return lambda: model.sample(theta).numpy()
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    model.optimizer.build(model.trainable_variables)  # no variable can be made inside the traced step
    step = tf.function(lambda: model.train_step((theta, maps)), autograph=False)
    return lambda: step()["loss"].numpy()


def _in_own_process(*arguments):
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
        return executor.submit(measure_task, *arguments).result()


def _compare_with_peer(preset, batch, threads):
    """Ratios beside PyTorch as the script's dict, or None and one line that says how to get them."""
    missing = [] if importlib.util.find_spec("torch") else ["PyTorch (pip install torch)"]
    missing += [] if _PEER_SCRIPT.is_file() else ["the source checkout with benchmarks/"]
    if missing:
        say(f"For the ratios beside a plain PyTorch program of the same flow, get {' and '.join(missing)}.")
        return None
    say("Beside a plain PyTorch program of the same flow (minutes) ...")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "peer.json"
        command = [sys.executable, str(_PEER_SCRIPT), "--preset", preset, "--batch", str(batch)]
        command += ["--threads", str(threads), "--rounds", str(_PEER_ROUNDS), "--json", str(file)]
        finished = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if finished.returncode:
            reason = (finished.stderr.strip() or "no message").splitlines()[-1]
            raise RuntimeError(f"{_PEER_SCRIPT} ended with code {finished.returncode}: {reason}")
        result = json.loads(file.read_text())
    memory = result["memory"] or {}
    print_table(
        ("task", "times less CPU time", "times less memory"),
        [
            (
                task,
                f"{speed['ratio_cpu']['median']:.2f}",
                f"{memory[task]['ratio_peak']:.2f}" if task in memory else "-",
            )
            for task, speed in result["speed"].items()
        ],
        title="ratios PyTorch / higlow_tf: above 1, higlow_tf is better",
    )
    return result
