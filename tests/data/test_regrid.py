import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from higlow_tf.data import big_arrays, load_cmd, load_maps_only
from higlow_tf.data.grids import project_grids
from higlow_tf.data.regrid import coarsen, overlap_weights, regrid_maps
from higlow_tf.errors import InputError

# float64 sums over some thousand pixels in another order.
FLOAT64_SUMS = 1e-12
# What regridding may change of the total mass, of which storing as float32 takes a tenth.
MASS = 1e-6
FLOAT32 = 2e-7


def random_maps(shape, seed=0):
    return (10.0 ** np.random.default_rng(seed).normal(6.5, 0.8, shape)).astype(np.float32)


def shares(size, new_size):
    """Overlaps counted with size * new_size points on the line."""
    points = (np.arange(size * new_size) + 0.5) / (size * new_size)
    counts = np.zeros((new_size, size))
    np.add.at(counts, ((points * new_size).astype(int), (points * size).astype(int)), 1.0)
    return counts / size


@settings(deadline=None, max_examples=15)
@given(size=st.integers(1, 40), data=st.data())
def test_weights_are_overlaps(size, data):
    new_size = data.draw(st.integers(1, size))
    np.testing.assert_allclose(overlap_weights(size, new_size), shares(size, new_size), rtol=FLOAT64_SUMS)


@settings(deadline=None, max_examples=15)
@given(size=st.integers(2, 40), seed=st.integers(0, 1000), channels=st.sampled_from([None, 2]), data=st.data())
def test_mass_is_kept_at_any_size(size, seed, channels, data):
    new_size = data.draw(st.integers(1, size))
    maps = random_maps((3, size, size, *([channels] * bool(channels))), seed)
    coarse = regrid_maps(maps, new_size, "maps")
    assert coarse.dtype == np.float32
    assert coarse.shape == (3, new_size, new_size, *maps.shape[3:])
    before, after = (np.sum(x, axis=(1, 2), dtype=np.float64) / x.shape[1] ** 2 for x in (maps, coarse))
    np.testing.assert_allclose(after, before, rtol=MASS)


@pytest.mark.parametrize("size", [256, 250, 100])
def test_the_sizes_of_camels(size):
    maps = random_maps((2, size, size))
    coarse = coarsen(maps, 64)
    weights = shares(size, 64)
    np.testing.assert_allclose(coarse[1], weights @ maps[1].astype(float) @ weights.T, rtol=FLOAT64_SUMS)
    if size == 256:
        blocks = maps.reshape(2, 64, 4, 64, 4).mean(axis=(2, 4), dtype=np.float64)
        np.testing.assert_allclose(coarse, blocks, rtol=FLOAT64_SUMS)


def test_zeros_stay_exactly_zero_and_only_they():
    maps = random_maps((1, 10, 10))
    maps[0, :5, :5] = 0.0
    coarse = regrid_maps(maps, 4, "maps")[0]
    # Pixels of 2.5 fine ones: four lie within the empty quarter.
    assert np.count_nonzero(coarse == 0) == 4
    assert np.all(coarse[:2, :2] == 0)


def test_chunks_make_no_difference_and_bad_pixels_are_found_before_they_are_averaged(monkeypatch):
    maps = random_maps((7, 12, 12))
    together = regrid_maps(maps, 5, "maps")
    monkeypatch.setattr(big_arrays, "_CHUNK_PIXELS", 2 * 12 * 12)
    np.testing.assert_array_equal(regrid_maps(maps, 5, "maps"), together)
    maps[4, 3, 2] = -1.0
    maps[5, 3, 2] = np.nan
    with pytest.raises(InputError, match=r"^file must hold finite.* 1 NaN .* map 5 at pixel \(3, 2\)"):
        regrid_maps(maps, 5, "file")
    maps[5, 3, 2] = np.inf
    with pytest.raises(InputError, match=r"^file must hold finite.* 1 NaN or infinite.* map 5 at pixel \(3, 2\)"):
        regrid_maps(maps, 5, "file")
    maps[5, 3, 2] = 1.0
    with pytest.raises(InputError, match=r"Received: 1 negative pixels, the first in map 4 at pixel \(3, 2\)"):
        regrid_maps(maps, 5, "file")
    with pytest.raises(InputError, match="file: expected maps of 13 pixels a side. Received: 12"):
        regrid_maps(maps, 13, "file")


@settings(deadline=None, max_examples=15)
@given(size=st.integers(2, 12), num_slabs=st.integers(1, 6), seed=st.integers(0, 100), data=st.data())
def test_all_mass_of_a_grid_is_in_the_slabs_of_each_axis(size, num_slabs, seed, data):
    num_slabs = min(num_slabs, size)
    map_size = data.draw(st.integers(1, size))
    grids = random_maps((2, size, size, size), seed)
    maps = project_grids(grids, 25.0, 25.0 / num_slabs, "grids", is_density=True, map_size=map_size)
    assert maps.shape == (6 * num_slabs, map_size, map_size)
    mass = grids.sum(axis=(1, 2, 3), dtype=np.float64) * (25.0 / size) ** 3
    of_maps = maps.sum(axis=(1, 2), dtype=np.float64) * (25.0 / map_size) ** 2
    of_axes = of_maps.reshape(2, 3, num_slabs).sum(axis=2)
    np.testing.assert_allclose(of_axes, np.repeat(mass[:, None], 3, axis=1), rtol=MASS)


