"""Files of several fields, HDF5 files, maps without parameters, and files larger than memory should hold."""

import subprocess
import sys

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from higlow_tf.data import HIMapDataset, ParameterSpec, big_arrays, dataset, load_cmd, load_maps_only
from higlow_tf.data.big_arrays import MappedRows, map_chunks, new_maps
from higlow_tf.errors import InputError

MIB = 2**20


def random_maps(shape, seed=0):
    return (10.0 ** np.random.default_rng(seed).normal(6.5, 0.4, shape)).astype(np.float32)


def random_theta(num_simulations, num_parameters=2):
    low, high = [0.1, 0.6] + [0.6] * 4, [0.5, 1.0] + [1.9] * 4
    return np.random.default_rng(1).uniform(low, high, (num_simulations, 6))[:, :num_parameters]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "params_LH_Toy.txt"
    np.savetxt(path, random_theta(2, 6))
    return path


@pytest.fixture
def write(tmp_path):
    def write_maps(name, maps):
        np.save(tmp_path / name, maps)
        return tmp_path / name

    return write_maps


@pytest.fixture
def write_hdf5(tmp_path):
    def write_file(name="maps.h5", attributes=(), compression=None, **datasets):
        with h5py.File(tmp_path / name, "w") as file:
            for key, values in datasets.items():
                file.create_dataset(key, data=values, compression=compression)
            file.attrs.update(dict(attributes))
        return tmp_path / name

    return write_file


@settings(deadline=None, max_examples=15)
@given(order=st.permutations(["HI", "Mgas", "T"]))
def test_several_fields_are_channels_in_their_order(order, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fields")
    files = []
    for field in order:
        files.append(folder / f"Maps_{field}_Toy_LH_z=0.00.npy")
        np.save(files[-1], random_maps((6, 4, 4), seed=len(field)))
    np.savetxt(folder / "params_LH_Toy.txt", random_theta(2))
    data = load_cmd(files, folder / "params_LH_Toy.txt", map_size=2)
    assert data.field == tuple(order)
    assert data.maps.shape == (6, 2, 2, 3)
    for channel, file in enumerate(files):
        np.testing.assert_array_equal(data.maps[..., channel], load_maps_only(file, map_size=2).maps)
    assert data.source == (*map(str, files), str(folder / "params_LH_Toy.txt"))
    assert "Kelvin" in data.units


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        ("Maps_Mgas_Toy_CV_z=0.00.npy", (6, 4, 4), "further channels of its own set, LH"),
        ("Maps_Mgas_Other_LH_z=0.00.npy", (6, 4, 4), "further channels of its own suite, Toy"),
        ("Maps_Mgas_Toy_LH_z=1.00.npy", (6, 4, 4), "must agree on redshift. Received: 0 and 1"),
        ("Maps_Mgas_Toy_LH_z=0.00.npy", (6, 5, 5), r"like .*HI.*beside it. Received: shape \(6, 5, 5\)"),
        ("Maps_Mgas_Toy_LH_z=0.00.npy", (4, 4, 4), r"Received: shape \(4, 4, 4\)"),
        ("Maps_HI_Toy_LH_z=0.00.npy", (6, 4, 4), "or several different ones"),
    ],
)
def test_channels_must_belong_together(write, table, name, shape, words):
    files = [write("Maps_HI_Toy_LH_z=0.00.npy", random_maps((6, 4, 4))), write(name, random_maps(shape))]
    with pytest.raises(InputError, match=words):
        load_cmd(files, table)


def test_n_body_twins_may_be_channels_and_use_the_table_of_their_suite(write, tmp_path):
    files = [write(f"Maps_{name}_LH_z=0.00.npy", random_maps((30, 4, 4))) for name in ("HI_SIMBA", "Mtot_Nbody_SIMBA")]
    np.savetxt(tmp_path / "params_LH_SIMBA.txt", random_theta(2, 6))
    assert load_cmd(files, tmp_path / "params_LH_SIMBA.txt").num_channels == 2
    np.savetxt(tmp_path / "params_LH_IllustrisTNG.txt", random_theta(2, 6))
    with pytest.raises(InputError, match="own suite, SIMBA"):
        load_cmd(files[1], tmp_path / "params_LH_IllustrisTNG.txt")


