"""Requests to a served model with what must be answered, and what a server takes of the machine."""

import os
from pathlib import Path

import numpy as np
import tensorflow as tf

__all__ = ["call", "cpu_seconds_of_tree", "is_equal", "make_requests", "memory_mb_of_tree", "process_tree", "rows_of"]

NUM_REQUESTS, MOST_ROWS, NUM_POINTS = 60, 8, 8
# A float32 sum over some thousand pixels, in another order in a batch of another size. Denominator max(1, |value|).
TOLERANCE = 1e-4


def make_requests(signatures, parameters, seed=0):
    """Triples (signature, inputs, expected outputs) of all signatures, of one to eight rows.

    Args:
        signatures: Those of a loaded SavedModel: what they answer in this process is what is expected.
        parameters: `ParameterSpace` of the model.
        seed: Of parameters and numbers of rows.
    """
    rng = np.random.default_rng(seed)
    theta = parameters.sample_uniform(NUM_REQUESTS * MOST_ROWS, seed).astype(np.float32)
    requests = []
    for index in range(NUM_REQUESTS):
        rows = int(rng.integers(1, MOST_ROWS + 1))
        at = theta[index * MOST_ROWS :][:rows]
        seeds = np.stack([np.full(rows, index), np.arange(rows)], axis=1).astype(np.int64)
        sample = {"theta": at, "seed": seeds, "temperature": np.ones(rows, np.float32)}
        maps = call(signatures["sample"], sample)["hi_map"]
        signature, inputs = (
            ("sample", sample),
            ("log_prob", {"hi_map": maps, "theta": at}),
            ("posterior", {"hi_map": maps[:1], "theta_grid": theta[None, index : index + NUM_POINTS]}),
        )[index % 3]
        requests.append((signature, inputs, call(signatures[signature], inputs)))
    return requests


def call(function, inputs):
    """What a signature answers in this process: arrays in, arrays out."""
    outputs = function(**{name: tf.constant(value) for name, value in inputs.items()})
    return {name: value.numpy() for name, value in outputs.items()}


def rows_of(inputs):
    return len(next(iter(inputs.values())))


def is_equal(answer, expected, tolerance=TOLERANCE):
    """Whether an answer has the names, the shapes and, within the tolerance, the numbers that are expected."""
    if set(answer) != set(expected) or any(np.shape(answer[name]) != value.shape for name, value in expected.items()):
        return False
    wide = {name: value.astype(np.float64) for name, value in expected.items()}
    scales = {name: np.maximum(1.0, np.abs(value)) for name, value in wide.items()}
    return all(
        np.allclose(answer[name] / scale, wide[name] / scale, rtol=0, atol=tolerance, equal_nan=True)
        for name, scale in scales.items()
    )


def process_tree(pid):
    """Process id -> the fields of its /proc/PID/stat after the name, of a process and of all that it started."""
    fields = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields[int(entry.name)] = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended
    tree, size = {pid}, -1
    while len(tree) != size:
        size = len(tree)
        tree |= {child for child, of in fields.items() if int(of[1]) in tree}
    return {member: fields[member] for member in tree if member in fields}


def memory_mb_of_tree(pid):
    """Resident memory of a process and of all that it started, MB. What they share is counted in each."""
    return sum(int(of[21]) for of in process_tree(pid).values()) * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu_seconds_of_tree(pid):
    """CPU time of a process and of all that it started and that still run, or that they have waited for, seconds."""
    ticks = sum(int(time) for of in process_tree(pid).values() for time in of[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")
