"""Speed and memory of `higlow_tf` beside the plain PyTorch program of `torch_glow.py`, as ratios, on CPU cores.

    python benchmarks/compare_with_torch.py --preset paper --batch 64 --threads 1 --rounds 5 --json out.json

Both sides have the same weights, maps and threads and are run in turn in one process (ours, torch, ours, torch, ...),
so that whatever else the machine does falls on both; each round gives one ratio, and the median, lowest and highest
ratio are reported. Above 1 means that `higlow_tf` is quicker (or needs less memory). CPU seconds are those of the whole
process; wall seconds mean something only on an idle machine. Peak memory is measured in a process of its own for each
side and task.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import numpy as np

__all__ = ["build_ours", "build_torch", "compare", "main", "our_tasks", "print_table", "torch_tasks"]

TASKS = ("train", "log_prob", "sample")
# A training step is several times longer than the others: calls in one measurement.
CALLS = {"train": 1, "log_prob": 4, "sample": 4}
# Keeps both sides from multiplying by zeros. At 0.01 the log-density of 120 random steps reaches -1e26, and rounding
# errors are as large as the values.
WEIGHT_SD = 0.001
# float32 sums over 4096 pixels and 120 steps in two orders of operations; far below any difference between two
# functions.
AGREEMENT = 1e-3
LEARNING_RATE = 1e-3
_LOG10_MEAN, _LOG10_SD = 6.5, 0.4


def _limit_threads(threads):
    """Confines this process to as many cores as threads. Call before TensorFlow or PyTorch is imported."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    os.environ["OMP_NUM_THREADS"] = str(threads)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def _batch(config, num_maps):
    """Synthetic maps `[N, H, W, C]`, theta in the middle of the prior's range and noise `[N, D]`, all float32."""
    rng = np.random.default_rng(0)
    shape = (num_maps, config["map_size"], config["map_size"], config["num_channels"])
    maps = 10.0 ** rng.normal(_LOG10_MEAN, _LOG10_SD, shape)
    low, high = (np.array([p[edge] for p in config["parameters"]]) for edge in ("low", "high"))
    theta = low + (high - low) * rng.uniform(0.1, 0.9, (num_maps, len(low)))
    noise = rng.standard_normal((num_maps, int(np.prod(shape[1:]))))
    return tuple(array.astype(np.float32) for array in (maps, theta, noise))


def build_ours(preset, threads):
    """The preset with randomised weights: the same numbers at each call."""
    import tensorflow as tf

    from higlow_tf.models import ConditionalGlow

    tf.config.set_visible_devices([], "GPU")
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    model = ConditionalGlow.from_preset(preset)
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign_add(WEIGHT_SD * rng.standard_normal(variable.shape))
    model.map_shift.assign(np.full(model.num_channels, _LOG10_MEAN))
    model.map_log_scale.assign(np.full(model.num_channels, np.log(_LOG10_SD)))
    return model


def our_tasks(model, batch_size):
    """One function without arguments for each task; each waits for its result and returns it as NumPy."""
    import keras
    import tensorflow as tf

    maps, theta, noise = (tf.constant(array) for array in _batch(model.get_config(), batch_size))
    model.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE))
    # Variables cannot be made inside the traced step.
    model.optimizer.build(model.trainable_variables)
    step = tf.function(lambda theta, maps: model.train_step((theta, maps)), autograph=False)
    return {
        "train": lambda: step(theta, maps)["loss"].numpy(),
        "log_prob": lambda: model.log_prob(maps, theta).numpy(),
        "sample": lambda: model.decode(noise, theta).numpy(),
    }


def build_torch(config, threads, weights=None):
    """The peer with the given configuration of our model and, if given, its weights by name."""
    import torch
    from torch_glow import TorchGlow

    torch.set_num_threads(threads)
    peer = TorchGlow(config)
    if weights is not None:
        peer.load_weights(weights)
    return peer