@pytest.mark.parametrize("chunk_pixels", [2**22, 3 * 10 * 10])
def test_slabs_are_sums_along_the_axes_in_the_order_of_camels(chunk_pixels, monkeypatch):
    monkeypatch.setattr(big_arrays, "_CHUNK_PIXELS", chunk_pixels)
    grids = random_maps((2, 10, 10, 10))
    maps = project_grids(grids, 25.0, 5.0, "grids", is_density=True)
    means = project_grids(grids, 25.0, 5.0, "grids", is_density=False)
    for i in range(2):
        for axis in range(3):
            for slab in range(5):
                cells = np.take(grids[i], [2 * slab, 2 * slab + 1], axis=axis).astype(np.float64)
                row = 15 * i + 5 * axis + slab
                np.testing.assert_allclose(maps[row], cells.sum(axis=axis) * 2.5, rtol=FLOAT32)
                np.testing.assert_allclose(means[row], cells.mean(axis=axis), rtol=FLOAT32)


def test_a_cell_between_two_slabs_is_shared():
    grid = np.zeros((1, 3, 3, 3))
    grid[0, 1] = 1.0
    maps = project_grids(grid, 3.0, 1.5, "grids", is_density=True)
    np.testing.assert_allclose(maps[:2], 0.5, rtol=FLOAT32)


@pytest.fixture
def write_grids(tmp_path):
    def write(grids, name="Grids_HI_SIMBA_LH_8_z=0.5.npy", rows=2):
        np.save(tmp_path / name, grids)
        table = tmp_path / "params_LH_SIMBA.txt"
        np.savetxt(table, np.random.default_rng(0).uniform([0.1, 0.6], [0.5, 1.0], (rows, 2)))
        return tmp_path / name, table

    return write


def test_a_file_of_grids_becomes_fifteen_maps_a_simulation(write_grids):
    grids = random_maps((2, 8, 8, 8))
    data = load_cmd(*write_grids(grids), map_size=4)
    assert (data.num_maps, data.map_size, data.native_size, data.slab_thickness_mpc_h) == (30, 4, 8, 5.0)
    assert (data.suite, data.field, data.redshift, data.units) == ("SIMBA", "HI", 0.5, "(Msun/h)/(Mpc/h)^2")
    np.testing.assert_array_equal(data.simulation, np.repeat([0, 1], 15))
    expected = project_grids(grids, 25.0, 5.0, "grids", is_density=True, map_size=4)
    np.testing.assert_array_equal(data.maps, expected)
    files = write_grids(np.asfortranarray(grids.astype(">f8")))
    np.testing.assert_array_equal(load_cmd(*files, map_size=4).maps, expected)
    assert load_cmd(*files, slab_thickness_mpc_h=12.5).num_maps == 12
    np.testing.assert_array_equal(load_maps_only(files[0], map_size=4).maps, expected)


@pytest.mark.parametrize(
    ("grids", "options", "words"),
    [
        (random_maps((3, 8, 8, 8)), {}, r"one grid for each of the 2 simulations of .*params.*Received: 3 grids"),
        (random_maps((2, 6, 6, 6)), {}, r"grids of 8 cells a side. Received: shape \(2, 6, 6, 6\)"),
        (random_maps((2, 8, 8)), {}, r"grids \[S, N, N, N\]. Received: shape \(2, 8, 8\)"),
        (random_maps((2, 8, 8, 8)), {"slab_thickness_mpc_h": 4.0}, "divides the box of 25 Mpc/h. Received: 4 Mpc/h"),
        (random_maps((2, 8, 8, 8)), {"slab_thickness_mpc_h": 1.0}, "at most 8 slabs, one a cell. Received: 25"),
        (random_maps((2, 8, 8, 8)), {"map_size": 9}, "expected maps of 9 pixels a side. Received: 8"),
        (np.where(np.arange(1024) == 600, np.nan, 1.0).reshape(2, 8, 8, 8), {}, r"grid 1 at cell \(1, 3, 0\)"),
        (-random_maps((2, 8, 8, 8)), {}, r"1024 negative pixels, the first in grid 0 at cell \(0, 0, 0\)"),
    ],
)
def test_wrong_grids_are_refused_with_the_file(write_grids, grids, options, words):
    with pytest.raises(InputError, match=rf"z=0\.5\.npy.*{words}"):
        load_cmd(*write_grids(grids), **options)
