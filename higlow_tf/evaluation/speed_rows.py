"""How a benchmark times a call, and what it says of it: one row of the table."""

import math
import os
import time

import numpy as np

__all__ = ["OURS", "calls_to_time", "limit_threads", "speed_row", "summary", "time_calls"]

OURS = "higlow_tf"
"""The name of our program in the rows."""

_SHORTEST_S = 0.2


def limit_threads(threads):
    """Confines this process to so many cores and threads. Call it before TensorFlow has computed anything."""
    import tensorflow as tf

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    tf.config.set_visible_devices([], "GPU")
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def time_calls(run, calls):
    """(CPU seconds of the process, wall seconds) of one call, as the mean over several."""
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(calls):
        run()
    return (time.process_time() - cpu) / calls, (time.perf_counter() - wall) / calls


def calls_to_time(run):
    """How many calls make a measurement that is long enough."""
    return max(1, math.ceil(_SHORTEST_S / max(time_calls(run, 1)[0], 1e-4)))


def speed_row(
    case, task, seconds=None, *, who=OURS, least_s=None, first_cpu_s=None, peak_mib=None, ratio=None, note=None
):
    """One row of the table of speeds, ready for JSON.

    Args:
        case: `SpeedCase`.
        task: One of `TASKS`.
        seconds: `[rounds, 2]`, CPU and wall seconds of a call; None if there are none, and then `note` says why.
        who: The program.
        least_s: CPU seconds below which no program can go on this machine.
        first_cpu_s: CPU seconds of the first call, which compiles.
        peak_mib: Largest memory of the process.
        ratio: `[rounds]`, CPU seconds over those of `higlow_tf` in the same round.
        note: What is to be known of the row.

    Returns:
        Dict: case, task, who, cpu_s, wall_s and ratio (median, min and max), maps_per_s, share_of_limit, compile_cpu_s, peak_mib
        and note; None for what was not measured.
    """
    row = {"case": case.to_dict(), "title": case.title, "task": task, "who": who, "note": note, "peak_mib": peak_mib}
    numbers = dict.fromkeys(("cpu_s", "wall_s", "ratio", "maps_per_s", "share_of_limit", "compile_cpu_s"))
    if seconds is not None:
        cpu_s, wall_s = summary(np.asarray(seconds)[:, 0]), summary(np.asarray(seconds)[:, 1])
        maps = 1 if task == "posterior" else case.batch_size
        numbers |= {
            "cpu_s": cpu_s,
            "wall_s": wall_s,
            "ratio": None if ratio is None else summary(ratio),
            "maps_per_s": maps / wall_s["median"],
            "share_of_limit": None if least_s is None else least_s / cpu_s["median"],
            "compile_cpu_s": None if first_cpu_s is None else max(first_cpu_s - cpu_s["median"], 0.0),
        }
    return row | numbers


def summary(values):
    """Median, lowest and highest of some numbers, as a dict."""
    values = np.asarray(values, np.float64)
    return {"median": float(np.median(values)), "min": float(values.min()), "max": float(values.max())}
