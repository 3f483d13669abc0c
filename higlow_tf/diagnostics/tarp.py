"""Coverage of regions round random points: a test of the joint posterior of all parameters."""

import numpy as np
from numpy.typing import ArrayLike

from higlow_tf.diagnostics.weighted_points import WeightedPoints
from higlow_tf.errors import InputError

__all__ = ["tarp_ranks"]

_REFERENCE_STREAM = 0x74617270


def tarp_ranks(
    theta_points: ArrayLike,
    log_mass: ArrayLike,
    truth: ArrayLike,
    *,
    box: tuple[ArrayLike, ArrayLike] | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Posterior mass that is nearer to a random reference point than the truth is.

    Definition:
        rank = sum of mass over points with distance(point, reference) < distance(truth, reference)
        with one reference a map, uniform in the box of the parameters, and Euclidean distances in units of its sides

    Convention: mass between two neighbouring distances is interpolated, half of a point's mass on either side. Cells of a
        grid must be no wider than about 0.75 standard deviations of the posterior: with 1.1, exact posteriors leave the
        95 % band in 12 to 16 % of cases.

    What it can and cannot show: the ranks of a calibrated posterior are uniform (test them with `rank_ecdf`). By the theorem
        of [1], only the exact posterior has uniform ranks for all references that may depend on the map. Those here do not:
        a posterior that always returns the prior passes. An over-confident posterior has too many ranks near 0 and 1.

    Args:
        theta_points, log_mass, truth: See `WeightedPoints`.
        box: Lower and upper edges `[P]` of the references; None for the extent of the points.
        seed: Seed of the references.

    Returns:
        Ranks `[N]` in [0, 1].

    Raises:
        InputError: As `WeightedPoints`, or if the box is empty.

    References:
        [1] Lemos et al. Sampling-based accuracy testing of posterior estimators (TARP). 2023.
            https://arxiv.org/abs/2302.03026
    """
    posterior = WeightedPoints(theta_points, log_mass, truth)
    low, high = (np.asarray(edge, np.float64) for edge in (posterior.box if box is None else box))
    if low.shape != posterior.truth.shape[1:] or high.shape != low.shape or not np.all(low < high):
        raise InputError(f"box: expected lower and larger upper edges [P]. Received: {low} and {high}.")
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_REFERENCE_STREAM,)))
    references = rng.uniform(low, high, size=posterior.truth.shape)
    to_truth = np.linalg.norm((posterior.truth - references) / (high - low), axis=1)
    ranks = np.empty(len(references))
    for row, reference in enumerate(references):
        distance = np.linalg.norm((posterior.points[row] - reference) / (high - low), axis=1)
        order = np.argsort(distance)
        mass = posterior.mass[row, order]
        ranks[row] = np.interp(to_truth[row], distance[order], np.cumsum(mass) - 0.5 * mass, left=0.0, right=1.0)
    return np.clip(ranks, 0.0, 1.0)
