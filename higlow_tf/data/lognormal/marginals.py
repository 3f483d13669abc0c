"""Exact posterior means, errors and quantiles of lognormal maps, on a grid that closes in on each posterior."""

import functools
from typing import NamedTuple

import numpy as np
from scipy.interpolate import CubicSpline

from higlow_tf.data.lognormal.density import ring_power
from higlow_tf.data.lognormal.field import NOISE_SD_DEX, ring_variance, rings
from higlow_tf.data.lognormal.posterior import cell_centres, check_points, prior_box, sums_of_simulations
from higlow_tf.data.lognormal.power import BOX_SIZE_MPC_H
from higlow_tf.errors import InputError

__all__ = ["ExactMarginals", "exact_marginals"]

# Points this far below the highest log-density are left out: six standard deviations of a Gaussian.
_KEPT_NATS = 18.0
# A grid is final when the region that it keeps fills this share of both its sides.
_FINAL_SHARE = 0.7
# Nodes in Omega_m between which ln of the power is a cubic spline, wrong by at most 6e-7 for maps of 64 x 64 pixels:
# their log-density by some 3e-5 nats.
_NUM_NODES = 129


class ExactMarginals(NamedTuple):
    """What the exact posteriors of N maps, or of N simulations, say about Omega_m and sigma_8.

    Attributes:
        mean: Posterior mean, `[N, 2]`.
        sd: Posterior standard deviation, `[N, 2]`.
        correlation: Posterior correlation of the two parameters, `[N]`.
        quantiles: Quantiles of each parameter's own posterior, `[N, Q, 2]`.
    """

    mean: np.ndarray
    sd: np.ndarray
    correlation: np.ndarray
    quantiles: np.ndarray


def exact_marginals(
    maps,
    simulation=None,
    *,
    levels=(0.16, 0.5, 0.84),
    points_per_axis=128,
    box_size_mpc_h=BOX_SIZE_MPC_H,
):
    """Exact posterior moments and quantiles under the uniform CAMELS prior, however narrow the posterior is.

    The grid starts as the prior box, 0.1-0.5 and 0.6-1.0. It closes in until the region within 18 nats of its highest point
    fills most of both its sides. With 128 points an axis, means, standard deviations and quantiles are within 0.3 % of a
    standard deviation of those on 300 and more points. This was measured on maps of 64 x 64 pixels: single maps, 15 and 200
    together, in the middle and in the corners of the prior.

    Args:
        maps: Maps in physical units, positive and finite, `[M, n, n]`.
        simulation: Integers `[M]`: the maps of one simulation share their parameters, are independent given these, and
            get one joint posterior. None: each map has its own.
        levels: Levels of the quantiles, between 0 and 1, `[Q]`.
        points_per_axis: Points of the grid along each parameter.
        box_size_mpc_h: Side of the map in Mpc/h.

    Returns:
        `ExactMarginals`: a row a map, or a row a simulation in the order of `np.unique(simulation)`.

    Raises:
        InputError: If an argument is outside its range.
    """
    check_points(points_per_axis)
    levels = np.asarray(levels, dtype=np.float64)
    if levels.ndim != 1 or not np.all((levels > 0.0) & (levels < 1.0)):
        raise InputError(f"Expected levels between 0 and 1. Received: {levels.tolist()}.")
    power, num_maps = sums_of_simulations(ring_power(maps), simulation)
    map_size = np.shape(maps)[-1]
    rows = []
    for total, number in zip(power, num_maps, strict=True):
        log_density = functools.partial(_log_density, total, number * rings(map_size).count, map_size, box_size_mpc_h)
        rows.append(_summary(*_close_in(log_density, points_per_axis), levels))
    return ExactMarginals(*(np.stack(column) for column in zip(*rows, strict=True)))


def _log_density(power, count, map_size, box_size_mpc_h, omega_m, sigma_8):
    """Log-density, up to a constant, on the grid of the two axes: `[A]`, `[B]` -> `[A, B]`."""
    signal = np.exp(_log_signal(map_size, box_size_mpc_h)(omega_m))
    result = np.empty((len(omega_m), len(sigma_8)))
    for row, unit_signal in zip(result, signal, strict=True):
        variance = sigma_8[:, None] ** 2 * unit_signal + NOISE_SD_DEX**2
        row[:] = -0.5 * ((1.0 / variance) @ power + np.log(variance) @ count)
    return result


@functools.lru_cache(maxsize=8)
def _log_signal(map_size, box_size_mpc_h):
    """Ln of the variance of each ring without noise at sigma_8 = 1, as a function of Omega_m."""
    (low, high), _ = prior_box()
    omega_m = np.linspace(low, high, _NUM_NODES)
    variance = ring_variance(np.column_stack([omega_m, np.ones(_NUM_NODES)]), map_size, box_size_mpc_h)
    return CubicSpline(omega_m, np.log(variance - NOISE_SD_DEX**2))


def _close_in(log_density, points):
    """The posterior mass of each cell of the final grid, `[A, B]`, and the limits of the grid on both axes, `[2, 2]`."""
    prior = limits = prior_box()
    while True:
        values = log_density(*(cell_centres(low, high, points) for low, high in limits))
        # The highest value inside a cell, from its slopes: a ridge that is narrower than the cells may pass between centres.
        highest = values + 0.5 * np.sum(np.abs(np.gradient(values)), axis=0)
        is_kept = highest > values.max() - _KEPT_NATS
        closer = np.empty((2, 2))
        for axis, (low, high) in enumerate(limits):
            kept = np.flatnonzero(is_kept.any(axis=1 - axis))
            cell = (high - low) / points
            # One more cell on each side: the grid before may have left it out.
            closer[axis] = low + (kept[0] - 1) * cell, low + (kept[-1] + 2) * cell
        closer = np.clip(closer, prior[:, :1], prior[:, 1:])
        if np.all(np.ptp(closer, axis=1) > _FINAL_SHARE * np.ptp(limits, axis=1)):
            mass = np.exp(values - values.max())
            return mass / mass.sum(), limits
        limits = closer


def _summary(mass, limits, levels):
    """One row of `ExactMarginals`. In the marginals the mass of a cell is spread evenly over it."""
    points = len(mass)
    marginals = mass.sum(axis=1), mass.sum(axis=0)
    centres = [cell_centres(low, high, points) for low, high in limits]
    mean = np.array([marginal @ centre for marginal, centre in zip(marginals, centres, strict=True)])
    offsets = [centre - value for centre, value in zip(centres, mean, strict=True)]
    sd = np.sqrt([marginal @ offset**2 for marginal, offset in zip(marginals, offsets, strict=True)])
    correlation = offsets[0] @ mass @ offsets[1] / np.prod(sd)
    quantiles = [
        np.interp(levels, np.concatenate([[0.0], np.cumsum(marginal)]), np.linspace(low, high, points + 1))
        for marginal, (low, high) in zip(marginals, limits, strict=True)
    ]
    return mean, sd, correlation, np.stack(quantiles, axis=1)