def torch_tasks(peer, config, batch_size):
    """As `our_tasks`."""
    import torch

    maps, theta, noise = (torch.from_numpy(array) for array in _batch(config, batch_size))
    maps = maps.movedim(-1, 1).contiguous()
    # Seven times quicker than PyTorch's default loop over some 1400 small tensors.
    optimizer = torch.optim.Adam(peer.parameters(), lr=LEARNING_RATE, fused=True)

    @torch.inference_mode()
    def log_prob():
        return peer.log_prob(maps, theta).numpy()

    @torch.inference_mode()
    def sample():
        return peer.sample(noise, theta).movedim(1, -1).numpy()

    return {
        "train": lambda: peer.training_step(optimizer, maps, theta).numpy(),
        "log_prob": log_prob,
        "sample": sample,
    }


# ---- speed


def _measure(task, calls):
    """(CPU seconds, wall seconds) of one call, as the mean over several."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(calls):
        task()
    return (time.process_time() - cpu) / calls, (time.perf_counter() - wall) / calls


def _check_agreement(ours, theirs):
    """Refuses to time two programs that do not compute the same function."""
    for name in ("log_prob", "sample"):
        value, reference = (np.squeeze(side[name]()) for side in (ours, theirs))
        if name == "sample":
            value, reference = np.log10(value), np.log10(reference)
        error = np.max(np.abs(value - reference) / np.maximum(1.0, np.abs(reference)))
        if not error < AGREEMENT:
            raise RuntimeError(f"Expected both sides to agree on {name} to {AGREEMENT}. Received: {error}.")


def _summary(values):
    values = np.asarray(values)
    return {"median": float(np.median(values)), "min": float(values.min()), "max": float(values.max())}


def _time_task(ours, theirs, calls, rounds, batch_size):
    """Alternating measurements of one task, after one warm-up call on either side."""
    ours(), theirs()
    rows = np.array([[_measure(task, calls) for task in (ours, theirs)] for _ in range(rounds)])
    cpu, wall = rows[..., 0], rows[..., 1]
    return {
        "ours": {"cpu_s": _summary(cpu[:, 0]), "wall_s": _summary(wall[:, 0])},
        "torch": {"cpu_s": _summary(cpu[:, 1]), "wall_s": _summary(wall[:, 1])},
        "ratio_cpu": _summary(cpu[:, 1] / cpu[:, 0]),
        "ratio_wall": _summary(wall[:, 1] / wall[:, 0]),
        "ours_maps_per_cpu_s": batch_size / float(np.median(cpu[:, 0])),
    }


def _time_all(preset, batch_size, threads, rounds):
    model = build_ours(preset, threads)
    config = model.get_config()
    weights = {variable.path.partition("/")[2]: variable.numpy() for variable in model.weights}
    ours = our_tasks(model, batch_size)
    theirs = torch_tasks(build_torch(config, threads, weights), config, batch_size)
    _check_agreement(ours, theirs)
    # The first call traces and compiles.
    (first_cpu, first_wall), (next_cpu, next_wall) = _measure(ours["train"], 1), _measure(ours["train"], 1)
    compile_time = {"train_cpu_s": first_cpu - next_cpu, "train_wall_s": first_wall - next_wall}
    results = {name: _time_task(ours[name], theirs[name], CALLS[name], rounds, batch_size) for name in TASKS}
    if not (np.isfinite(ours["train"]()) and np.isfinite(theirs["train"]())):
        raise RuntimeError("Expected finite losses on both sides after the last round. Received: a loss that is not.")
    return compile_time, results


# ---- memory


def _peak_mib():
    """Largest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def _report_memory(side, task, source, batch_size, threads):
    """Prints the peak before and after three calls of one task; `source` is the preset, or the peer's configuration."""
    if side == "ours":
        model = build_ours(source, threads)
        config, tasks = model.get_config(), our_tasks(model, batch_size)
    else:
        # Memory does not depend on the values of the weights, so that this process needs no TensorFlow.
        config = json.loads(source)
        tasks = torch_tasks(build_torch(config, threads), config, batch_size)
    start_mib = _peak_mib()
    for _ in range(3):
        tasks[task]()
    print(json.dumps({"start_mib": start_mib, "peak_mib": _peak_mib(), "config": config}))