@pytest.mark.parametrize("compression", [None, "gzip"])
@pytest.mark.parametrize("rows", [2, 6])
def test_hdf5_with_parameters(write_hdf5, compression, rows):
    maps, theta = random_maps((6, 4, 4)), random_theta(2)
    attributes = {"parameters": ["sigma_8", "x"], "redshift": 6.0, "box_size_mpc_h": 50.0, "units": "K", "suite": "A"}
    file = write_hdf5(
        attributes=attributes, compression=compression, maps=maps, theta=np.repeat(theta, rows // 2, axis=0)
    )
    data = load_cmd(file, parameters=[ParameterSpec("x", "x", 0, 2)])
    np.testing.assert_array_equal(data.maps, maps)
    np.testing.assert_array_equal(data.theta[:, 0], np.repeat(theta[:, 1], 3))
    np.testing.assert_array_equal(data.other_parameters["sigma_8"], np.repeat(theta[:, 0], 3))
    np.testing.assert_array_equal(data.simulation, [0, 0, 0, 1, 1, 1])
    assert (data.redshift, data.box_size_mpc_h, data.units, data.suite) == (6.0, 50.0, "K", "A")
    assert data.source == (str(file),)


def test_hdf5_with_simulation_numbers_or_a_table(write_hdf5, table):
    maps = random_maps((6, 4, 4, 2))
    file = write_hdf5(maps=maps, theta=np.repeat(random_theta(1), 6, axis=0), simulation=[4, 4, 4, 9, 9, 9])
    with pytest.warns(UserWarning, match="share all their parameters"):
        data = load_cmd(file)
    np.testing.assert_array_equal(data.simulation_indices, [4, 9])
    assert data.parameters.names == ("Omega_m", "sigma_8")
    with pytest.raises(InputError, match="holds parameters itself and must come without a table"):
        load_cmd(file, table)
    bare = write_hdf5("Maps_HI_Toy_LH_z=6.00.h5", maps=maps)
    data = load_cmd(bare, table, "all")
    assert (data.num_channels, data.suite, data.redshift, len(data.parameters)) == (2, "Toy", 6.0, 6)
    with pytest.raises(InputError, match="must come with a table of parameters, or be an HDF5 file"):
        load_cmd(bare)


def test_hdf5_files_that_are_channels_hold_the_same_parameters(write_hdf5):
    maps, theta = random_maps((6, 4, 4)), random_theta(2)
    files = [write_hdf5(f"{name}.h5", maps=maps, theta=theta) for name in "ab"]
    assert load_cmd(files).num_channels == 2
    for others, words in [({"theta": theta[::-1]}, "others"), ({}, "none")]:
        files[1] = write_hdf5("b.h5", maps=maps, **others)
        with pytest.raises(InputError, match=rf"b\.h5 must hold the parameters of .*a\.h5.*Received: {words}"):
            load_cmd(files)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"maps": None}, "must hold the dataset 'maps'. Received: theta"),
        ({"maps": np.ones((6, 4, 4), int)}, "floating-point maps. Received: dtype int64"),
        ({"maps": random_maps((6, 4, 3))}, r"square maps \[N, H, H\]. Received: shape \(6, 4, 3\)"),
        ({"maps": 3.0}, "'maps' as an array. Received: a group or a single value"),
        ({"theta": random_theta(4)}, r"theta as numbers .* 6 maps. Received: float64 of shape \(4, 2\)"),
        ({"theta": random_theta(2, 3)}, "3 columns without names"),
        ({"simulation": [1, 2]}, r"simulation as integers \[6\]. Received: int64 of shape \(2,\)"),
        ({"attributes": {"parameters": ["a"]}}, "each of the 2 columns of theta once"),
        ({"attributes": {"format_version": 2}}, "format version 1 or older. Received: 2"),
        ({"attributes": {"redshift": "six"}}, "a number as its attribute redshift. Received: 'six'"),
        ({"attributes": {"redshift": 1.0}}, "z=6.00.h5 and its attributes must agree on redshift. Received: 6 and 1"),
        ({"attributes": {"suite": "SIMBA"}}, "attributes of its own suite, Toy"),
        ({"attributes": {"field": "T"}}, "attributes of its own field, HI. Received: T"),
        ({"attributes": {"box_size_mpc_h": 50.0}}, "argument and .* agree on box_size_mpc_h. Received: 25 and 50"),
    ],
)
def test_wrong_hdf5_is_refused_with_the_file(write_hdf5, changes, words):
    content = {"maps": random_maps((6, 4, 4)), "theta": random_theta(2), **changes}
    file = write_hdf5("Maps_HI_Toy_LH_z=6.00.h5", **{k: v for k, v in content.items() if v is not None})
    with pytest.raises(InputError, match=rf"z=6\.00\.h5.*{words}|{words}"):
        load_cmd(file, box_size_mpc_h=25.0)


def test_damaged_hdf5_is_refused(write_hdf5, tmp_path):
    file = write_hdf5(maps=random_maps((6, 4, 4)))
    content = file.read_bytes()
    for damaged, words in [(b"", "an empty file"), (content[:300], "Received"), (b"text" + content, "Received")]:
        file.write_bytes(damaged)
        with pytest.raises(InputError, match=rf"maps\.h5 must be a readable, whole HDF5 file.*{words}"):
            load_cmd(file)
    with pytest.raises(InputError, match=r"absent\.h5 must be a readable"):
        load_cmd(tmp_path / "absent.h5")


