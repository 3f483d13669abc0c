"""Checks the programs of an export, and times them in turn with PyTorch: ours, a peer, the next peer, ours, ..."""

import importlib.metadata
import math
import time

import numpy as np

from benchmarks.gpu_step.folder import CHECK_BATCH, CHECK_STEPS, TASKS, read_export
from benchmarks.gpu_step.table import row_line
from benchmarks.speed_peers.problem import Problem
from higlow_tf.errors import InputError

__all__ = ["AGREEMENT", "AGREEMENT_OF_CHANGES", "OURS", "check_changes", "check_values", "time_programs"]

OURS = "higlow_tf"

AGREEMENT = 1e-3
"""float32 sums over thousands of pixels in two orders of operations; far below any difference between two functions."""

AGREEMENT_OF_CHANGES = 0.01
"""Of the norm of what some training steps change in a weight or a moment: steps of Adam follow signs of small gradients."""

_SHORTEST_S = 0.2


def time_programs(folder, names, rounds, progress):
    """Times all programs of an export.

    Args:
        folder: Of the export.
        names: Peers: "torch", "torch.compile".
        rounds: Measurements of each program, in turn.
        progress: Function that is told, in words, what is done.

    Returns:
        Dict: `preset`, `device`, `platform`, `versions`, `rates` (see `measure_rates`), `rounds` and `rows`, one for each
        program, task and batch.

    Raises:
        InputError: If the folder is not that of an export, JAX is missing, or JAX does not find TensorFlow's values again.
    """
    export, state = read_export(folder)
    jax_programs, rates = _jax_modules()
    platform, device = jax_programs.jax_device()
    progress(f"{export.preset} on {device}")
    _check_values(folder, export, state, jax_programs)
    progress("TensorFlow's values: found again")
    measured_rates = rates.measure_rates(platform)
    rows = []
    for program in export.programs:
        if program.batch_size == CHECK_BATCH and len(export.programs) > len(TASKS):
            continue
        problem = _problem(export, state, program.batch_size)
        call, wait, values = jax_programs.jax_tasks(folder, program, problem, state)
        seconds, first_s, notes = _in_turn({OURS: (call, wait)}, names, program, problem, platform, rounds)
        notes |= _note_of_steps(program, values)
        for name in (OURS, *names):
            rows.append(_row(name, program, seconds, first_s, notes.get(name), measured_rates))
            progress(row_line(rows[-1]))  # now: a long run may be ended before its last row
    versions = {name: _version(name) for name in ("jax", "jaxlib", "torch")} | {"export": export.versions}
    return {
        "format_version": 1,
        "preset": export.preset,
        "device": device,
        "platform": platform,
        "versions": versions,
        "rates": measured_rates,
        "rounds": rounds,
        "rows": rows,
    }


def _jax_modules():
    """Imported here, so that what needs no JAX works without."""
    try:
        from benchmarks.gpu_step import jax_programs, rates
    except ImportError as error:
        raise InputError(f"Expected JAX 0.10 or newer (pip install jax). Received: {error}.") from error
    return jax_programs, rates


def _problem(export, state, batch_size):
    weights = {name: state[path] for name, path in export.weights.items()}
    return Problem(export.config, batch_size, threads=1, weights=weights)


# ---- do they compute the same?


def _check_values(folder, export, state, jax_programs):
    problem, expected = _problem(export, state, CHECK_BATCH), export.expected
    for task in reversed(TASKS):  # the one first that is compiled sooner
        program = export.find(task, CHECK_BATCH)
        call, _, values = jax_programs.jax_tasks(folder, program, problem, state)
        steps = CHECK_STEPS if task == "train" else 1
        found = np.asarray([np.asarray(call()) for _ in range(steps)]).reshape(np.shape(expected[task]))
        check_values(program.title, found, expected[task])
        if task == "train":
            moved = [np.linalg.norm(np.asarray(values[name]) - state[name]) for name in program.updates]
            check_changes(program.title, moved, [expected["moved"][name] for name in program.updates])


