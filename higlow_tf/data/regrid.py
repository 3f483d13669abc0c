"""Coarser maps and slabs by weights of overlap: sums are kept."""

import numpy as np

from higlow_tf.data.batch_plan import checked_count
from higlow_tf.data.big_arrays import map_chunks, new_maps
from higlow_tf.data.checks import PixelCheck
from higlow_tf.errors import InputError

__all__ = ["coarsen", "overlap_weights", "regrid_maps"]


def overlap_weights(size, new_size):
    """The share of each of `new_size` equal cells that each of `size` equal cells of the same total length covers.

    Math:
        weights[i, j] = |cell i of new_size, intersected with cell j of size| / |cell i|

    The rows sum to one. The overlaps are counted in integers: cells that only touch get exactly zero.

    Args:
        size: Number of fine cells.
        new_size: Number of coarse cells, at most `size`.

    Returns:
        float64 `[new_size, size]`.
    """
    fine, coarse = np.arange(size) * new_size, np.arange(new_size)[:, None] * size
    overlap = np.minimum(fine + new_size, coarse + size) - np.maximum(fine, coarse)
    return np.maximum(overlap, 0) / size


def coarsen(maps, new_size):
    """Area-weighted means over the pixels of a coarser grid, float64; the total over the area stays the same.

    Math:
        y = W x W.T,  W = overlap_weights(H, new_size)

    Args:
        maps: `[N, H, H]` or `[N, H, H, C]`, surface densities or other means over a pixel.
        new_size: Pixels along a side of the result, at most H; it need not divide H.

    Returns:
        float64 `[N, new_size, new_size]` or `[N, new_size, new_size, C]`.
    """
    weights = overlap_weights(maps.shape[1], new_size)
    channels_first = np.moveaxis(maps, 3, 1) if maps.ndim == 4 else maps
    coarse = weights @ channels_first.astype(np.float64) @ weights.T
    return np.moveaxis(coarse, 1, 3) if maps.ndim == 4 else coarse


def regrid_maps(maps, map_size, name, *, map_transform="log10"):
    """Maps of `map_size` pixels a side, read and checked chunk by chunk. Maps that have this size are returned as they are.

    Args:
        maps: `[N, H, H]` or `[N, H, H, C]`, real numbers of any precision and byte order; may be a memory map.
        map_size: Pixels along a side of the result.
        name: The name of the maps in errors: their file.
        map_transform: As in `PixelCheck`.

    Returns:
        float32 `[N, map_size, map_size]` or `[N, map_size, map_size, C]`, or `maps` itself.

    Raises:
        InputError: If `map_size` is no positive integer, if the maps are coarser, or if `PixelCheck` refuses their pixels.
    """
    check_can_coarsen(maps.shape[1], map_size, name)
    if maps.shape[1] == map_size:
        return maps
    check = PixelCheck(name, map_transform=map_transform)
    regridded = new_maps((len(maps), map_size, map_size, *maps.shape[3:]))
    with np.errstate(over="ignore", invalid="ignore"):  # infinite pixels are what the check is for
        for start, chunk in map_chunks(maps):
            check.add(chunk, start)
            regridded[start : start + len(chunk)] = coarsen(chunk, map_size)
    check.finish()
    return regridded


def check_can_coarsen(size, map_size, name):
    """Refuses a value that is no number of pixels, and more pixels than there are."""
    checked_count(map_size, "map_size", 1)
    if map_size > size:
        raise InputError(
            f"{name}: expected maps of {map_size} pixels a side. Received: {size}, and maps are only made coarser."
        )
