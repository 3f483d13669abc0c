"""The particle mesh and the maps of one simulation: linear growth, mass, symmetry, seeds."""

import time

import numpy as np
import pytest
import scipy.fft

from higlow_tf.data import lognormal
from higlow_tf.data.lognormal.power import BOX_SIZE_MPC_H
from higlow_tf.data.mock import VARIANTS, simulate
from higlow_tf.data.mock.cosmology import growth, growth_momentum, second_order_growth
from higlow_tf.data.mock.initial_conditions import linear_modes, particles_at_start, wavenumbers
from higlow_tf.data.mock.particle_mesh import evolve, overdensity_plus_one
from higlow_tf.data.mock.simulation import check_map_size, hi_maps, matter_maps
from higlow_tf.errors import InputError

FIDUCIAL = (0.3, 0.8, 1.0, 1.0, 1.0, 1.0)
TINY = {"map_size": 8, "mesh_size": 16}


def white_noise(mesh_size, seed=3):
    return np.random.default_rng(seed).standard_normal((mesh_size,) * 3, dtype=np.float32)


def wavenumber(mesh_size):
    return np.sqrt(sum(k**2 for k in wavenumbers((mesh_size,) * 3)))


def matter_modes(positions, mesh_size):
    """Modes of the density of particles, without the window of the cloud-in-cell assignment."""
    shape = (mesh_size,) * 3
    cell = BOX_SIZE_MPC_H / mesh_size
    window = np.prod([np.sinc(k * cell / (2 * np.pi)) for k in np.broadcast_arrays(*wavenumbers(shape))], axis=0)
    return scipy.fft.rfftn(overdensity_plus_one(positions, shape)) / window**2


def growth_ratio(omega_m, mesh_size, low_h_mpc, high_h_mpc):
    """Growth of a box of low amplitude in units of linear theory, from the cross power with its own linear field."""
    linear = linear_modes(white_noise(mesh_size), (omega_m, 0.05))
    k = wavenumber(mesh_size)
    band = (k > low_h_mpc) & (k < high_h_mpc)
    modes, linear = matter_modes(evolve(linear, omega_m), mesh_size)[band], linear[band]
    return np.sum(modes * linear.conj()).real / np.sum(np.abs(linear) ** 2)


