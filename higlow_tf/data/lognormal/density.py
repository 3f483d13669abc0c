"""The exact density of lognormal maps, and what follows from it in closed form."""

import functools

import numpy as np
import scipy.fft
import scipy.sparse

from higlow_tf.data.lognormal.field import MEAN_LOG10_HI, check_theta, ring_variance, rings
from higlow_tf.data.lognormal.power import BOX_SIZE_MPC_H
from higlow_tf.errors import InputError

__all__ = ["entropy", "fisher_information", "log_prob", "log_prob_grid", "log_prob_grid_of_power", "ring_power"]

# Maps transformed at once: 512 maps of 64 x 64 in float64 are 17 MB, modes included twice that.
_CHUNK = 512

# Relative step of the central differences. Their error is step**2 = 1e-8 of the derivative; rounding of log S (1e-15)
# over the step adds 1e-11.
_RELATIVE_STEP = 1e-4


def log_prob(maps, theta, box_size_mpc_h=BOX_SIZE_MPC_H):
    """Exact log-density of each log10 map under its parameters.

    Definition:
        log p(u) = -1/2 * sum_k (abs(u_k)**2 / S_k + log(2 pi S_k)),  u_k = fft2(log10(maps) - 6.5, norm="ortho")

    over all n**2 modes. The map is real: every mode except the self-conjugate ones occurs twice, once for each of its two real
    degrees of freedom. The orthonormal transform has determinant one.

    Args:
        maps: Maps in physical units, positive and finite, `[N, n, n]`.
        theta: Omega_m and sigma_8, `[N, 2]`, one row a map.
        box_size_mpc_h: Side of the map in Mpc/h.

    Returns:
        Total nats of each log10 map (per dex, not per unit of HI), float64 `[N]`.

    Raises:
        InputError: If maps and parameters do not match, or one is outside its range.
    """
    theta = check_theta(theta)
    power = ring_power(maps)
    if len(power) != len(theta):
        raise InputError(f"Expected one row of theta for each map. Received: {len(power)} maps, {len(theta)} rows.")
    map_size = np.shape(maps)[-1]
    variance = ring_variance(theta, map_size, box_size_mpc_h)
    return -0.5 * np.sum(power / variance + rings(map_size).count * np.log(2.0 * np.pi * variance), axis=1)


def log_prob_grid(maps, theta_grid, box_size_mpc_h=BOX_SIZE_MPC_H):
    """Exact log-density of every log10 map under every point of a grid of parameters.

    The power in each ring of equal |k| is a sufficient statistic: the grid costs one product of `[N, R]` and `[R, G]`.

    Args:
        maps: Maps in physical units, positive and finite, `[N, n, n]`.
        theta_grid: Omega_m and sigma_8, `[G, 2]`.
        box_size_mpc_h: Side of the map in Mpc/h.

    Returns:
        Total nats of each log10 map, float64 `[N, G]`.

    Raises:
        InputError: If an argument is outside its range.
    """
    theta_grid = check_theta(theta_grid, "theta_grid")
    power = ring_power(maps)
    return log_prob_grid_of_power(power, np.ones(len(power)), theta_grid, np.shape(maps)[-1], box_size_mpc_h)


def log_prob_grid_of_power(power, num_maps, theta_grid, map_size, box_size_mpc_h=BOX_SIZE_MPC_H):
    """As `log_prob_grid`, for sets of independent maps. The power of the maps of a set in each ring was added up.

    Args:
        power: Sums of `ring_power` over the maps of each set, `[N, R]`.
        num_maps: Maps in each set, `[N]`.
        theta_grid: Omega_m and sigma_8, `[G, 2]`.
        map_size: Pixels a side.
        box_size_mpc_h: Side of the map in Mpc/h.

    Returns:
        Total nats of the log10 maps of each set, float64 `[N, G]`.
    """
    variance = ring_variance(theta_grid, map_size, box_size_mpc_h)
    log_determinant = np.log(2.0 * np.pi * variance) @ rings(map_size).count
    return -0.5 * (power @ (1.0 / variance).T + np.outer(num_maps, log_determinant))


