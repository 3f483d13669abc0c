"""How much alike the maps of one simulation are, for the posterior."""

import numpy as np

__all__ = ["fit_map_correlation"]

_CORRELATIONS = np.linspace(0.0, 1.0, 41)


def fit_map_correlation(grid, truth, position, tempering, widening, weights, rng):
    """Fits how much alike maps of one simulation are, by the joint posteriors of 2, 4, ... of them.

    Math:
        map_correlation maximises the sum over sizes n and simulations of the mean score over disjoint random subsets of n maps;
        the score is the log-density of the truth under
        tempering / (1 + (n - 1) * map_correlation) * sum of log-likelihoods, convolved with the widening

    Args:
        grid: `PriorGrid` of single maps.
        truth: `[N, P]`.
        position: Simulation of each map, 0 to S - 1, `[N]`.
        tempering, widening: Those of single maps.
        weights: How often each simulation occurs in each resample, `[R, S]`.
        rng: Generator of the subsets.

    Returns:
        The correlation and its bootstrap error; None for both if no simulation has two maps.
    """
    largest = int(np.bincount(position).max())
    if largest < 2:
        return None, None
    sizes = sorted({2**power for power in range(1, 20) if 2**power < largest} | {largest})
    total = np.zeros((weights.shape[1], len(_CORRELATIONS)))
    for size in sizes:
        total += _joint_scores(grid, truth, position, size, tempering, widening, rng)
    resampled = [_largest(row) for row in weights @ total]
    return _largest(total.sum(axis=0)), float(np.std(resampled, ddof=1))


def _joint_scores(grid, truth, position, size, tempering, widening, rng):
    """Mean score of the subsets of `size` maps of each simulation for each correlation: `[S, R]`; 0 without a subset."""
    groups = []
    for simulation in range(position.max() + 1):
        rows = rng.permutation(np.flatnonzero(position == simulation))
        groups += [rows[i : i + size] for i in range(0, len(rows) - size + 1, size)]
    groups = np.array(groups)
    joint = sum(grid.log_likelihood[groups[:, member]] for member in range(size))
    first = groups[:, 0]
    number = np.bincount(position[first], minlength=position.max() + 1)
    scores = np.empty((len(number), len(_CORRELATIONS)))
    for column, correlation in enumerate(_CORRELATIONS):
        shared = tempering / (1.0 + (size - 1) * correlation)
        score = grid.log_density_ratio(shared, widening, truth[first], joint)
        scores[:, column] = np.bincount(position[first], score, minlength=len(number)) / np.maximum(number, 1)
    return scores


def _largest(scores):
    """Where a curve over `_CORRELATIONS` is largest: the vertex of the parabola through the best point and its neighbours."""
    best = int(np.argmax(scores))
    if best in (0, len(scores) - 1):
        return float(_CORRELATIONS[best])
    left, middle, right = scores[best - 1 : best + 2]
    shift = 0.5 * (left - right) / (left - 2 * middle + right)
    return float(_CORRELATIONS[best] + shift * (_CORRELATIONS[1] - _CORRELATIONS[0]))