def test_large_scales_grow_as_in_linear_theory():
    # On a mesh of 64 cells the force is softened from about 0.6 h/Mpc on.
    assert growth_ratio(0.3, 64, 0.1, 0.55) == pytest.approx(1.0, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("omega_m", [0.1, 0.3, 0.5])
def test_growth_at_full_size(omega_m):
    for low, high in ((0.1, 0.5), (0.5, 1.0)):
        assert growth_ratio(omega_m, 128, low, high) == pytest.approx(1.0, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("theta", [(0.3, 0.8), (0.1, 0.6), (0.5, 1.0)])
def test_five_time_steps_are_enough(theta):
    linear, k = linear_modes(white_noise(128), theta), wavenumber(128)
    band = (k > 1.875) & (k < 2.125)
    few, many = (np.mean(np.abs(matter_modes(evolve(linear, theta[0], n), 128)[band]) ** 2) for n in (5, 12))
    assert few / many == pytest.approx(1.0, abs=0.01)


def test_start_of_two_crossed_waves_is_exact_to_second_order():
    mesh_size, omega_m, scale_factor, a, b = 16, 0.3, 0.05, 0.4, 0.9
    k = 2 * np.pi / BOX_SIZE_MPC_H
    x, y, _ = np.meshgrid(*[np.arange(mesh_size) * 2 * np.pi / mesh_size] * 3, indexing="ij")
    modes = scipy.fft.rfftn((a * np.cos(x) + b * np.cos(y)).astype(np.float32))
    positions, momenta = particles_at_start(modes, scale_factor, omega_m)
    first = np.stack([-a * np.sin(x), -b * np.sin(y), 0 * x]) / k
    second = a * b / (2 * k) * np.stack([np.sin(x) * np.cos(y), np.cos(x) * np.sin(y), 0 * x])
    factor, momentum = second_order_growth(scale_factor, omega_m)
    grid = (np.indices((mesh_size,) * 3) + 0.5) * BOX_SIZE_MPC_H / mesh_size
    expected = grid + growth(scale_factor, omega_m) * first + factor * second
    # Float32 positions in a box of 25 Mpc/h.
    np.testing.assert_allclose(positions, (expected % BOX_SIZE_MPC_H).reshape(3, -1), atol=1e-5)
    expected = growth_momentum(scale_factor, omega_m) * first + momentum * second
    np.testing.assert_allclose(momenta, expected.reshape(3, -1), atol=1e-6)


def test_linear_field_has_the_linear_power():
    mesh_size = 32
    modes, k = linear_modes(white_noise(mesh_size), (0.3, 0.8)), wavenumber(mesh_size)
    assert modes[0, 0, 0] == 0
    band = (k > 1.0) & (k < 3.0)
    volume = BOX_SIZE_MPC_H**3
    power = np.abs(modes[band]) ** 2 * volume / mesh_size**6
    ratio = power / lognormal.linear_power(k[band].astype(np.float64), (0.3, 0.8))
    # Each ratio is exponentially distributed around one (the noise of half of the plane k_z = 0 repeats the other).
    assert ratio.mean() == pytest.approx(1.0, abs=5 / np.sqrt(band.sum()))


def test_assignment_keeps_mass_and_first_moment():
    positions = np.array([[0.0, 25.0, 3.3], [24.99, 12.0, 0.1], [6.25, 6.25, 6.25]], np.float32)
    cells = overdensity_plus_one(positions, (8, 10, 5))
    # Float32 rounding.
    assert cells.mean(dtype=np.float64) == pytest.approx(1.0, abs=1e-6)
    one = overdensity_plus_one(np.array([[10.0], [10.0], [10.0]], np.float32), (10, 10, 10)) / 1000
    assert one[4, 4, 4] == pytest.approx(1.0)
    one = overdensity_plus_one(np.array([[10.5], [24.0], [10.0]], np.float32), (10, 10, 10)) / 1000
    assert one[4, 9, 4] == pytest.approx(0.8 * 0.4, rel=1e-5)
    assert one[5, 0, 4] == pytest.approx(0.2 * 0.6, rel=1e-5)


def test_matter_maps_hold_the_mass_of_the_box():
    maps = simulate(FIDUCIAL, 0, field="Mtot", map_size=16, mesh_size=32).astype(np.float64)
    assert maps.shape == (15, 16, 16)
    box_mass = 2.77536627e11 * 0.3 * BOX_SIZE_MPC_H**3  # the critical density in (Msun/h)/(Mpc/h)**3
    masses = maps.reshape(3, -1).sum(axis=1) * (BOX_SIZE_MPC_H / 16) ** 2
    np.testing.assert_allclose(masses, box_mass, rtol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_maps_are_periodic(variant):
    """Shifting the initial noise shifts the maps: by pixels in the plane, by slabs along the line of sight."""
    mesh_size, map_size = 40, 20

    def maps_of(noise):
        positions = evolve(linear_modes(noise, (0.3, 0.8)), 0.3)
        hi = hi_maps(positions, FIDUCIAL, VARIANTS[variant], map_size, mesh_size, None)
        return np.stack([hi, matter_maps(positions, 0.3, map_size, mesh_size)]).reshape(2, 3, 5, map_size, map_size)

    noise = white_noise(mesh_size)
    maps, shifted = maps_of(noise), maps_of(np.roll(noise, 8, axis=0))
    # Eight cells along x are one slab of axis 0, four pixels along the second axis of the maps of axis 1 (their axes are
    # z and x), four along the first of axis 2.
    expected = [np.roll(maps[:, 0], 1, axis=1), np.roll(maps[:, 1], 4, axis=3), np.roll(maps[:, 2], 4, axis=2)]
    # Float32 positions differ in their last digit, and dense cells multiply that.
    np.testing.assert_allclose(shifted, np.stack(expected, axis=1), rtol=5e-3)
    assert not np.allclose(shifted, maps, rtol=0.1)


def test_seeds_and_rows():
    first = simulate(FIDUCIAL, 0, **TINY)
    assert first.shape == (15, 8, 8)
    assert first.dtype == np.float32
    assert np.all(first > 0)
    np.testing.assert_array_equal(first, simulate(FIDUCIAL, [0], **TINY))
    others = [simulate(FIDUCIAL, seed, **TINY) for seed in (1, [0, 1], [1, 0, 1])]
    for i, maps in enumerate([first, *others]):
        assert all(not np.any(maps == other) for other in others[i:])


def test_phases_and_haloes_have_streams_of_their_own():
    def generator(*stream):
        return np.random.default_rng(np.random.SeedSequence([7, 5], spawn_key=stream))

    noise = generator(0).standard_normal((16, 16, 16), dtype=np.float32)
    positions = evolve(linear_modes(noise, FIDUCIAL[:2]), FIDUCIAL[0])
    rngs = [generator(1, axis) for axis in range(3)]
    expected = hi_maps(positions, FIDUCIAL, VARIANTS["uniform-background"], 8, 16, rngs)
    np.testing.assert_array_equal(simulate(FIDUCIAL, [7, 5], **TINY), expected)


def test_contrast_grows_with_sigma_8_and_variants_differ():
    def spread(sigma_8, variant):
        maps = simulate((0.3, sigma_8, 1, 1, 1, 1), 0, variant=variant, map_size=16, mesh_size=32)
        return np.log10(maps).std()

    spreads = {name: (spread(0.6, name), spread(1.0, name)) for name in VARIANTS}
    for low, high in spreads.values():
        assert high > 1.1 * low
    assert spreads["uniform-background"] != spreads["bubbles"]


def test_default_mesh():
    assert [check_map_size(size) for size in (8, 16, 20, 32, 64, 128)] == [64, 64, 80, 64, 128, 256]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"theta": (0.3, 0.8)}, r"theta \[6\].*Received: shape \(2,\)"),
        ({"theta": (0.04, 0.8, 1, 1, 1, 1)}, r"0.049 < Omega_m.*Received: \[0.04"),
        ({"theta": (0.3, 0.8, 0, 1, 1, 1)}, "the others positive.*Received"),
        ({"theta": (0.3, np.nan, 1, 1, 1, 1)}, "Received: .*nan"),
        ({"seed": -1}, "seed.*Received: -1"),
        ({"seed": [0, 1.5]}, r"seed.*Received: \[0, 1.5\]"),
        ({"seed": "0"}, "seed.*Received: '0'"),
        ({"variant": "bubble"}, "did you mean 'bubbles'.*Received: 'bubble'"),
        ({"map_size": 4}, "map_size from 8 to 128.*Received: 4"),
        ({"map_size": 256}, "map_size from 8 to 128.*Received: 256"),
        ({"map_size": 16.0}, "map_size to be an integer. Received: 16.0"),
        ({"mesh_size": 20}, "multiple of map_size, 8, up to 256. Received: 20"),
        ({"mesh_size": 512}, "Received: 512"),
        ({"field": "Mgas"}, "field.*Received: 'Mgas'"),
    ],
)
def test_wrong_input(change, message):
    with pytest.raises(InputError, match=message):
        simulate(**({"theta": FIDUCIAL, "seed": 0, **TINY} | change))


@pytest.mark.benchmark
def test_a_simulation_takes_seconds():
    simulate(FIDUCIAL, 0, **TINY)
    start = time.process_time()
    simulate(FIDUCIAL, 0)
    # Measured: 1.9 s beside other programs on the same core, whose share of the cache varies.
    assert time.process_time() - start < 3.0