def check_values(title, found, expected, whose="TensorFlow's"):
    """Refuses values that differ by more than `AGREEMENT`, relative to those above 1.

    Raises:
        InputError: If they do.
    """
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    error = np.max(np.abs(found - expected) / np.maximum(1.0, np.abs(expected)))
    if not error < AGREEMENT:
        raise InputError(f"{title}: expected {whose} values to {AGREEMENT:g}. Received: a difference of {error:.3g}.")


def check_changes(title, found, expected):
    """Refuses norms of changes of which one differs by more than `AGREEMENT_OF_CHANGES` of itself.

    Raises:
        InputError: If one does.
    """
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    # Relative to each, for moments of Adam are tiny; where nothing shall change, nothing may.
    error = np.max(np.abs(found - expected) / np.maximum(np.abs(expected), 1e-30))
    if not error < AGREEMENT_OF_CHANGES:
        raise InputError(
            f"{title}: expected TensorFlow's changes of weights and optimizer to {AGREEMENT_OF_CHANGES:g}. "
            f"Received: a difference of {error:.3g}."
        )


def _note_of_steps(program, values):
    """Says so if steps were left out because they were not finite: nothing was updated in them, and they are quicker."""
    skipped = int(values["skipped_steps/total"]) if program.task == "train" else 0
    return {OURS: f"{skipped} steps were not finite and left out"} if skipped else {}


# ---- how long do they take?


def _in_turn(runs, names, program, problem, platform, rounds):
    """Seconds of a call `[rounds]` by program, those of the first call, and why some have none."""
    first_s, calls, notes = {}, {}, {}
    start = time.perf_counter()
    call, wait = runs[OURS]
    reference = np.asarray(wait(call()))
    first_s[OURS] = time.perf_counter() - start
    for name in names:
        start = time.perf_counter()
        try:
            from benchmarks.gpu_step.torch_programs import torch_task

            call, wait = torch_task(name, program, problem, platform)
            check_values(f"{program.title}, {name}", wait(call()), reference, whose="our")
        except Exception as error:  # not installed, no compiler, no memory, other values: a row with the reason
            notes[name] = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:200]}"
            continue
        first_s[name] = time.perf_counter() - start
        runs[name] = call, wait
    for name, (call, wait) in runs.items():
        _seconds(call, wait, 1)  # what a second call still compiles
        calls[name] = max(1, math.ceil(_SHORTEST_S / max(_seconds(call, wait, 1), 1e-5)))
    seconds = {name: [] for name in runs}
    for _ in range(rounds):
        for name, (call, wait) in runs.items():
            seconds[name].append(_seconds(call, wait, calls[name]))
    return {name: np.array(values) for name, values in seconds.items()}, first_s, notes


def _seconds(call, wait, calls):
    """Wall seconds of a call, as the mean over several that are begun one after the other, until the last is done."""
    start = time.perf_counter()
    for _ in range(calls):
        result = call()
    wait(result)
    return (time.perf_counter() - start) / calls


def _row(name, program, seconds, first_s, note, rates):
    row = {"task": program.task, "batch_size": program.batch_size, "who": name, "note": note}
    shares = {"share_of_copy": None, "share_of_float32": None, "share_of_tf32": None}
    if name not in seconds:
        return row | {"wall_s": None, "maps_per_s": None, "ratio": None, "first_s": None} | shares
    wall_s = _summary(seconds[name])
    operations_per_s = program.operations / wall_s["median"]
    shares["share_of_copy"] = program.moved_bytes / wall_s["median"] / rates["copy_bytes_per_s"]
    shares["share_of_float32"] = operations_per_s / rates["float32_per_s"]
    if rates["tf32_per_s"] is not None:
        shares["share_of_tf32"] = operations_per_s / rates["tf32_per_s"]
    return {
        **row,
        "wall_s": wall_s,
        "maps_per_s": program.batch_size / wall_s["median"],
        "ratio": None if name == OURS else _summary(seconds[name] / seconds[OURS]),
        "first_s": first_s[name],
        **shares,
    }


def _summary(values):
    return {"median": float(np.median(values)), "min": float(np.min(values)), "max": float(np.max(values))}


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