def _memory_of(side, task, source, batch_size, threads):
    """Runs `_report_memory` in a new process."""
    command = [sys.executable, __file__, "--memory-of", side, task, source]
    command += ["--batch", str(batch_size), "--threads", str(threads)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output.splitlines()[-1])


def _measure_memory(preset, batch_size, threads):
    """Peaks of every task on both sides. Call before this process grows: a child's peak starts at its parent's size."""
    results = {}
    for task in TASKS:
        ours = _memory_of("ours", task, preset, batch_size, threads)
        theirs = _memory_of("torch", task, json.dumps(ours.pop("config")), batch_size, threads)
        del theirs["config"]
        results[task] = {"ours": ours, "torch": theirs, "ratio_peak": theirs["peak_mib"] / ours["peak_mib"]}
    return results


# ---- the whole


def compare(preset, batch_size, threads, rounds, with_memory=True):
    """Runs the comparison.

    Args:
        preset: Name of a preset of `ConditionalGlow`.
        batch_size: Maps a call.
        threads: Threads, and cores, of both sides.
        rounds: Paired measurements of each task.
        with_memory: Whether to measure memory too, in six more processes.

    Returns:
        A dict, ready for JSON. Ratios are PyTorch's number divided by ours; start_mib is the peak after import and
        construction, peak_mib the peak after three calls, compilation included.

    Raises:
        RuntimeError: If the two sides do not compute the same numbers.
    """
    memory = _measure_memory(preset, batch_size, threads) if with_memory else None
    _limit_threads(threads)
    compile_time, speed = _time_all(preset, batch_size, threads, rounds)
    versions = {name: metadata.version(name) for name in ("tensorflow", "keras", "torch")}
    return {
        "preset": preset,
        "batch": batch_size,
        "threads": threads,
        "rounds": rounds,
        "versions": {"python": platform.python_version(), **versions},
        "speed": speed,
        "compile": compile_time,
        "memory": memory,
    }


def print_table(result):
    """Prints what `compare` returns."""
    from rich.console import Console
    from rich.table import Table

    def ratio(summary):
        return f"{summary['median']:.2f} ({summary['min']:.2f}-{summary['max']:.2f})"

    title = "{preset}, batch {batch}, {threads} thread(s), {rounds} rounds; ratio = torch / higlow_tf".format(**result)
    table = Table(title=title)
    table.add_column("task")
    for heading in ("ours CPU s", "torch CPU s", "ratio CPU", "ratio wall", "ours MiB", "torch MiB", "ratio MiB"):
        table.add_column(heading, justify="right", no_wrap=True)
    for task, speed in result["speed"].items():
        row = [task, *(f"{speed[side]['cpu_s']['median']:.3f}" for side in ("ours", "torch"))]
        row += [ratio(speed["ratio_cpu"]), ratio(speed["ratio_wall"])]
        if result["memory"] is None:
            row += ["-"] * 3
        else:
            memory = result["memory"][task]
            row += [f"{memory[side]['peak_mib']:.0f}" for side in ("ours", "torch")] + [f"{memory['ratio_peak']:.2f}"]
        table.add_row(*row)
    console = Console(width=max(120, Console().width))
    console.print(table)
    console.print("compilation of our training step: {train_cpu_s:.1f} CPU s".format(**result["compile"]))


def _positive(text):
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"Expected a positive whole number. Received: {text}.")
    return int(text)


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="paper", help="preset of ConditionalGlow")
    parser.add_argument("--batch", type=_positive, default=64, help="maps a call")
    parser.add_argument("--threads", type=_positive, default=1, help="threads and cores of both sides")
    parser.add_argument("--rounds", type=_positive, default=5, help="paired measurements of each task")
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument("--no-memory", action="store_true", help="leave out the six processes that measure memory")
    parser.add_argument("--memory-of", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of:
        _limit_threads(arguments.threads)
        _report_memory(*arguments.memory_of, arguments.batch, arguments.threads)
        return
    result = compare(arguments.preset, arguments.batch, arguments.threads, arguments.rounds, not arguments.no_memory)
    print_table(result)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
