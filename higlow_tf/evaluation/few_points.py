"""Likelihoods of many maps at as few points of the prior as their posteriors need."""

import numpy as np

from higlow_tf.inference import log_likelihood_of_copies, theta_lattice_over_prior
from higlow_tf.inference.lattice import spline_through

__all__ = ["with_enough_points"]

# Of the estimate, rms over maps, in standard deviations of the calibrated posteriors. The true error is a third of it on maps of
# a trained model; the errors of the maps are independent, and scores of many maps do not notice it.
_TOLERANCE_SD = 0.2
# Points an axis beyond which none are added, by number of parameters.
_MOST_POINTS = {1: 65, 2: 33, 3: 17}


def with_enough_points(
    model, dataset, compute, points_per_axis, num_symmetries, progress, cache_dir, nuisance_draws="adapted"
):
    """Computes something from likelihoods on a lattice, and halves its spacing until posteriors hardly depend on it.

    New points are evaluated for those maps alone whose posteriors are not known well enough. The others get them from a spline
    through their own points.

    Args:
        model: An object with `log_prob(hi_maps, theta)` and `parameters`.
        dataset: `HIMapDataset` with the parameters of interest.
        compute: Function of what `log_likelihood_of_copies` returns. It returns a pair: a result, and the estimated error of each
            calibrated posterior for want of points, `[N]`, in standard deviations.
        points_per_axis: Points of the first lattice along each axis.
        num_symmetries: Copies of a map over which its log-likelihood is averaged.
        progress: Called as `progress("likelihoods", done, total)`, or None.
        cache_dir: Folder that keeps the likelihoods of each map, or None.
        nuisance_draws: "adapted" or "prior", see `MarginalLikelihood`.

    Returns:
        The pair (result, points an axis of the last lattice).
    """
    maps, parameters = np.asarray(dataset.maps), dataset.parameters
    how = {"progress": progress, "cache_dir": cache_dir, "nuisance_draws": nuisance_draws}
    theta_grid, log_likelihoods = log_likelihood_of_copies(model, maps, points_per_axis, num_symmetries, **how)
    # A spline through the points of a spline looks exact: a map that got no points keeps the error that it had.
    kept_errors = np.zeros(len(maps))
    while True:
        result, errors = compute(theta_grid, log_likelihoods)
        errors = np.maximum(errors, kept_errors)
        finer = 2 * points_per_axis - 1
        is_rough = _rough(errors)
        if not is_rough.any() or finer > _MOST_POINTS[len(parameters)]:
            return result, points_per_axis
        kept_errors = np.where(is_rough, 0.0, errors)
        known = log_likelihoods[is_rough]
        _, evaluated = log_likelihood_of_copies(model, maps[is_rough], finer, num_symmetries, coarser=known, **how)
        log_likelihoods = _on_finer_lattice(log_likelihoods, points_per_axis, finer, len(parameters))
        log_likelihoods[is_rough] = evaluated
        theta_grid, points_per_axis = theta_lattice_over_prior(parameters, finer), finer


def _rough(errors):
    """The fewest maps without whose errors the rms over all maps is small enough, bool `[N]`."""
    order = np.argsort(errors)
    is_rough = np.empty(len(errors), bool)
    is_rough[order] = ~(np.cumsum(errors[order] ** 2) <= len(errors) * _TOLERANCE_SD**2)
    return is_rough


def _on_finer_lattice(log_likelihoods, num_old, num_new, num_parameters):
    """Cubic splines through `[N, 2, num_old**P]` at the points of a lattice that also spans the prior: `[N, 2, num_new**P]`."""
    least = np.min(np.where(np.isfinite(log_likelihoods), log_likelihoods, np.inf), axis=2, keepdims=True)
    values = np.where(np.isfinite(log_likelihoods), log_likelihoods, least)
    values = values.reshape(len(values), 2, *[num_old] * num_parameters)
    for axis in range(num_parameters):
        values = spline_through(np.linspace(-1, 1, num_old), values, np.linspace(-1, 1, num_new), axis + 2)
    return values.reshape(len(values), 2, -1)
