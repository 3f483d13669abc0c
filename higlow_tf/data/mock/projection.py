"""From particles to maps: five slabs along each of three axes."""

import numpy as np

from higlow_tf.data.lognormal.power import BOX_SIZE_MPC_H, SLAB_THICKNESS_MPC_H
from higlow_tf.data.mock.particle_mesh import overdensity_plus_one

__all__ = ["AXES", "MAPS_PER_SIMULATION", "NUM_SLABS", "density_along", "slab_sums"]

AXES = (0, 1, 2)
NUM_SLABS = round(BOX_SIZE_MPC_H / SLAB_THICKNESS_MPC_H)
MAPS_PER_SIMULATION = len(AXES) * NUM_SLABS


def density_along(positions, axis, mesh_size):
    """Density on a mesh whose last axis is the line of sight.

    The mesh has `mesh_size` cells in the plane and the nearest multiple of five along the line of sight: no cell
    belongs to two slabs.

    Args:
        positions: Mpc/h, float32 `[3, M]`.
        axis: Line of sight, 0, 1 or 2; the axes of the map are the next two, in cyclic order.
        mesh_size: Cells a side in the plane, n.

    Returns:
        Density in units of the mean, float32 `[n, n, m]`.
    """
    depth = NUM_SLABS * max(1, round(mesh_size / NUM_SLABS))
    order = [(axis + 1) % 3, (axis + 2) % 3, axis]
    return overdensity_plus_one(positions[order], (mesh_size, mesh_size, depth))


def slab_sums(cells, map_size):
    """Sums cells over pixels and slabs, in float64.

    Args:
        cells: `[n, n, m]`, line of sight last.
        map_size: Pixels a side; divides n.

    Returns:
        `[5, map_size, map_size]`.
    """
    num_cells, _, depth = cells.shape
    per_pixel, per_slab = num_cells // map_size, depth // NUM_SLABS
    blocks = cells.reshape(map_size, per_pixel, map_size, per_pixel, NUM_SLABS, per_slab)
    return np.moveaxis(blocks.sum(axis=(1, 3, 5), dtype=np.float64), -1, 0)
