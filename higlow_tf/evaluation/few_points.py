"""Likelihoods of many maps at as few points of the prior as their posteriors need."""

import numpy as np

from higlow_tf.inference import log_likelihood_of_copies

__all__ = ["with_enough_points"]

# Of the estimate, rms over maps, in standard deviations of the calibrated posteriors. The true error is a third of it on maps of
# a trained model; the errors of the maps are independent, and scores of many maps do not notice it.
_TOLERANCE_SD = 0.2
# Points an axis beyond which none are added, by number of parameters.
_MOST_POINTS = {1: 65, 2: 33, 3: 17}


def with_enough_points(model, dataset, compute, points_per_axis, num_symmetries, progress, cache_dir):
    """Computes something from likelihoods on a lattice, and halves its spacing until posteriors hardly depend on it.

    Args:
        model: An object with `log_prob(hi_maps, theta)` and `parameters`.
        dataset: `HIMapDataset` with the parameters of interest.
        compute: Function of what `log_likelihood_of_copies` returns. It returns a pair: a result, and the estimated error of each
            calibrated posterior for want of points, `[N]`, in standard deviations.
        points_per_axis: Points of the first lattice along each axis.
        num_symmetries: Copies of a map over which its log-likelihood is averaged.
        progress: Called as `progress("likelihoods", done, total)`, or None.
        cache_dir: Folder that keeps the likelihoods of each map, or None.

    Returns:
        The pair (result, points an axis of the last lattice).
    """
    coarser = None
    while True:
        theta_grid, log_likelihoods = log_likelihood_of_copies(
            model,
            dataset.maps,
            points_per_axis,
            num_symmetries,
            coarser=coarser,
            progress=progress,
            cache_dir=cache_dir,
        )
        result, errors = compute(theta_grid, log_likelihoods)
        finer = 2 * points_per_axis - 1
        if np.sqrt(np.mean(errors**2)) <= _TOLERANCE_SD or finer > _MOST_POINTS[len(dataset.parameters)]:
            return result, points_per_axis
        points_per_axis, coarser = finer, log_likelihoods