def test_maps_without_parameters_are_checked(write):
    found = load_maps_only(write("maps.npy", random_maps((2, 6, 6, 3))), redshift=6.0)
    assert found.maps.shape == (2, 6, 6, 3)
    assert (found.suite, found.field, found.redshift, found.box_size_mpc_h) == (None, None, 6.0, 25.0)
    with pytest.raises(InputError, match=r"bad\.npy must hold surface densities"):
        load_maps_only(write("bad.npy", -random_maps((2, 6, 6))))


@settings(deadline=None, max_examples=15)
@given(rows=st.lists(st.integers(0, 8), min_size=1, max_size=12), seed=st.integers(0, 100))
def test_mapped_rows_read_as_an_array_does(tmp_path_factory, rows, seed):
    path = tmp_path_factory.mktemp("rows") / "maps.npy"
    maps = random_maps((9, 3, 3))
    np.save(path, maps)
    lazy, copied = MappedRows(np.load(path, mmap_mode="r"), np.array(rows)), maps[rows]
    index = np.random.default_rng(seed).integers(0, len(rows), 4)
    for key in (index, index.tolist(), index % 2 == 0 if len(rows) == 4 else slice(1, 3), 0, -1, slice(None), (0, 1)):
        np.testing.assert_array_equal(lazy[key], copied[key])
    assert (lazy.shape, lazy.ndim, lazy.nbytes, len(lazy)) == (copied.shape, 3, copied.nbytes, len(rows))
    np.testing.assert_array_equal(np.asarray(lazy), copied)
    np.testing.assert_array_equal(np.concatenate([chunk for _, chunk in map_chunks(lazy)]), copied)
    np.testing.assert_array_equal(lazy.select(index)[:], copied[index])


def test_large_selections_stay_on_disk_and_are_the_same(write, table, monkeypatch):
    file = write("Maps_HI_Toy_LH_z=0.00.npy", random_maps((12, 4, 4)))
    in_memory = load_cmd(file, table).select_simulations([1])
    monkeypatch.setattr(dataset, "IN_MEMORY_BYTES", 100)
    on_disk = load_cmd(file, table).select_simulations([1])
    assert isinstance(in_memory.maps, np.ndarray)
    assert isinstance(on_disk.maps, MappedRows)
    monkeypatch.setattr(dataset, "IN_MEMORY_BYTES", on_disk.maps.nbytes)
    assert isinstance(on_disk.select([0]).maps, np.ndarray)
    monkeypatch.setattr(dataset, "IN_MEMORY_BYTES", 100)
    assert on_disk.content_hash() == in_memory.content_hash()
    assert on_disk.zero_pixels == 0
    np.testing.assert_array_equal(on_disk.select([5, 0, 3]).maps, in_memory.maps[[5, 0, 3]])
    again = HIMapDataset.from_arrays(on_disk.maps, on_disk.theta)
    np.testing.assert_array_equal(again.select([5, 0, 3]).maps, in_memory.maps[[5, 0, 3]])


def test_results_too_large_for_memory_go_to_a_file(monkeypatch, tmp_path):
    monkeypatch.setattr(big_arrays, "IN_MEMORY_BYTES", 100)
    maps = new_maps((4, 5, 5))
    assert isinstance(maps, np.memmap)
    maps[:] = random_maps((4, 5, 5))
    np.testing.assert_array_equal(maps, random_maps((4, 5, 5)))

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(big_arrays.os, "posix_fallocate", refuse)
    with pytest.raises(InputError, match=r"GiB of room in .*TMPDIR.*Received: No space left"):
        new_maps((4, 5, 5))


MEASURE = """
import resource, sys
from higlow_tf.data import load_cmd
def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak_mib()
data = load_cmd(sys.argv[1], sys.argv[2], map_size=64)
subsets = data.split_by_simulation((0.7, 0.1, 0.2))
print(sum(subset.num_maps for subset in subsets), data.native_size, peak_mib() - before, "tensorflow" in sys.modules)
"""


@pytest.mark.slow
def test_regridding_and_splitting_hold_no_file_in_memory(tmp_path):
    file = tmp_path / "Maps_HI_IllustrisTNG_LH_z=0.00.npy"
    block = random_maps((15, 256, 256))
    maps = np.lib.format.open_memmap(file, "w+", "<f4", (1500, 256, 256))
    for i in range(100):
        maps[15 * i : 15 * i + 15] = block * np.float32(1 + 0.01 * i)
    maps.flush()
    np.savetxt(tmp_path / "params_LH_IllustrisTNG.txt", random_theta(100, 6))
    command = [sys.executable, "-c", MEASURE, str(file), str(tmp_path / "params_LH_IllustrisTNG.txt")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    num_maps, native_size, mib, has_tensorflow = result.stdout.split()
    assert (num_maps, native_size, has_tensorflow) == ("1500", "256", "False")
    # The file has 375 MiB; the regridded maps twice (whole and split) 47, a chunk with its copies some 100.
    assert float(mib) < 250
