"""Posterior of the parameters on a regular grid over their prior."""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from higlow_tf.data.parameters import ParameterSpace
from higlow_tf.errors import InputError

__all__ = ["GridPosterior", "grid_posterior", "theta_grid_over_prior"]


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

    def hpd_level(self, theta):
        """Posterior mass that is denser than theta `[N, P]`: uniform in 0-1 for a calibrated posterior; `[N]`.

        The density at theta is that of the nearest grid point, half of whose mass counts.
        """
        theta = np.asarray(theta, dtype=np.float64)
        scale = np.ptp(self.theta_grid, axis=0)
        distance = ((self.theta_grid[None] - theta[:, None]) / scale) ** 2
        nearest = np.argmin(distance.sum(axis=-1), axis=1)
        at_theta = np.take_along_axis(self.log_posterior, nearest[:, None], axis=1)
        mass = np.exp(self.log_posterior)
        denser = np.sum(mass * (self.log_posterior > at_theta), axis=1)
        return denser + 0.5 * np.exp(at_theta[:, 0])


def theta_grid_over_prior(parameters, points_per_axis):
    """Centres of equal cells of the prior (equal in log for log-uniform parameters): `[points_per_axis**P, P]`."""
    centres = (np.arange(points_per_axis) + 0.5) / points_per_axis * 2.0 - 1.0
    axes = np.meshgrid(*[centres] * len(parameters), indexing="ij")
    return parameters.denormalize(np.stack([axis.ravel() for axis in axes], axis=-1))


def grid_posterior(model, hi_maps, *, points_per_axis=32, progress=None):
    """Evaluates the posterior of each map under the model's uniform prior.

    Args:
        model: An object with `log_prob(hi_maps, theta)` and `parameters`, a `ParameterSpace`.
        hi_maps: Physical maps `[N, H, W]`.
        points_per_axis: Grid points an axis; the posterior must be wider than their distance.
        progress: Called as `progress(done, total)` after every map.

    Returns:
        `GridPosterior`.

    Raises:
        InputError: If the likelihood of a map is NaN everywhere: never a flat posterior.
    """
    parameters: ParameterSpace = model.parameters
    theta_grid = theta_grid_over_prior(parameters, points_per_axis)
    log_posterior = np.empty((len(hi_maps), len(theta_grid)))
    for index, one_map in enumerate(hi_maps):
        log_likelihood = np.asarray(model.log_prob(one_map[None], theta_grid), dtype=np.float64)
        if not np.isfinite(log_likelihood).any():
            raise InputError(f"Expected a finite likelihood somewhere in the prior. Received: none for map {index}.")
        log_likelihood = np.where(np.isnan(log_likelihood), -np.inf, log_likelihood)
        log_posterior[index] = log_likelihood - logsumexp(log_likelihood)
        if progress is not None:
            progress(index + 1, len(hi_maps))
    mass = np.exp(log_posterior)
    mean = mass @ theta_grid
    variance = np.einsum("ng,ngp->np", mass, (theta_grid[None] - mean[:, None]) ** 2)
    return GridPosterior(theta_grid, log_posterior, mean, np.sqrt(variance))
