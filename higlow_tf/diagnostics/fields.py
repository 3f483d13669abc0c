"""The two fields whose statistics are quoted: log10 maps and linear overdensity."""

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from higlow_tf.errors import InputError

__all__ = ["FIELDS", "as_simulation", "as_square_maps", "log10_field", "overdensity"]


def as_square_maps(maps: ArrayLike, name: str) -> np.ndarray:
    """Returns `maps` as a finite real array `[N, n, n]` of its own dtype; `name` stands in the error.

    Raises:
        InputError: If the shape is another, there is no map, or a pixel is not finite.
    """
    maps = np.asarray(maps)
    if maps.ndim != 3 or maps.shape[1] != maps.shape[2] or not maps.size or maps.dtype.kind not in "fiu":
        raise InputError(f"{name}: expected real maps [N, n, n] with N > 0. Received: {maps.dtype} {maps.shape}.")
    bad_pixels = np.array([pixels.size - np.isfinite(pixels).sum() for pixels in maps])
    if bad_pixels.any():
        raise InputError(
            f"{name}: expected finite pixels. Received: {bad_pixels.sum()} that are not, in "
            f"{np.count_nonzero(bad_pixels)} of {len(maps)} maps (the first is map {int(np.argmax(bad_pixels > 0))})."
        )
    return maps


def as_simulation(simulation: ArrayLike, length: int, name: str) -> np.ndarray:
    """Returns the simulation index of each row, `[N]`; anything but one index a row is refused."""
    simulation = np.asarray(simulation)
    if simulation.shape != (length,):
        raise InputError(
            f"{name}: expected one simulation index a row, shape ({length},). Received: {simulation.shape}."
        )
    return simulation


def log10_field(maps: ArrayLike) -> Float[np.ndarray, "N n n"]:
    """Returns log10 of each pixel in float64, `[N, n, n]` -> `[N, n, n]`.

    Raises:
        InputError: If a pixel is not positive or not finite; a floor for zeros is a data step, not a diagnostic.
    """
    maps = as_square_maps(maps, "maps")
    if np.any(maps <= 0):
        raise InputError(f"maps: expected positive pixels. Received: {np.count_nonzero(maps <= 0)} that are not.")
    return np.log10(maps, dtype=np.float64)


def overdensity(maps: ArrayLike) -> Float[np.ndarray, "N n n"]:
    """Returns map / mean(map) - 1 in float64, `[N, n, n]` -> `[N, n, n]`, with the mean of each map by itself.

    The mean of the suite or of the simulation would add a k = 0 power that no bin shows; the mean of the map is what an
    observer of that map has.

    Raises:
        InputError: If a pixel is not finite or the mean of a map is not positive.
    """
    maps = as_square_maps(maps, "maps")
    mean = maps.mean(axis=(1, 2), dtype=np.float64, keepdims=True)
    if np.any(mean <= 0):
        raise InputError(f"maps: expected maps with a positive mean. Received: a map with the mean {mean.min():.3g}.")
    return maps / mean - 1.0


FIELDS = {"log10": log10_field, "overdensity": overdensity}
"""The fields by the names under which comparisons take them."""
