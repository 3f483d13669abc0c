"""The two fields of a map whose statistics are quoted: its log10 and its linear overdensity."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from higlow_tf.errors import InputError

__all__ = [
    "MAP_FIELDS",
    "MapField",
    "as_positive_maps",
    "as_simulation",
    "as_square_maps",
    "log10_field",
    "map_field",
    "overdensity",
]


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


def as_positive_maps(maps: ArrayLike, name: str) -> np.ndarray:
    """Returns `maps` as `as_square_maps` does, with positive pixels.

    Raises:
        InputError: As `as_square_maps`, or if a pixel is not positive.
    """
    maps = as_square_maps(maps, name)
    if maps.min() <= 0:
        raise InputError(f"{name}: expected positive pixels. Received: {np.count_nonzero(maps <= 0)} that are not.")
    return maps


def as_simulation(simulation: ArrayLike, length: int, name: str) -> np.ndarray:
    """Returns the simulation index of each row, `[N]`; `name` stands in the error.

    Raises:
        InputError: If there is not one index a row.
    """
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
    return np.log10(as_positive_maps(maps, "maps"), dtype=np.float64)


def overdensity(maps: ArrayLike) -> Float[np.ndarray, "N n n"]:
    """Returns map / mean(map) - 1 in float64, `[N, n, n]` -> `[N, n, n]`, with the mean of each map by itself.

    The mean of the suite or of the simulation would add a k = 0 power that no bin shows. The mean of the map is what an
    observer of that map has. Zeros are allowed here.

    Raises:
        InputError: If a pixel is not finite or the mean of a map is not positive.
    """
    maps = as_square_maps(maps, "maps")
    mean = maps.mean(axis=(1, 2), dtype=np.float64, keepdims=True)
    if np.any(mean <= 0):
        raise InputError(f"maps: expected maps with a positive mean. Received: a map with the mean {mean.min():.3g}.")
    return maps / mean - 1.0


@dataclass(frozen=True)
class MapField:
    """A field of a map whose power spectrum is quoted.

    Attributes:
        name: Its key, an identifier.
        title: Its name in sentences.
        label: Its symbol in LaTeX, without dollar signs.
        of_maps: The function that makes it, `[N, n, n]` -> `[N, n, n]`.
    """

    name: str
    title: str
    label: str
    of_maps: Callable[[ArrayLike], np.ndarray]


MAP_FIELDS = {
    field.name: field
    for field in (
        MapField("log10", "log10 maps", r"\log_{10}\mathrm{HI}", log10_field),
        MapField("overdensity", "overdensity", r"\delta_\mathrm{HI}", overdensity),
    )
}
"""Every `MapField` by its name, in the order in which pages show them."""


def map_field(name: str) -> MapField:
    """Returns the `MapField` of this name.

    Raises:
        InputError: If there is none.
    """
    if name not in MAP_FIELDS:
        names = " or ".join(f'"{known}"' for known in MAP_FIELDS)
        raise InputError(f"field: expected {names}. Received: {name!r}.")
    return MAP_FIELDS[name]
