"""Checks of maps, parameters and simulation indices; maps are read in chunks, never a whole file at once."""

import warnings

import numpy as np

from higlow_tf.data.parameters import ParameterSpace
from higlow_tf.errors import InputError, InputWarning

__all__ = [
    "as_float32_maps",
    "as_simulation",
    "as_theta",
    "check_pixels",
    "check_simulations",
    "count_zeros",
    "map_chunks",
    "number_distinct_rows",
    "numeric_array",
    "per_map",
    "read_only",
]

_CHUNK_PIXELS = 2**22
_NAMED_COPIES = 3


def map_chunks(maps):
    """Yields `(start, maps[start : start + n])` with chunks of about 16 MB, for memory-mapped files."""
    size = max(1, _CHUNK_PIXELS // max(1, int(np.prod(maps.shape[1:]))))
    for start in range(0, len(maps), size):
        yield start, maps[start : start + size]


def numeric_array(values, name):
    """Returns `values` as an array of integers or real floating-point numbers, not copied where it is one."""
    if np.ma.isMaskedArray(values):
        raise InputError(f"{name} must be a plain array, since a mask would be lost. Received: a masked array.")
    try:
        array = values if isinstance(values, np.ndarray) else np.asarray(values)
    except ValueError as error:
        raise InputError(f"{name} must be an array with rows of equal length. Received: {error}.") from None
    if array.dtype.kind not in "iuf":
        raise InputError(f"{name} must hold integers or real numbers. Received: dtype {array.dtype}.")
    return array


def as_float32_maps(maps, name):
    """Returns maps as a read-only float32 array in native byte order and C order, `[N, H, H]` or `[N, H, H, C]`.

    An array that already is one is not copied, so that a memory map stays on disk.
    """
    maps = numeric_array(maps, name)
    if maps.ndim not in (3, 4) or maps.shape[1] != maps.shape[2]:
        raise InputError(f"{name} must be square maps [N, H, H] or [N, H, H, C]. Received: shape {maps.shape}.")
    if maps.size == 0:
        raise InputError(f"{name} must hold at least one map. Received: shape {maps.shape}.")
    if maps.dtype != np.float32 or not maps.dtype.isnative or not maps.flags.c_contiguous:
        with np.errstate(over="ignore"):  # what does not fit becomes infinite, and `check_pixels` says where
            maps = np.ascontiguousarray(maps, dtype=np.float32)
    return read_only(maps)


def check_pixels(maps, name):
    """Refuses maps with pixels that are not finite or negative, and maps whose pixels are all equal.

    Args:
        maps: float32 `[N, H, H]` or `[N, H, H, C]`; read in chunks.
        name: What the error calls them: the argument or the file.

    Raises:
        InputError: Says how many pixels (or maps) are wrong and which is the first.
    """
    not_finite, negative, constant = _Finding(), _Finding(), _Finding()
    for start, chunk in map_chunks(maps):
        axes = tuple(range(1, chunk.ndim))
        low, high = chunk.min(axis=axes), chunk.max(axis=axes)  # NaN shows in both
        constant.add(low == high, start)
        # The slow masks are made only where the extremes say that there is something to find.
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            not_finite.add(~np.isfinite(chunk), start)
        if np.any(chunk < 0 if np.isnan(low).any() else low < 0):
            negative.add(chunk < 0, start)
    if not_finite.count:
        raise InputError(
            f"{name} must hold finite pixels only. Received: {not_finite.count} NaN or infinite pixels (as float32), "
            f"the first in map {not_finite.first[0]} at pixel {not_finite.first[1:]}."
        )
    if negative.count:
        raise InputError(
            f"{name} must hold surface densities, not negative and not logarithms. Received: {negative.count} negative "
            f"pixels, the first in map {negative.first[0]} at pixel {negative.first[1:]}."
        )
    if constant.count:
        raise InputError(
            f"{name} must hold maps with structure. Received: {constant.count} maps whose pixels are all equal, the "
            f"first is map {constant.first[0]}."
        )


def count_zeros(maps):
    """Number of pixels that are exactly zero."""
    return sum(int(chunk.size - np.count_nonzero(chunk)) for _, chunk in map_chunks(maps))


def read_only(array):
    """A view that cannot be written to; the caller's own array stays as it is."""
    array = array.view()
    array.flags.writeable = False
    return array


def per_map(column, name, num_maps):
    """Returns a column as a numeric array `[N]`."""
    column = numeric_array(column, name)
    if column.shape != (num_maps,):
        raise InputError(
            f"{name} must hold one number for each of the {num_maps} maps. Received: shape {column.shape}."
        )
    return column


def as_theta(theta, name, parameters, num_maps):
    """Returns parameters as a finite float64 copy `[N, P]`."""
    if not isinstance(parameters, ParameterSpace):
        raise InputError(f"parameters must be a ParameterSpace. Received: {parameters!r}.")
    theta = np.array(numeric_array(theta, name), dtype=np.float64)
    if theta.shape != (num_maps, len(parameters)):
        raise InputError(
            f"{name} must hold one row a map and one column for each of {list(parameters.names)}, "
            f"so shape {(num_maps, len(parameters))}. Received: shape {theta.shape}."
        )
    if not np.isfinite(theta).all():
        rows = np.flatnonzero(~np.isfinite(theta).all(axis=1))
        raise InputError(
            f"{name} must be finite. Received: {len(rows)} rows with NaN or infinity, the first is {rows[0]}."
        )
    return theta


def as_simulation(simulation, num_maps):
    """Returns simulation indices as an int64 copy `[N]`."""
    simulation = per_map(simulation, "simulation", num_maps)
    if simulation.dtype.kind not in "iu":
        raise InputError(f"simulation must hold integers. Received: dtype {simulation.dtype}.")
    return np.array(simulation, dtype=np.int64)


def number_distinct_rows(theta):
    """Numbers the distinct rows of `[N, P]` in the order of their first appearance, `[N]`."""
    _, first, inverse = np.unique(theta, axis=0, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    return rank[inverse.reshape(-1)]


def check_simulations(theta, simulation, others, name, *, warn_of_copies):
    """Refuses theta that varies inside a simulation; warns of simulations with the same parameters."""
    indices, first, inverse = np.unique(simulation, return_index=True, return_inverse=True)
    varies = np.flatnonzero(np.any(theta != theta[first[inverse.reshape(-1)]], axis=1))
    if len(varies):
        raise InputError(
            f"{name} must be constant within a simulation. Received: {len(np.unique(simulation[varies]))} simulations "
            f"with several values, the first is simulation {simulation[varies[0]]} at map {varies[0]}."
        )
    table = np.column_stack([theta[first], *(column[first] for column in others.values())])
    _, group, size = np.unique(table, axis=0, return_inverse=True, return_counts=True)
    copies = np.flatnonzero(size[group.reshape(-1)] > 1)
    if len(copies) and warn_of_copies:
        shown = ", ".join(str(indices[i]) for i in copies[:_NAMED_COPIES])
        more = f" and {len(copies) - _NAMED_COPIES} others" if len(copies) > _NAMED_COPIES else ""
        warnings.warn(
            f"{name} has simulations that share all their parameters with another: {shown}{more}; if they are copies, "
            "a split may put one into training and one into the test.",
            InputWarning,
            stacklevel=4,
        )


class _Finding:
    """Counts the true entries of masks and remembers where the first one is."""

    def __init__(self):
        self.count = 0
        self.first = None

    def add(self, mask, start):
        found = int(np.count_nonzero(mask))
        if found and not self.count:
            first = np.unravel_index(int(np.argmax(mask)), mask.shape)
            self.first = (start + int(first[0]), *(int(i) for i in first[1:]))
        self.count += found
