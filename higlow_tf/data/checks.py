"""Checks of maps, parameters and simulation indices; maps are read in chunks, never a whole file at once."""

import math
import warnings

import numpy as np

from higlow_tf.data.big_arrays import MappedRows, map_chunks, new_maps
from higlow_tf.data.parameters import ParameterSpace
from higlow_tf.errors import InputError, InputWarning

__all__ = [
    "PixelCheck",
    "as_float32_maps",
    "as_simulation",
    "as_theta",
    "check_geometry",
    "check_pixels",
    "check_simulations",
    "count_negative",
    "count_zeros",
    "number_distinct_rows",
    "numeric_array",
    "per_map",
    "read_only",
]

_NAMED_COPIES = 3
# log10 of CAMELS maps of most fields, in their units, lies in here. Densities span more than a decade.
_LOOKS_LIKE_LOG10 = (2.0, 20.0)


def numeric_array(values, name):
    """Returns `values` as an array of integers or real floating-point numbers. It is not copied if it is one already."""
    if np.ma.isMaskedArray(values):
        raise InputError(f"{name} must be a plain array, since a mask would be lost. Received: a masked array.")
    try:
        array = values if isinstance(values, (np.ndarray, MappedRows)) else np.asarray(values)
    except ValueError as error:
        raise InputError(f"{name} must be an array with rows of equal length. Received: {error}.") from None
    if array.dtype.kind not in "iuf":
        raise InputError(f"{name} must hold integers or real numbers. Received: dtype {array.dtype}.")
    return array


def as_float32_maps(maps, name):
    """Returns maps as a read-only float32 array in native byte order and C order, `[N, H, H]` or `[N, H, H, C]`.

    An array that already has this form is not copied, so that a memory map stays on disk. Copies are made chunk by chunk.
    """
    maps = numeric_array(maps, name)
    if maps.ndim not in (3, 4) or maps.shape[1] != maps.shape[2]:
        raise InputError(f"{name} must be square maps [N, H, H] or [N, H, H, C]. Received: shape {maps.shape}.")
    if maps.size == 0:
        raise InputError(f"{name} must hold at least one map. Received: shape {maps.shape}.")
    if isinstance(maps, MappedRows):
        return maps
    if maps.dtype != np.float32 or not maps.dtype.isnative or not maps.flags.c_contiguous:
        maps = _converted(maps)
    return read_only(maps)


def _converted(maps):
    converted = new_maps(maps.shape)
    with np.errstate(over="ignore"):  # what does not fit becomes infinite, and `check_pixels` says where
        for start, chunk in map_chunks(maps):
            converted[start : start + len(chunk)] = chunk
    return converted


def check_pixels(maps, name, *, map_transform="log10"):
    """Refuses maps with pixels that are not finite or negative, and maps whose pixels are all equal in a channel.

    Args:
        maps: float32 `[N, H, H]` or `[N, H, H, C]`; read in chunks.
        name: What the error calls them: the argument or the file.
        map_transform: "log10"; with "identity" pixels may be negative.

    Raises:
        InputError: Says how many pixels (or maps) are wrong and which is the first.
    """
    check = PixelCheck(name, map_transform=map_transform)
    for start, chunk in map_chunks(maps):
        check.add(chunk, start)
    check.finish()


class PixelCheck:
    """Looks at maps chunk by chunk for pixels that are not finite or negative, and for maps without structure.

    Args:
        name: What the error calls the maps: the argument or the file.
        index: The names of the first number of a place, and of the others: "map" and "pixel".
        allow_constant: Whether maps whose pixels are all equal are allowed.
        map_transform: "log10"; with "identity" pixels may be negative.
    """

    def __init__(self, name, *, index=("map", "pixel"), allow_constant=False, map_transform="log10"):
        self._name = name
        self._index = index
        self._allow_constant = allow_constant
        self._allow_negative = map_transform == "identity"
        self._not_finite, self._negative, self._constant = _Finding(), _Finding(), _Finding()
        self._lowest, self._highest = math.inf, -math.inf

    def add(self, chunk, start):
        """Looks at `[n, H, H]` or `[n, H, H, C]`. The first of these maps has the number `start`.

        A part of a larger array has several such numbers, one for each of its first axes.
        """
        low, high = chunk.min(axis=(1, 2)), chunk.max(axis=(1, 2))  # of each channel; NaN shows in both
        self._lowest, self._highest = min(self._lowest, float(low.min())), max(self._highest, float(high.max()))
        if not self._allow_constant:
            self._constant.add((low == high).reshape(len(chunk), -1).any(axis=1), start)
        # The slow masks are made only if the extremes say that there is something to find.
        with np.errstate(over="ignore"):  # what does not fit into float32 becomes infinite there
            is_finite = np.isfinite(low.astype(np.float32)).all() and np.isfinite(high.astype(np.float32)).all()
            if not is_finite:
                self._not_finite.add(~np.isfinite(chunk.astype(np.float32)), start)
        if not self._allow_negative and np.any(chunk < 0 if np.isnan(low).any() else low < 0):
            self._negative.add(chunk < 0, start)

    def finish(self):
        """Raises what was found, and warns of pixels that are logarithms by their looks.

        Raises:
            InputError: Says how many pixels (or maps) are wrong and which is the first.
        """
        index, pixel = self._index
        if self._not_finite.count:
            first = self._not_finite.first
            raise InputError(
                f"{self._name} must hold finite pixels only. Received: {self._not_finite.count} NaN or infinite pixels "
                f"(as float32), the first in {index} {first[0]} at {pixel} {first[1]}."
            )
        if self._negative.count:
            first = self._negative.first
            raise InputError(
                f"{self._name} must hold surface densities, not negative and not logarithms (other maps need "
                f'map_transform="identity"). Received: {self._negative.count} negative pixels, the first in '
                f"{index} {first[0]} at {pixel} {first[1]}."
            )
        if self._constant.count:
            raise InputError(
                f"{self._name} must hold maps with structure. Received: {self._constant.count} maps whose pixels are all "
                f"equal, the first is {index} {self._constant.first[0]}."
            )
        low, high = _LOOKS_LIKE_LOG10
        if not self._allow_negative and low < self._lowest < self._highest < high:
            warnings.warn(
                f"{self._name} holds pixels from {self._lowest:.3g} to {self._highest:.3g}, which looks like log10 of "
                "surface densities; if so, save 10**maps.",
                InputWarning,
                stacklevel=3,
            )


def count_zeros(maps):
    """Number of pixels that are exactly zero."""
    return sum(int(chunk.size - np.count_nonzero(chunk)) for _, chunk in map_chunks(maps))


def count_negative(maps):
    """Number of pixels below zero."""
    return sum(int(np.count_nonzero(chunk < 0)) for _, chunk in map_chunks(maps))


def check_geometry(box_size_mpc_h, redshift):
    """Refuses a box without a positive side, and a redshift that is no number from 0 up."""
    if not (math.isfinite(box_size_mpc_h) and box_size_mpc_h > 0):
        raise InputError(f"box_size_mpc_h must be positive and finite. Received: {box_size_mpc_h}.")
    if redshift is not None and not (math.isfinite(redshift) and redshift >= 0):
        raise InputError(f"redshift must be None or a number from 0 up. Received: {redshift}.")


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
            first = np.array(np.unravel_index(int(np.argmax(mask)), mask.shape))
            offsets = np.atleast_1d(start)
            first[: len(offsets)] += offsets
            self.first = (int(first[0]), tuple(first[1:].tolist()))
        self.count += found
