"""Copies of a map that a simulation could as well have made: shifted, rotated and reflected."""

import numpy as np

from higlow_tf.errors import InputError
from higlow_tf.symmetries import square_symmetry

__all__ = ["checked_num_symmetries", "symmetric_copies", "symmetry_indices"]

# Shifts, as shares of the side: the additive recurrence of the plastic number, whose points fill a square evenly [1].
_SHIFT_STEPS = (0.7548776662466927, 0.5698402909980532)


def symmetry_indices(map_size, num_symmetries):
    """Which pixel stands where in each copy of a map.

    Copy t is the map after the t-th of the eight symmetries of the square (rotations and reflections) and a shift along both
    axes. Copy 0 is the map itself. Simulation boxes are periodic and have no preferred axis, so that every copy has the
    density of the map.

    Args:
        map_size: Pixels on a side, n.
        num_symmetries: T.

    Returns:
        `[T, n * n]`: the flat copy t is the flat map at the indices of row t.

    References:
        [1] Roberts. The unreasonable effectiveness of quasirandom sequences. 2018.
            https://extremelearning.com.au/unreasonable-effectiveness-of-quasirandom-sequences
    """
    pixels = np.arange(map_size * map_size).reshape(map_size, map_size)
    rows = []
    for number in range(num_symmetries):
        copy = square_symmetry(pixels[None], number)[0]
        shift = [int(map_size * (number * step % 1.0)) for step in _SHIFT_STEPS]
        rows.append(np.roll(copy, shift, axis=(0, 1)).ravel())
    return np.stack(rows)


def symmetric_copies(hi_map, num_symmetries):
    """The copies of a map `[n, n]` or `[n, n, C]`: `[T, n, n]` or `[T, n, n, C]`, the map itself first."""
    hi_map = np.asarray(hi_map)
    if num_symmetries == 1:
        return hi_map[None]
    if hi_map.shape[0] != hi_map.shape[1]:
        raise InputError(f"num_symmetries: expected square maps, or 1. Received: maps of {hi_map.shape} pixels.")
    flat = hi_map.reshape(hi_map.shape[0] ** 2, *hi_map.shape[2:])
    return flat[symmetry_indices(len(hi_map), num_symmetries)].reshape(num_symmetries, *hi_map.shape)


def checked_num_symmetries(value):
    """The number of copies as an int.

    Raises:
        InputError: If it is no positive integer.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise InputError(f"num_symmetries: expected a positive integer. Received: {value!r}.")
    return int(value)
