"""Maps from three-dimensional grids: slabs along the three axes, projected along the line of sight."""

import numpy as np

from higlow_tf.data.big_arrays import map_chunks, new_maps
from higlow_tf.data.checks import PixelCheck
from higlow_tf.data.regrid import check_can_coarsen, coarsen, overlap_weights
from higlow_tf.errors import InputError

__all__ = ["project_grid", "project_grids"]

# A box of 25 Mpc/h in slabs of 5/3 Mpc/h: the division of two rounded numbers.
_WHOLE_NUMBER = 1e-6


def project_grids(
    grids, box_size_mpc_h, slab_thickness_mpc_h, name, *, is_density, map_size=None, map_transform="log10"
):
    """Cuts each grid into slabs along each axis and projects them; reads one grid at a time, in pieces of some 16 MB.

    Math:
        map = sum over the cells of the slab of grid * cell length       a density becomes a surface density
        map = mean over the cells of the slab                            any other field

    If two slabs share a cell, it counts in each with its share. The slabs of each axis hold all mass of the grid.

    Ordering:
        Map 3 * S * i + S * axis + slab, S slabs an axis: grid after grid, axis after axis, slab after slab, as in the
        maps of CMD. The axes of a map are the other two of the grid, in their order.

    Args:
        grids: `[G, N, N, N]`, real numbers; may be a memory map.
        box_size_mpc_h: Side of the grid.
        slab_thickness_mpc_h: Thickness of a slab; it divides the box.
        name: The name of the grids in errors: their file.
        is_density: Whether the field is a density.
        map_size: Pixels along a side of the maps, at most N; None for N.
        map_transform: As in `PixelCheck`.

    Returns:
        float32 `[3 * S * G, map_size, map_size]`.

    Raises:
        InputError: If the slabs do not fill the box, a cell is not finite or negative, or `map_size` exceeds N.
    """
    num_slabs = round(box_size_mpc_h / slab_thickness_mpc_h)
    if num_slabs < 1 or abs(num_slabs * slab_thickness_mpc_h / box_size_mpc_h - 1.0) > _WHOLE_NUMBER:
        raise InputError(
            f"{name}: expected a slab thickness that divides the box of {box_size_mpc_h:g} Mpc/h. "
            f"Received: {slab_thickness_mpc_h:g} Mpc/h."
        )
    size = grids.shape[1]
    if num_slabs > size:
        raise InputError(f"{name}: expected at most {size} slabs, one a cell. Received: {num_slabs}.")
    map_size = size if map_size is None else map_size
    check_can_coarsen(size, map_size, name)
    check = PixelCheck(name, index=("grid", "cell"), allow_constant=True, map_transform=map_transform)
    maps = new_maps((3 * num_slabs * len(grids), map_size, map_size))
    with np.errstate(over="ignore", invalid="ignore"):  # infinite cells are what the check is for
        for i in range(len(grids)):
            slabs = project_grid(grids[i], num_slabs, lambda chunk, start, i=i: check.add(chunk[None], (i, start)))
            if is_density:
                slabs *= box_size_mpc_h / num_slabs
            maps[3 * num_slabs * i : 3 * num_slabs * (i + 1)] = coarsen(slabs, map_size)
    check.finish()
    return maps


def project_grid(grid, num_slabs, on_chunk=None):
    """Means along the line of sight over each slab of each axis.

    Args:
        grid: `[N, N, N]`.
        num_slabs: Slabs an axis, S.
        on_chunk: Called as `on_chunk(part, start)` with each part `grid[start : start + n]` that is read.

    Returns:
        float64 `[3 * S, N, N]`.
    """
    size = len(grid)
    weights = overlap_weights(size, num_slabs)
    slabs = np.zeros((3, num_slabs, size, size))
    for start, chunk in map_chunks(grid):
        if on_chunk is not None:
            on_chunk(chunk, start)
        stop, chunk = start + len(chunk), chunk.astype(np.float64)
        slabs[0] += np.tensordot(weights[:, start:stop], chunk, axes=1)
        slabs[1, :, start:stop] = np.moveaxis(weights @ chunk, 1, 0)
        slabs[2, :, start:stop] = np.moveaxis(chunk @ weights.T, 2, 0)
    return slabs.reshape(-1, size, size)
