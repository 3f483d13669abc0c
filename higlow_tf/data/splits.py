"""Splits by simulation. Maps of one simulation share its box, seed and parameters, and are never separated."""

import math

import numpy as np

from higlow_tf.errors import InputError

__all__ = ["check_splittable", "split_simulations"]

_CELL_SIZE = 4
_FEWEST_SIMULATIONS = 10


def check_splittable(num_simulations):
    """Refuses so few simulations that a subset would say nothing."""
    if num_simulations < _FEWEST_SIMULATIONS:
        raise InputError(f"A split needs at least {_FEWEST_SIMULATIONS} simulations. Received: {num_simulations}.")


def split_simulations(theta, fractions=(0.7, 0.1, 0.2), seed=0):
    """Splits simulations at random, stratified in their first two parameters.

    The simulations are ordered by repeated halving of the (first, second) parameter plane at its medians. Inside each
    smallest cell the order is random. Then each subset takes every n-th simulation of this order. All subsets therefore cover
    the prior evenly, and their sizes are exact.

    Args:
        theta: Parameters, one row a simulation, `[S, P]`.
        fractions: Share of each subset; they sum to one.
        seed: Seed of the split.

    Returns:
        List of sorted index arrays into the rows of `theta`. They are disjoint, and together they are all rows.

    Raises:
        InputError: If the fractions do not sum to one, or a subset with a positive share would be empty.
    """
    theta = np.asarray(theta, dtype=np.float64)
    fractions = np.asarray(fractions, dtype=np.float64)
    if fractions.ndim != 1 or np.any(fractions < 0) or not math.isclose(fractions.sum(), 1.0, abs_tol=1e-9):
        raise InputError(f"Expected non-negative fractions that sum to 1. Received: {fractions.tolist()}.")
    num_simulations = len(theta)
    sizes = _exact_sizes(num_simulations, fractions)
    if np.any((sizes == 0) & (fractions > 0)):
        raise InputError(
            f"Expected enough simulations that no subset is empty. Received: {num_simulations} simulations "
            f"for the fractions {fractions.tolist()}."
        )
    rng = np.random.default_rng(seed)
    order = _stratified_order(theta[:, :2], np.arange(num_simulations), 0, rng)
    largest = int(np.argmax(sizes))
    subsets = {}
    for i in np.argsort(sizes, kind="stable"):
        if i == largest:
            continue
        picked = np.floor((np.arange(sizes[i]) + rng.random()) * len(order) / max(sizes[i], 1)).astype(int)
        subsets[int(i)] = np.sort(order[picked])
        order = np.delete(order, picked)
    subsets[largest] = np.sort(order)
    return [subsets[i] for i in range(len(sizes))]


def _exact_sizes(total, fractions):
    """Largest-remainder rounding of `total * fractions`."""
    sizes = np.floor(total * fractions + 1e-9).astype(int)
    remainder = total * fractions - sizes
    sizes[np.argsort(-remainder, kind="stable")[: total - sizes.sum()]] += 1
    return sizes


def _stratified_order(plane, index, axis, rng):
    if len(index) <= _CELL_SIZE:
        return rng.permutation(index)
    order = index[np.argsort(plane[index, axis], kind="stable")]
    halves = np.array_split(order, 2)
    next_axis = (axis + 1) % plane.shape[1]
    return np.concatenate([_stratified_order(plane, half, next_axis, rng) for half in halves])
