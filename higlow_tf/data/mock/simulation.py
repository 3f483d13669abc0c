"""One simulation of the mock suite: from parameters and a seed to its 15 maps."""

import math
import numbers

import numpy as np
from colossus.utils import constants

from higlow_tf.data.lognormal.power import BOX_SIZE_MPC_H, HUBBLE_H, OMEGA_B, REDSHIFT
from higlow_tf.data.mock.haloes import draw_halo_hi
from higlow_tf.data.mock.hydrogen import column_density_per_unit, gas_density, neutral_hydrogen_density_cm3
from higlow_tf.data.mock.initial_conditions import linear_modes
from higlow_tf.data.mock.particle_mesh import evolve
from higlow_tf.data.mock.projection import AXES, MAPS_PER_SIMULATION, NUM_SLABS, density_along, slab_sums
from higlow_tf.data.mock.variants import get_variant
from higlow_tf.data.parameters import CAMELS_PARAMETERS
from higlow_tf.errors import InputError

__all__ = ["MOCK_FIELDS", "check_map_size", "check_seed", "check_theta", "hi_maps", "matter_maps", "simulate"]

MOCK_FIELDS = ("HI", "Mtot")

_MIN_MAP_SIZE, _MAX_MAP_SIZE, _MIN_MESH_SIZE, _MAX_MESH_SIZE = 8, 128, 64, 256
# Spawn keys of a seed: the initial conditions and the haloes of each axis share no random numbers.
_NOISE_STREAM, _HALO_STREAM = 0, 1


def simulate(theta, seed, *, variant="uniform-background", map_size=64, mesh_size=None, field="HI"):
    """Simulates one box of 25 Mpc/h and projects it into 15 maps.

    The same seed gives the same phases of the initial conditions at all parameters and in both variants. Another mesh gives
    other phases.

    Units: (Msun/h)/(Mpc/h)**2, comoving, at redshift 6.

    Ordering: map 5 * axis + slab; slabs of 5 Mpc/h. The axes of a map follow the line of sight in cyclic order.

    Args:
        theta: Omega_m, sigma_8, A_SN1, A_AGN1, A_SN2, A_AGN2, `[6]`. The last four are nuisance parameters. They scale what
            the mock has in place of supernovae and black holes (see `neutral_hydrogen_density_cm3` and `halo_hi_mass`).
        seed: Non-negative integer, or a sequence of them.
        variant: `"uniform-background"` or `"bubbles"`.
        map_size: Pixels a side, `H`, 8 to 128.
        mesh_size: Cells a side of the particle mesh, a multiple of `map_size`, up to 256; there are as many particles.
            By default two cells a pixel and at least 64. Statistics change with the mesh.
        field: `"HI"`, or `"Mtot"` for all matter of the same simulation.

    Returns:
        Maps, float32 `[15, H, H]`.

    Raises:
        InputError: If an argument is outside its range.
    """
    theta, seed = check_theta(theta), check_seed(seed)
    variant = get_variant(variant)
    mesh_size = check_map_size(map_size, mesh_size)
    if field not in MOCK_FIELDS:
        raise InputError(f"Expected field to be one of {list(MOCK_FIELDS)}. Received: {field!r}.")
    noise = _generator(seed, _NOISE_STREAM).standard_normal((mesh_size,) * 3, dtype=np.float32)
    positions = evolve(linear_modes(noise, theta[:2]), theta[0])
    if field == "Mtot":
        return matter_maps(positions, theta[0], map_size, mesh_size)
    rngs = [_generator(seed, _HALO_STREAM, axis) for axis in AXES]
    return hi_maps(positions, theta, variant, map_size, mesh_size, rngs)


