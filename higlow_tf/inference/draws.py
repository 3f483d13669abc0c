"""Functions on weighted draws: density estimate, highest-density masses, and what makes them a posterior."""

import numpy as np
from scipy.special import logsumexp, ndtr

from higlow_tf.inference.result import GroupResult

__all__ = ["denser_draws_mass", "draws_log_density", "group_of_draws", "reflected"]

# Draws that carry a kernel, and the factor of their width. Only the order of densities is wanted. Kernels that are wider than
# Scott's have less noise, and they leave the order in a Gaussian as it is.
_NUM_KERNELS = 2000
_WIDER = 1.5


def group_of_draws(target, normalized, log_weights, peak, widening_at, rng, diagnostics, notes):
    """The result of a sampler: draws in normalised coordinates `[G, P]` become physical ones, widened if asked for."""
    prior = target.prior
    log_mass = log_weights - logsumexp(log_weights)
    sd = widening_at(np.exp(log_mass) @ normalized)
    if sd.any():
        normalized = reflected(normalized + sd * rng.standard_normal(normalized.shape), prior.low, prior.high)
    return GroupResult(
        theta_grid=prior.parameters.denormalize(normalized),
        log_posterior=log_mass,
        map_estimate=prior.parameters.denormalize(peak),
        box=np.empty((0, len(prior.low))),
        diagnostics={"num_evaluations": target.num_evaluations, **diagnostics},
        notes=notes,
    )


def reflected(x, low, high):
    """Folds coordinates back at the edges of a box, as often as it takes."""
    phase = np.mod(x - low, 2.0 * (high - low))
    return low + np.minimum(phase, 2.0 * (high - low) - phase)


def draws_log_density(draws, log_mass, low, high, points=None):
    """Kernel estimate of the log-density of weighted draws, up to a constant.

    Gaussian kernels with the covariance of the draws and 1.5 times Scott's bandwidth sit on at most 2000 of them. The edges of
    the prior cut off a part of a kernel at each point; the estimate is divided by what is left, axis by axis. Only the
    order of the densities is used. A region that is defined by an order holds its mass, whatever the error of the estimate.

    Args:
        draws: `[G, P]`.
        log_mass: `[G]`.
        low: Lower edges of the prior, `[P]`.
        high: Upper edges of the prior, `[P]`.
        points: Where to estimate, `[M, P]`; None for the draws themselves, each without its own kernel.

    Returns:
        `[M]` or `[G]`.
    """
    mass = np.exp(log_mass)
    centred = draws - mass @ draws
    covariance = (centred * mass[:, None]).T @ centred + 1e-12 * np.diag((high - low) ** 2)
    owners = np.unique(np.linspace(0, len(draws) - 1, _NUM_KERNELS).astype(int))
    ess = np.sum(mass[owners]) ** 2 / np.sum(mass[owners] ** 2)
    bandwidth = _WIDER * ess ** (-1.0 / (draws.shape[1] + 4))
    points = draws if points is None else points
    factor = bandwidth * np.linalg.cholesky(covariance)
    at, white = (np.linalg.solve(factor, x.T).T for x in (points, draws[owners]))
    squares = np.sum(at**2, axis=1)[:, None] + np.sum(white**2, axis=1) - 2.0 * at @ white.T
    exponent = log_mass[owners] - 0.5 * squares
    if points is draws:
        exponent[owners, np.arange(len(owners))] = -np.inf
    width = bandwidth * np.sqrt(np.diag(covariance))
    inside = ndtr((high - points) / width) - ndtr((low - points) / width)
    return logsumexp(exponent, axis=1) - np.sum(np.log(inside), axis=1)


def denser_draws_mass(draws, log_mass, log_density, low, high, point):
    """Mass of the draws whose `log_density` `[G]` is higher than that at `point` `[P]`; 1 outside the prior."""
    if np.any(point < low) or np.any(point > high):
        return 1.0
    at_point = draws_log_density(draws, log_mass, low, high, point[None])[0]
    return float(np.exp(log_mass[log_density > at_point]).sum())
