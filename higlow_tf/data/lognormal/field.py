"""The Gaussian field on a map grid: the variance of its Fourier modes, and exact draws."""

import functools
from typing import NamedTuple

import numpy as np
import scipy.fft

from higlow_tf.data.lognormal.power import BOX_SIZE_MPC_H, OMEGA_B, SLAB_THICKNESS_MPC_H, projected_power
from higlow_tf.errors import InputError

__all__ = [
    "FIELD_STREAM",
    "MEAN_LOG10_HI",
    "NOISE_SD_DEX",
    "PARAMETER_STREAM",
    "REFERENCE_MAP_SIZE",
    "REFERENCE_SD_DEX",
    "REFERENCE_THETA",
    "Rings",
    "check_box_size",
    "check_seed",
    "check_theta",
    "mode_variance",
    "ring_variance",
    "rings",
    "sample",
]

MEAN_LOG10_HI = 6.5
NOISE_SD_DEX = 0.05
REFERENCE_THETA = (0.3, 0.8)
REFERENCE_SD_DEX = 0.4
REFERENCE_MAP_SIZE = 64

_MAX_BOX_SIZE_MPC_H = 1000.0

# Spawn keys of a seed: the fields and the parameters that are drawn with one seed share no random numbers.
FIELD_STREAM = 0
PARAMETER_STREAM = 1


class Rings(NamedTuple):
    """The modes of an n x n map, grouped by |k|: the field is isotropic, so one ring has one variance.

    Attributes:
        k_squared: `(k L / 2 pi)**2` of each ring, ascending integers `[R]`.
        index: Ring of each mode in the layout of `np.fft.fft2`, `[n, n]`.
        count: Modes in each ring, `[R]`; they sum to `n**2`.
    """

    k_squared: np.ndarray
    index: np.ndarray
    count: np.ndarray


@functools.lru_cache(maxsize=8, typed=True)
def rings(map_size):
    """Rings of equal |k| of a square map.

    Args:
        map_size: Pixels a side, at least 2.

    Returns:
        `Rings`.

    Raises:
        InputError: If `map_size` is no integer of at least 2.
    """
    if not isinstance(map_size, (int, np.integer)) or map_size < 2:
        raise InputError(f"Expected map_size to be an integer of at least 2. Received: {map_size!r}.")
    frequency = np.rint(np.fft.fftfreq(map_size) * map_size).astype(np.int64)
    total = frequency[:, None] ** 2 + frequency**2
    k_squared, index, count = np.unique(total, return_inverse=True, return_counts=True)
    return Rings(k_squared, index.reshape(total.shape), count)


def ring_variance(theta, map_size, box_size_mpc_h=BOX_SIZE_MPC_H):
    """Variance of the modes of each ring, as `mode_variance`.

    Args:
        theta: Omega_m and sigma_8, `[N, 2]`.
        map_size: Pixels a side.
        box_size_mpc_h: Side of the map in Mpc/h.

    Returns:
        Variances in dex**2, float64 `[N, R]`.
    """
    theta = check_theta(theta)
    check_box_size(box_size_mpc_h)
    num_rings = len(rings(map_size).count)
    pixel_area = (box_size_mpc_h / map_size) ** 2
    omega_m, inverse = np.unique(theta[:, 0], return_inverse=True)
    unit_power = np.array([_unit_projected_power(value, map_size, box_size_mpc_h) for value in omega_m.tolist()])
    unit_power = unit_power.reshape(len(omega_m), num_rings)[inverse]
    return _bias_squared() * theta[:, 1:] ** 2 * unit_power / pixel_area + NOISE_SD_DEX**2


def mode_variance(theta, map_size, box_size_mpc_h=BOX_SIZE_MPC_H):
    """Variance of each Fourier mode of the log10 map.

    Definition:
        S(k) = b**2 * P2D(k) / pixel_area + 0.05**2 = E[abs(fft2(u - 6.5, norm="ortho"))**2]

    One b, 0.96773, serves all maps. With it the pixel standard deviation of G, noise included, is 0.4 dex at (0.3, 0.8) on
    the reference grid of 64 x 64 pixels and 25 Mpc/h. A coarser grid has fewer modes, and therefore a smaller pixel variance
    (0.377 dex at 32 x 32). The field has only the modes of the map grid: nothing is aliased from smaller scales, and no pixel
    window is applied.

    Args:
        theta: Omega_m and sigma_8, `[2]` or `[N, 2]`.
        map_size: Pixels a side, `n`.
        box_size_mpc_h: Side of the map in Mpc/h; the slab stays 5 Mpc/h thick.

    Returns:
        Variances in dex**2, float64 `[n, n]` or `[N, n, n]`, in the layout of `np.fft.fft2`.

    Raises:
        InputError: If an argument is outside its range.
    """
    variance = ring_variance(np.atleast_2d(theta), map_size, box_size_mpc_h)[:, rings(map_size).index]
    return variance[0] if np.ndim(theta) == 1 else variance


