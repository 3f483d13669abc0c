"""Speed and memory of models on this machine, each task in a process of its own, beside the limits of the machine."""

import concurrent.futures
import json
import multiprocessing
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from higlow_tf.cores import num_cores
from higlow_tf.errors import InputError
from higlow_tf.evaluation.machine import measure_rates
from higlow_tf.evaluation.speed_cases import TASKS
from higlow_tf.evaluation.speed_rows import calls_to_time, limit_threads, speed_row, time_calls
from higlow_tf.evaluation.speed_tasks import make_task, needs_of_task, synthetic_model

__all__ = ["compare_with_peer", "measure_speed", "measure_task"]

_ROUNDS = 5


def measure_speed(cases, tasks=TASKS, *, initializer=None, progress=None):
    """Measures tasks of models: medians of five measurements, each task in a separate process.

    Args:
        cases: `SpeedCase`s.
        tasks: Names among `TASKS`.
        initializer: Function of a module, or None. It is called first in each process, before TensorFlow is imported there.
            It may silence libraries, for example.
        progress: Called as `progress("tasks", done, total)`, or None.

    Returns:
        List of the dicts of `speed_row`. A case that needs more cores than there are has a `note` in the place of numbers.

    Raises:
        InputError: If a task is unknown.
    """
    for task in tasks:
        if task not in TASKS:
            raise InputError(f"--tasks: expected some of {', '.join(TASKS)}. Received: {task!r}.")
    context = multiprocessing.get_context("spawn")
    rows = []
    for case in cases:
        for task in tasks:
            if case.threads > num_cores():
                note = f"needs {case.threads} cores, and this process may use {num_cores()}"
                rows.append(speed_row(case, task, note=note))
            else:
                with concurrent.futures.ProcessPoolExecutor(1, context, initializer) as executor:
                    rows.append(executor.submit(measure_task, case, task).result())
            if progress is not None:
                progress("tasks", len(rows), len(cases) * len(tasks))
    return rows


def measure_task(case, task):
    """Measures one task in this process. It reports the memory of the process: call it in a new one; see `measure_speed`."""
    import resource

    limit_threads(case.threads)
    model = synthetic_model(case.preset, case.changes)
    run = make_task(model, task, case.batch_size)
    first_cpu_s, _ = time_calls(run, 1)
    calls = calls_to_time(run)
    seconds = np.array([time_calls(run, calls) for _ in range(_ROUNDS)])
    unit = 2**20 if sys.platform == "darwin" else 2**10
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    least_s = measure_rates(case.threads).least_seconds(*needs_of_task(model, task, case.batch_size))
    return speed_row(case, task, seconds, least_s=least_s, first_cpu_s=first_cpu_s, peak_mib=peak_mib)


def compare_with_peer(script, cases, tasks=TASKS, *, with_memory=False, options=(), progress=None):
    """Runs a script that measures the same tasks of other programs beside ours, in turn, and returns its rows.

    Args:
        script: Python file that takes `--case` (a `SpeedCase` in JSON), `--tasks`, `--json` and perhaps `--memory`, and writes a
            list of the dicts of `speed_row`.
        cases, tasks: As in `measure_speed`.
        with_memory: Whether the script shall measure memory, too.
        options: More words for the script.
        progress: Called as `progress("cases", done, total)`, or None.

    Raises:
        InputError: If there is no such file.
        RuntimeError: If the script fails.
    """
    script = Path(script)
    if not script.is_file():
        raise InputError(f"{script}: expected a script that compares with peers. Received: no such file.")
    rows = []
    for number, case in enumerate(cases, start=1):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "rows.json"
            command = [sys.executable, str(script), "--case", json.dumps(case.to_dict()), "--tasks", ",".join(tasks)]
            command += ["--json", str(file), *(["--memory"] if with_memory else []), *options]
            finished = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            if finished.returncode:
                reason = (finished.stderr.strip() or "no message").splitlines()[-1]
                raise RuntimeError(f"{script} ended with code {finished.returncode}: {reason}")
            rows += json.loads(file.read_text(encoding="utf-8"))
        if progress is not None:
            progress("cases", number, len(cases))
    return rows