def hi_maps(positions, theta, variant, map_size, mesh_size, rngs):
    """HI maps of particles: gas in the cells of the mesh, and haloes drawn with one generator an axis.

    Args:
        positions: Mpc/h, float32 `[3, M]`.
        theta: All six parameters, `[6]`.
        variant: `Variant`.
        map_size: Pixels a side, `H`.
        mesh_size: Cells a side, a multiple of `map_size`.
        rngs: Three NumPy generators, or None for maps without haloes.

    Returns:
        (Msun/h)/(Mpc/h)**2, float32 `[15, H, H]`.
    """
    maps = np.empty((MAPS_PER_SIMULATION, map_size, map_size), np.float32)
    pixel_area = (BOX_SIZE_MPC_H / map_size) ** 2
    cells_per_pixel = (mesh_size // map_size) ** 2
    for axis in AXES:
        gas = gas_density(density_along(positions, axis, mesh_size), variant.smoothing_mpc_h)
        depth_cm = BOX_SIZE_MPC_H / gas.shape[2] / HUBBLE_H / (1.0 + REDSHIFT) * constants.MPC
        column_cm2 = slab_sums(neutral_hydrogen_density_cm3(gas, theta[2:], variant), map_size)
        surface = column_cm2 * depth_cm / cells_per_pixel / column_density_per_unit()
        if rngs is not None:
            surface += slab_sums(draw_halo_hi(gas, theta, variant, rngs[axis]), map_size) / pixel_area
        maps[axis * NUM_SLABS : (axis + 1) * NUM_SLABS] = surface
    return maps


def matter_maps(positions, omega_m, map_size, mesh_size):
    """Maps of all matter, (Msun/h)/(Mpc/h)**2, float32 `[15, H, H]`: the five of an axis hold the mass of the box."""
    maps = np.empty((MAPS_PER_SIMULATION, map_size, map_size), np.float32)
    mass_density = constants.RHO_CRIT_0_MPC3 * omega_m
    for axis in AXES:
        cells = density_along(positions, axis, mesh_size)
        depth_mpc_h = BOX_SIZE_MPC_H / cells.shape[2]
        mean = slab_sums(cells, map_size) / (mesh_size // map_size) ** 2
        maps[axis * NUM_SLABS : (axis + 1) * NUM_SLABS] = mean * depth_mpc_h * mass_density
    return maps


def check_theta(theta):
    """All six parameters as float64 `[6]`; raises `InputError` unless they describe a flat universe with baryons."""
    theta = np.asarray(theta, dtype=np.float64)
    if theta.shape != (len(CAMELS_PARAMETERS),):
        raise InputError(f"Expected theta [6]: {', '.join(CAMELS_PARAMETERS)}. Received: shape {theta.shape}.")
    if not (np.all(np.isfinite(theta)) and OMEGA_B < theta[0] <= 1.0 and np.all(theta[1:] > 0)):
        raise InputError(
            f"Expected theta with {OMEGA_B} < Omega_m <= 1 and the others positive. Received: {theta.tolist()}."
        )
    return theta


def check_seed(seed):
    """The seed as a list of integers; raises `InputError` unless it is one or more non-negative integers."""
    entries = [seed] if isinstance(seed, numbers.Integral) else list(seed) if isinstance(seed, (list, tuple)) else []
    if not entries or any(isinstance(e, bool) or not isinstance(e, numbers.Integral) or e < 0 for e in entries):
        raise InputError(f"Expected seed to be a non-negative integer, or a list of them. Received: {seed!r}.")
    return [int(entry) for entry in entries]


def check_map_size(map_size, mesh_size=None):
    """The mesh for maps of this size; raises `InputError` for sizes outside their range."""
    for name, value in (("map_size", map_size), ("mesh_size", map_size if mesh_size is None else mesh_size)):
        if isinstance(value, bool) or not isinstance(value, numbers.Integral):
            raise InputError(f"Expected {name} to be an integer. Received: {value!r}.")
    if not _MIN_MAP_SIZE <= map_size <= _MAX_MAP_SIZE:
        raise InputError(
            f"Expected map_size from {_MIN_MAP_SIZE} to {_MAX_MAP_SIZE} for the mock suite. Received: {map_size}."
        )
    if mesh_size is None:
        return int(map_size) * max(2, math.ceil(_MIN_MESH_SIZE / map_size))
    if mesh_size % map_size or not map_size <= mesh_size <= _MAX_MESH_SIZE:
        raise InputError(
            f"Expected mesh_size to be a multiple of map_size, {map_size}, up to {_MAX_MESH_SIZE}. Received: {mesh_size}."
        )
    return int(mesh_size)


def _generator(seed, *stream):
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=stream))
