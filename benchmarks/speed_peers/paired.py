"""Programs timed in turn: ours, a peer, the next peer, ours, ... so that whatever else the machine does falls on all of them."""

import numpy as np

from higlow_tf.evaluation.machine import measure_rates
from higlow_tf.evaluation.speed_rows import OURS, calls_to_time, limit_threads, speed_row, time_calls
from higlow_tf.evaluation.speed_tasks import make_task, needs_of_task, synthetic_model

from .problem import Problem
from .programs import PROGRAMS, make_tasks

__all__ = ["AGREEMENT", "compare_case"]

# float32 sums over 4096 pixels and 120 steps in two orders of operations; far below any difference between two functions.
AGREEMENT = 1e-3


def compare_case(case, tasks, names, rounds, peaks=None):
    """Times the tasks of one case.

    Args:
        case: `SpeedCase`.
        tasks: Names of tasks.
        names: Names of `PROGRAMS`.
        rounds: Measurements of each program, in turn.
        peaks: Peak memory in MiB by (program, task), or None.

    Returns:
        List of the dicts of `speed_row`: for each task ours, then the others. What a program cannot do has a note that says why.

    Raises:
        RuntimeError: If two programs that shall compute the same do not.
    """
    limit_threads(case.threads)
    model = synthetic_model(case.preset, case.changes)
    problem = Problem.of_model(model, case.batch_size, case.threads)
    rates = measure_rates(case.threads)
    programs, notes = _prepare(names, problem, model)
    rows = []
    for task in tasks:
        least_s = rates.least_seconds(*needs_of_task(model, task, case.batch_size))
        runs = {OURS: make_task(model, task, case.batch_size)}
        runs |= {name: functions[task] for name, functions in programs.items() if task in functions}
        measured, failed = _in_turn(runs, rounds)
        for name in (OURS, *names):
            peak_mib = (peaks or {}).get((name, task))
            if name in measured:
                seconds, first_cpu_s = measured[name]
                ratio = None if name == OURS else seconds[:, 0] / measured[OURS][0][:, 0]
                numbers = {"least_s": least_s, "first_cpu_s": first_cpu_s, "ratio": ratio, "peak_mib": peak_mib}
                note = None if name == OURS else PROGRAMS[name][2]
                rows.append(speed_row(case, task, seconds, who=name, note=note, **numbers))
            else:
                reason = notes.get(name) or failed.get(name) or "no posterior: nothing of it depends on theta"
                rows.append(speed_row(case, task, who=name, note=reason))
    return rows


def _prepare(names, problem, model):
    """Functions by task of every program, and why some have none."""
    programs, notes = {}, {}
    for name in names:
        try:
            programs[name] = make_tasks(name, problem)
        except (
            Exception
        ) as error:  # a program that is not installed, or cannot express the problem, is a row with the reason
            notes[name] = _reason(error)
            continue
        if name == "torch":
            _check_agreement(model, problem, programs[name])
    return programs, notes


def _check_agreement(model, problem, functions):
    """Refuses to time a program that does not compute what ours does. A peer that is a Glow of another kind is not asked."""
    ours = {
        "log_prob": model.log_prob(problem.maps(), problem.theta()).numpy(),
        "decode": np.log10(model.decode(problem.noise(), problem.theta()).numpy()),
    }
    theirs = {"log_prob": functions["log_prob"](), "decode": np.log10(functions["decode"]())}
    for task, expected in ours.items():
        error = np.max(np.abs(np.reshape(theirs[task], expected.shape) - expected) / np.maximum(1.0, np.abs(expected)))
        if not error < AGREEMENT:
            raise RuntimeError(f"Expected the same {task} to {AGREEMENT}. Received: a difference of {error}.")


def _in_turn(runs, rounds):
    """CPU and wall seconds `[rounds, 2]` and CPU seconds of the first call, by program; and why some failed."""
    first, calls, failed = {}, {}, {}
    for name, run in runs.items():
        try:
            first[name] = time_calls(run, 1)[0]
            calls[name] = calls_to_time(run)
        except Exception as error:  # torch.compile without a compiler, for example
            if name == OURS:
                raise
            failed[name] = _reason(error)
    seconds = {name: [] for name in calls}
    for _ in range(rounds):
        for name, number in calls.items():
            seconds[name].append(time_calls(runs[name], number))
    return {name: (np.array(seconds[name]), first[name]) for name in calls}, failed


def _reason(error):
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"{type(error).__name__}: {text[:200]}"
