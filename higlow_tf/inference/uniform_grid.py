"""The likelihood on one regular grid over the prior, the same for all maps."""

from dataclasses import dataclass

import numpy as np

from higlow_tf.inference.cells import Cells, log_normalized
from higlow_tf.inference.likelihood import MapLikelihood, checked_maps

__all__ = ["GridPosterior", "grid_posterior", "log_likelihood_on_grid", "theta_grid_over_prior"]


@dataclass(frozen=True)
class GridPosterior:
    """Posterior masses of N maps at G points of the prior.

    Args:
        theta_grid: `[G, P]`, points of equal prior mass, the last parameter varying fastest.
        log_posterior: `[N, G]`, natural logarithm of the posterior mass of each point; sums to one over a row.
        mean: `[N, P]`.
        sd: `[N, P]`.
    """

    theta_grid: np.ndarray
    log_posterior: np.ndarray
    mean: np.ndarray
    sd: np.ndarray


def theta_grid_over_prior(parameters, points_per_axis):
    """Centres of equal cells of the prior (equal in log for log-uniform parameters): `[points_per_axis**P, P]`."""
    ones = np.ones(len(parameters))
    return parameters.denormalize(Cells(-ones, ones, (points_per_axis,) * len(parameters)).points())


def log_likelihood_on_grid(model, hi_maps, points_per_axis=32, progress=None):
    """Raw log-likelihoods on one grid, from which a calibration is fitted.

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
    hi_maps = checked_maps(hi_maps)
    theta_grid = theta_grid_over_prior(model.parameters, points_per_axis)
    log_likelihood = np.empty((len(hi_maps), len(theta_grid)))
    for index, hi_map in enumerate(hi_maps):
        log_likelihood[index] = MapLikelihood(model, hi_map, index)(theta_grid)
        if progress is not None:
            progress(index + 1, len(hi_maps))
    return theta_grid, log_likelihood


def grid_posterior(model, hi_maps, *, points_per_axis=32, progress=None):
    """Posterior of each map under the uniform prior of training on one grid, as `GridPosterior`.

    The arguments are those of `log_likelihood_on_grid`. Unlike `infer`, it neither refines nor calibrates.
    """
    theta_grid, log_likelihood = log_likelihood_on_grid(model, hi_maps, points_per_axis, progress)
    log_posterior = np.stack([log_normalized(row) for row in log_likelihood])
    mass = np.exp(log_posterior)
    mean = mass @ theta_grid
    variance = np.einsum("ng,ngp->np", mass, (theta_grid[None] - mean[:, None]) ** 2)
    return GridPosterior(theta_grid, log_posterior, mean, np.sqrt(variance))
