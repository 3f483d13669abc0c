"""The likelihood on one regular grid over the prior, the same for all maps."""

import numpy as np

from higlow_tf.inference.cells import Cells
from higlow_tf.inference.likelihood import MapLikelihood, checked_maps
from higlow_tf.inference.symmetry import symmetric_copies

__all__ = ["log_likelihood_of_copies", "log_likelihood_on_grid", "theta_grid_over_prior"]


def theta_grid_over_prior(parameters, points_per_axis):
    """Centres of equal cells of the prior (equal in log for log-uniform parameters): `[points_per_axis**P, P]`."""
    ones = np.ones(len(parameters))
    return parameters.denormalize(Cells(-ones, ones, (points_per_axis,) * len(parameters)).points())


def log_likelihood_on_grid(model, hi_maps, points_per_axis=32, progress=None):
    """Raw log-likelihoods on one grid.

    Args:
        model: An object with `log_prob(hi_maps, theta)` and `parameters`, a `ParameterSpace`.
        hi_maps: Physical maps `[N, H, W]` (or `[N, H, W, C]`).
        points_per_axis: Grid points an axis; the posterior must be wider than their distance.
        progress: Called as `progress(done, total)` after every map.

    Returns:
        The pair (theta_grid `[G, P]`, log-likelihood `[N, G]` in nats; NaN counts as -inf).

    Raises:
        InputError: If the likelihood of a map is finite nowhere.
    """
    theta_grid, of_copies = log_likelihood_of_copies(model, hi_maps, points_per_axis, 1, progress)
    return theta_grid, of_copies[:, 0]


def log_likelihood_of_copies(model, hi_maps, points_per_axis=32, num_symmetries=1, progress=None):
    """Raw log-likelihoods of symmetric copies of maps on one grid, from which a calibration is fitted.

    Args:
        model, hi_maps, points_per_axis, progress: As of `log_likelihood_on_grid`.
        num_symmetries: Copies of each map, T, the map itself first (see `symmetry_indices`).

    Returns:
        The pair (theta_grid `[G, P]`, log-likelihood `[N, T, G]` in nats; NaN counts as -inf).

    Raises:
        InputError: If the likelihood of a map is finite nowhere.
    """
    hi_maps = checked_maps(hi_maps)
    theta_grid = theta_grid_over_prior(model.parameters, points_per_axis)
    log_likelihood = np.empty((len(hi_maps), num_symmetries, len(theta_grid)))
    for index, hi_map in enumerate(hi_maps):
        for copy, row in zip(symmetric_copies(hi_map, num_symmetries), log_likelihood[index], strict=True):
            row[:] = MapLikelihood(model, copy, index)(theta_grid)
        if progress is not None:
            progress(index + 1, len(hi_maps))
    return theta_grid, log_likelihood