def sample(theta, map_size, seed, box_size_mpc_h=BOX_SIZE_MPC_H, *, first_row=0):
    """Draws maps of the lognormal suite.

    White noise is drawn in pixels, and its modes are scaled by sqrt(S). Then the map is real and every mode has its exact
    variance, also at k = 0 and at Nyquist.

    Args:
        theta: Omega_m and sigma_8, `[N, 2]`, one row a map.
        map_size: Pixels a side, `n`.
        seed: Non-negative integer. Row i uses the random stream (seed, first_row + i), and depends on nothing else.
        box_size_mpc_h: Side of the map in Mpc/h.
        first_row: Number of the first row, to draw a long file in pieces.

    Returns:
        Maps in (Msun/h)/(Mpc/h)**2, float32 `[N, n, n]`; computed in float64.

    Raises:
        InputError: If an argument is outside its range.
    """
    theta = check_theta(theta)
    check_seed(seed)
    index = rings(map_size).index[:, : map_size // 2 + 1]
    amplitude = np.sqrt(ring_variance(theta, map_size, box_size_mpc_h))
    maps = np.empty((len(theta), map_size, map_size), dtype=np.float32)
    for i, row_amplitude in enumerate(amplitude):
        stream = np.random.SeedSequence(seed, spawn_key=(FIELD_STREAM, first_row + i))
        modes = scipy.fft.rfft2(np.random.default_rng(stream).standard_normal((map_size, map_size)))
        field = scipy.fft.irfft2(modes * row_amplitude[index], s=(map_size, map_size))
        maps[i] = 10.0 ** (MEAN_LOG10_HI + field)
    return maps


def check_theta(theta, argument="theta"):
    """Parameters as float64 `[N, 2]`; raises `InputError` unless Omega_b < Omega_m <= 1 and sigma_8 > 0 in all rows."""
    theta = np.asarray(theta, dtype=np.float64)
    if theta.ndim != 2 or theta.shape[1] != 2:
        raise InputError(f"Expected {argument} of shape [N, 2] (Omega_m, sigma_8). Received: shape {theta.shape}.")
    is_usable = (theta[:, 0] > OMEGA_B) & (theta[:, 0] <= 1.0) & (theta[:, 1] > 0.0) & np.isfinite(theta[:, 1])
    if not is_usable.all():
        row = int(np.argmin(is_usable))
        raise InputError(
            f"Expected every row of {argument} to have {OMEGA_B} < Omega_m <= 1 and sigma_8 > 0. "
            f"Received: {theta[row].tolist()} in row {row}."
        )
    return theta


def check_box_size(box_size_mpc_h):
    """Raises `InputError` unless the box holds the slab and is small enough for a sum over its line-of-sight modes."""
    if not SLAB_THICKNESS_MPC_H <= box_size_mpc_h <= _MAX_BOX_SIZE_MPC_H:
        raise InputError(
            f"Expected box_size_mpc_h between {SLAB_THICKNESS_MPC_H} and {_MAX_BOX_SIZE_MPC_H}. "
            f"Received: {box_size_mpc_h}."
        )


def check_seed(seed):
    """Raises `InputError` unless the seed is a non-negative integer."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise InputError(f"Expected seed to be a non-negative integer. Received: {seed!r}.")


# One entry takes 4 kB at 64 x 64, so that all the simulations of a large set stay in memory.
@functools.lru_cache(maxsize=4096)
def _unit_projected_power(omega_m, map_size, box_size_mpc_h):
    """Projected power of each ring at sigma_8 = 1, to which that of any sigma_8 is proportional."""
    return projected_power(rings(map_size).k_squared, (omega_m, 1.0), box_size_mpc_h)


@functools.cache
def _bias_squared():
    """b**2, from the pixel variance of G on the reference grid: the mean of S over all modes."""
    grid = rings(REFERENCE_MAP_SIZE)
    power = projected_power(grid.k_squared, REFERENCE_THETA)
    unit_variance = grid.count @ power / BOX_SIZE_MPC_H**2
    return (REFERENCE_SD_DEX**2 - NOISE_SD_DEX**2) / unit_variance
