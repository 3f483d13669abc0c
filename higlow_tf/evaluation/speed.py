"""Speed and memory of a preset on this machine: training, density and sampling, each in a separate process."""

import concurrent.futures
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from higlow_tf.errors import InputError
from higlow_tf.models import model_from_preset
from higlow_tf.models import preset as find_preset

__all__ = ["TASKS", "compare_with_peer", "measure_speed", "measure_task"]

TASKS = ("train", "log_prob", "sample")
_ROUNDS = 5
_PEER_ROUNDS = 3


def measure_speed(preset="compact", batch_size=64, threads=1, *, initializer=None, progress=None):
    """Measures training, density and sampling: medians of five calls, each task in a separate process.

    Args:
        preset: Name of a preset.
        batch_size: Maps a call.
        threads: CPU cores and threads.
        initializer: Function of a module, or None. It is called first in each process, before TensorFlow is imported there.
            It may silence libraries, for example.
        progress: Called as `progress("tasks", done, total)`, or None.

    Returns:
        Dict by task: `wall_s` and `cpu_s` a call, `compile_cpu_s` of the first call, `peak_mib` of the process.

    Raises:
        InputError: If the preset is unknown, or the machine has fewer cores.
    """
    find_preset(preset)
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if threads > available:
        raise InputError(f"threads: expected at most {available}, the cores of this machine. Received: {threads}.")
    context = multiprocessing.get_context("spawn")
    results = {}
    for number, task in enumerate(TASKS, start=1):
        with concurrent.futures.ProcessPoolExecutor(1, context, initializer) as executor:
            results[task] = executor.submit(measure_task, preset, task, batch_size, threads).result()
        if progress is not None:
            progress("tasks", number, len(TASKS))
    return results


def measure_task(preset, task, batch_size, threads):
    """Measures one task in this process. It reports the memory of the process: call it in a new one; see `measure_speed`."""
    import resource

    import tensorflow as tf

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    run = _make_task(preset, task, batch_size)
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


def compare_with_peer(script, preset="compact", batch_size=64, threads=1):
    """Runs a script that measures the same tasks beside a peer, and returns its numbers.

    Args:
        script: Python file that takes --preset, --batch, --threads, --rounds and --json, and writes ratios by task:
            `speed[task]["ratio_cpu"]["median"]` and `memory[task]["ratio_peak"]`.
        preset, batch_size, threads: As in `measure_speed`.

    Raises:
        InputError: If there is no such file.
        RuntimeError: If the script fails.
    """
    script = Path(script)
    if not script.is_file():
        raise InputError(f"{script}: expected a script that compares with a peer. Received: no such file.")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "peer.json"
        command = [sys.executable, str(script), "--preset", preset, "--batch", str(batch_size)]
        command += ["--threads", str(threads), "--rounds", str(_PEER_ROUNDS), "--json", str(file)]
        finished = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if finished.returncode:
            reason = (finished.stderr.strip() or "no message").splitlines()[-1]
            raise RuntimeError(f"{script} ended with code {finished.returncode}: {reason}")
        return json.loads(file.read_text(encoding="utf-8"))


def _make_task(preset, task, batch_size):
    """A function without arguments that does the task once and waits for the result."""
    import keras
    import tensorflow as tf

    model = model_from_preset(preset)
    rng = np.random.default_rng(0)
    theta = tf.constant(model.parameters.sample_uniform(batch_size, seed=0), tf.float32)
    maps = 10.0 ** rng.normal(0.0, 0.4, (batch_size, model.map_size, model.map_size))
    maps = tf.constant(maps, tf.float32)
    if task == "log_prob":
        return lambda: model.log_prob(maps, theta).numpy()
    if task == "sample":
        return lambda: model.sample(theta).numpy()
    model.compile(optimizer=keras.optimizers.Adam(1e-3))
    model.optimizer.build(model.trainable_variables)  # no variable can be made inside the traced step
    step = tf.function(lambda: model.train_step((theta, maps)), autograph=False)
    return lambda: step()["loss"].numpy()
