"""The exact posterior of the parameters of lognormal maps, on a grid over the prior."""

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from higlow_tf.data.lognormal.density import log_prob_grid
from higlow_tf.data.lognormal.power import BOX_SIZE_MPC_H
from higlow_tf.data.parameters import CAMELS_PARAMETERS
from higlow_tf.errors import InputError

__all__ = ["PARAMETER_NAMES", "ExactPosterior", "exact_posterior_grid"]

PARAMETER_NAMES = ("Omega_m", "sigma_8")


class ExactPosterior(NamedTuple):
    """The exact posterior of N maps, each taken alone.

    Attributes:
        theta_grid: Points of equal prior weight, `[G, 2]`: Omega_m, sigma_8 (sigma_8 varies fastest).
        log_posterior: Log of the posterior mass of each point, `[N, G]`; the masses of a map sum to one.
        mean: Posterior mean, `[N, 2]`.
        sd: Posterior standard deviation, `[N, 2]`.
    """

    theta_grid: np.ndarray
    log_posterior: np.ndarray
    mean: np.ndarray
    sd: np.ndarray


def exact_posterior_grid(maps, points_per_axis=64, box_size_mpc_h=BOX_SIZE_MPC_H):
    """Exact posterior of (Omega_m, sigma_8) under the uniform CAMELS prior.

    The points are the centres of equal cells of the prior box, 0.1-0.5 and 0.6-1.0. With 64 points an axis and maps of
    64 x 64 pixels, 99 of 100 maps have their mean within 0.012 sd and their sd within 1.4 % of the limit of a fine
    grid. Where the posterior is narrow (Omega_m near 0.1) or in a corner the error is larger: the worst of 900 maps had
    0.15 sd and 26 %. Both errors fall as the square of the spacing.

    Args:
        maps: Maps in physical units, positive and finite, `[N, n, n]`.
        points_per_axis: Points along each parameter.
        box_size_mpc_h: Side of the map in Mpc/h.

    Returns:
        `ExactPosterior`.

    Raises:
        InputError: If an argument is outside its range.
    """
    if not isinstance(points_per_axis, (int, np.integer)) or points_per_axis < 2:
        raise InputError(f"Expected points_per_axis to be an integer of at least 2. Received: {points_per_axis!r}.")
    centre = (np.arange(points_per_axis) + 0.5) / points_per_axis
    specs = [CAMELS_PARAMETERS[name] for name in PARAMETER_NAMES]
    axes = [spec.low + (spec.high - spec.low) * centre for spec in specs]
    theta_grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    log_posterior = log_prob_grid(maps, theta_grid, box_size_mpc_h)
    log_posterior -= logsumexp(log_posterior, axis=1, keepdims=True)
    mass = np.exp(log_posterior)
    mean = mass @ theta_grid
    # About the mean, not E[theta**2] - mean**2, which would lose the digits of a narrow posterior.
    variance = np.stack([np.sum(mass * (theta_grid[:, j] - mean[:, j : j + 1]) ** 2, axis=1) for j in range(2)], axis=1)
    return ExactPosterior(theta_grid, log_posterior, mean, np.sqrt(variance))