def entropy(theta, map_size, box_size_mpc_h=BOX_SIZE_MPC_H):
    """Differential entropy of a log10 map: -E[log p] = 1/2 * sum_k log(2 pi e S_k).

    Args:
        theta: Omega_m and sigma_8, `[2]` or `[N, 2]`.
        map_size: Pixels a side.
        box_size_mpc_h: Side of the map in Mpc/h.

    Returns:
        Total nats of the log10 map: a float, or float64 `[N]`.

    Raises:
        InputError: If an argument is outside its range.
    """
    variance = ring_variance(np.atleast_2d(theta), map_size, box_size_mpc_h)
    nats = 0.5 * np.log(2.0 * np.pi * np.e * variance) @ rings(map_size).count
    return float(nats[0]) if np.ndim(theta) == 1 else nats


def fisher_information(theta, map_size, box_size_mpc_h=BOX_SIZE_MPC_H):
    """Fisher information of one map about its parameters.

    Definition:
        F[a, b] = 1/2 * sum_k (d log S_k / d theta_a) * (d log S_k / d theta_b)

    The derivatives are central differences with a step of 1e-4 of the parameter: wrong by 1e-8, relative.

    Args:
        theta: Omega_m and sigma_8, `[2]`.
        map_size: Pixels a side.
        box_size_mpc_h: Side of the map in Mpc/h.

    Returns:
        Information matrix, float64 `[2, 2]`; its inverse bounds the covariance of an unbiased estimate from one map.

    Raises:
        InputError: If an argument is outside its range.
    """
    theta = check_theta(np.atleast_2d(theta))[0]
    steps = np.diag(_RELATIVE_STEP * theta)
    upper = np.log(ring_variance(theta + steps, map_size, box_size_mpc_h))
    lower = np.log(ring_variance(theta - steps, map_size, box_size_mpc_h))
    slope = (upper - lower) / (2.0 * np.diag(steps)[:, None])
    return 0.5 * (slope * rings(map_size).count) @ slope.T


def ring_power(maps):
    """Sum of abs(u_k)**2 over the modes of each ring of equal |k|, all modes of the full plane counted.

    Args:
        maps: Maps in physical units, positive and finite, `[N, n, n]`.

    Returns:
        Power in dex**2, float64 `[N, R]`, rings as in `rings(n)`.

    Raises:
        InputError: If the maps have another shape, or a pixel is not positive and finite.
    """
    shape = np.shape(maps)
    if len(shape) != 3 or shape[1] != shape[2]:
        raise InputError(f"Expected maps of shape [N, n, n]. Received: shape {shape}.")
    map_size = shape[1]
    sum_over_rings = _ring_summation(map_size)
    power = np.empty((shape[0], sum_over_rings.shape[1]))
    for start in range(0, shape[0], _CHUNK):
        chunk = np.asarray(maps[start : start + _CHUNK], dtype=np.float64)
        is_usable = np.all((chunk > 0.0) & (chunk < np.inf), axis=(1, 2))
        if not is_usable.all():
            index = start + int(np.argmin(is_usable))
            raise InputError(f"Expected maps of positive, finite pixels. Received: another pixel in map {index}.")
        modes = scipy.fft.rfft2(np.log10(chunk) - MEAN_LOG10_HI, norm="ortho")
        squared = (modes.real**2 + modes.imag**2).reshape(len(chunk), -1)
        power[start : start + _CHUNK] = squared @ sum_over_rings
    return power


@functools.lru_cache(maxsize=8)
def _ring_summation(map_size):
    """Sparse `[n * (n // 2 + 1), R]`: adds the modes of a half plane, each with its conjugate, into rings."""
    grid = rings(map_size)
    half = map_size // 2 + 1
    weight = np.full((map_size, half), 2.0)
    weight[:, 0] = 1.0
    if map_size % 2 == 0:
        weight[:, -1] = 1.0
    index = grid.index[:, :half].ravel()
    shape = (index.size, len(grid.count))
    return scipy.sparse.csr_array((weight.ravel(), (np.arange(index.size), index)), shape=shape)
