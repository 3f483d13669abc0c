"""Files, theta and parts: what is read is right, and what is wrong is one sentence before anything is computed."""

import os
import pickle
from dataclasses import replace

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from higlow_tf.batch import TaskSettings, plan_maps, plan_samples, read_served_model
from higlow_tf.batch.locations import find_files
from higlow_tf.batch.map_sources import open_maps
from higlow_tf.errors import InputError

SHAPE = (8, 8)


def as_npy(path, maps, theta):
    np.save(path, maps)


def as_big_endian_npy(path, maps, theta):
    np.save(path, maps.astype(">f8"))


def as_hdf5(path, maps, theta):
    with h5py.File(path, "w") as file:
        file.update({"maps": maps, "theta": theta})
        file.attrs["parameters"] = ["Omega_m", "sigma_8"]


def as_compressed_hdf5(path, maps, theta):
    with h5py.File(path, "w") as file:
        file.create_dataset("maps", data=maps, chunks=(2, 4, 4), compression="gzip")
        file["theta"] = theta


def as_parquet(path, maps, theta):
    columns = {"hi_map": list(maps.reshape(len(maps), -1)), "sigma_8": theta[:, 1], "om": theta[:, 0]}
    pq.write_table(pa.table(columns), path, row_group_size=4)


def as_nested_parquet(path, maps, theta):
    columns = {"hi_map": maps.tolist(), "sigma_8": theta[:, 1], "Omega_m": theta[:, 0]}
    pq.write_table(pa.table(columns), path, row_group_size=5)


WRITERS = {
    "a.npy": as_npy,
    "b.npy": as_big_endian_npy,
    "c.h5": as_hdf5,
    "d.hdf5": as_compressed_hdf5,
    "e.parquet": as_parquet,
    "f.parquet": as_nested_parquet,
}


def located(path):
    (location,) = find_files([path])
    return location


def far_away(path):
    """The same file on a filesystem that is not this machine's, as an actor on another machine gets it."""
    there = fs.SubTreeFileSystem(str(path.parent), fs.LocalFileSystem())
    return pickle.loads(pickle.dumps(replace(located(path), filesystem=there, inner_path=path.name)))


@pytest.mark.parametrize("place", [located, far_away])
@pytest.mark.parametrize("name", WRITERS)
def test_any_range_of_any_kind_of_file_is_read(name, place, files, tmp_path):
    path = tmp_path / name
    WRITERS[name](path, files.maps, files.theta)
    maps = open_maps(place(path), SHAPE)
    assert maps.num_maps == 31
    for start, stop in ((0, 31), (0, 1), (3, 11), (30, 31)):
        found = maps.read(start, stop)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, files.maps[start:stop])
    if path.suffix != ".npy":
        np.testing.assert_array_equal(maps.table.columns(("Omega_m", "sigma_8")), files.theta)


@pytest.mark.parametrize("place", [located, far_away])
@pytest.mark.parametrize("name", WRITERS)
def test_a_truncated_file_is_refused_before_anything_is_read(name, place, files, tmp_path):
    path = tmp_path / name
    WRITERS[name](path, files.maps, files.theta)
    os.truncate(path, path.stat().st_size - 40)
    with pytest.raises(InputError, match=rf"{name}.*Received: "):
        open_maps(place(path), SHAPE)


def test_a_piece_that_only_reading_shows_to_be_damaged_is_one_sentence(files, tmp_path):
    path = tmp_path / "d.hdf5"
    as_compressed_hdf5(path, files.maps, files.theta)
    with h5py.File(path) as file:
        piece = file["maps"].id.get_chunk_info(3)
    with path.open("r+b") as file:
        file.seek(piece.byte_offset)
        file.write(b"\0" * piece.size)
    for place in (located, far_away):
        maps = open_maps(place(path), SHAPE)
        with pytest.raises(InputError, match=r"d\.hdf5: expected a whole file of maps\. Received: "):
            maps.read(0, 31)


@pytest.mark.parametrize("name", WRITERS)
def test_maps_of_another_shape_are_refused(name, files, tmp_path):
    path = tmp_path / name
    WRITERS[name](path, files.maps[:, :4, :4], files.theta)
    with pytest.raises(InputError, match=rf"{name}: expected .*Received: "):
        open_maps(located(path), SHAPE)


def test_addresses_are_read_as_paths_are(served, files):
    plan = plan_maps(served.served, [f"file://{files.folder}/*.npy"], params=files.params)
    assert [source.num_rows for source in plan.sources] == [20, 11]
    location = plan.sources[1].location
    assert location.path == f"file://{files.folder}/b.npy"
    found = open_maps(location, SHAPE).read(2, 5)
    np.testing.assert_array_equal(found, files.maps[22:25])


def test_names_in_addresses_are_what_they_are(files):
    for name in ("c 1%.npy", "c[2].npy"):
        np.save(files.folder / name, files.maps)
    found = find_files([f"file://{files.folder}/c*.npy", f"file://{files.folder}/c%201%25.npy"])
    assert [location.path for location in found] == [
        f"file://{files.folder}/{name}" for name in ("c 1%.npy", "c[2].npy")
    ]
    assert [open_maps(location, SHAPE).num_maps for location in found] == [31, 31]
    assert find_files([f"file://{files.folder.parent}/m*/c[[]*.npy"]) == found[1:]


def test_passwords_of_addresses_are_told_to_nobody():
    with pytest.raises(InputError, match="Received: ") as caught:
        find_files(["hdfs://me:secret@nowhere:1/maps_*.npy?token=hidden"])
    assert "'hdfs://nowhere:1/maps_*.npy'" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("nothing/*.npy", "expected a path or glob of existing files"),
        ("nowhere://bucket/*.npy", "expected an address that can be reached"),
        ("file:///nothing/at/all/*.npy", "expected an address that can be reached"),
        ("file:///nothing.npy", "expected a path or glob of existing files"),
    ],
)
def test_a_glob_without_files_is_refused(served, pattern, words):
    with pytest.raises(InputError, match=words):
        plan_maps(served.served, [pattern], needs_theta=False)


def test_theta_of_a_simulation_is_that_of_its_consecutive_maps(served, files, tmp_path):
    np.save(files.folder / "a.npy", files.maps[:19])
    np.savetxt(tmp_path / "params.txt", files.theta[:10], header="Omega_m sigma_8")
    plan = plan_maps(served.served, [files.glob], params=tmp_path / "params.txt")
    theta = np.concatenate([source.theta for source in plan.sources])
    np.testing.assert_array_equal(theta, files.theta[:10].repeat(3, axis=0))
    assert plan.maps_per_row == 3


def test_theta_that_is_missing_or_does_not_fit_is_refused(served, files, tmp_path):
    with pytest.raises(InputError, match=r"a\.npy: expected theta in the file, or --params"):
        plan_maps(served.served, [files.glob])
    np.savetxt(tmp_path / "few.txt", files.theta[:7], header="Omega_m sigma_8")
    with pytest.raises(InputError, match=r"few\.txt: expected one row a map.* for 31 maps. Received: 7 rows"):
        plan_maps(served.served, [files.glob], params=tmp_path / "few.txt")
    as_hdf5(tmp_path / "own.h5", files.maps, files.theta)
    with pytest.raises(InputError, match=r"own\.h5 holds parameters itself"):
        plan_maps(served.served, [tmp_path / "own.h5"], params=files.params)


def test_a_damaged_file_is_named_or_left_out(served, files, tmp_path):
    (files.folder / "broken.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(InputError, match=r"broken\.npy.*\(--skip-bad leaves such files out\)"):
        plan_maps(served.served, [files.glob], needs_theta=False)
    plan = plan_maps(served.served, [files.glob], needs_theta=False, skip_bad=True)
    assert plan.num_rows == 31
    assert list(plan.skipped) == [str(files.folder / "broken.npy")]
    with pytest.raises(InputError, match=r"counted over all of them. Received: .*broken\.npy"):
        plan_maps(served.served, [files.glob], params=files.params, skip_bad=True)


def test_names_of_parts_know_what_their_numbers_depend_on(served, files):
    def names(settings, served_model=served.served):
        plan = plan_maps(served_model, [files.glob], params=files.params)
        return {part.name for part in plan.parts(served_model, settings)}

    settings = TaskSettings("log_prob", part_rows=8)
    first = names(settings)
    assert len(first) == 5
    assert names(settings) == first
    assert not names(TaskSettings("posterior", part_rows=8)) & first
    theta = files.theta.copy()
    theta[25, 0] += 1e-6
    np.savetxt(files.params, theta, header="Omega_m sigma_8")
    assert len(names(settings) & first) == 4
    np.savetxt(files.params, files.theta, header="Omega_m sigma_8")
    np.save(files.folder / "b.npy", files.maps[20:] * np.float32(1.0001))
    assert len(names(settings) & first) == 3


def test_samples_need_one_source_of_parameters(served, files):
    for ways, received in (({}, "none"), ({"params": files.params, "from_prior": 3}, "both")):
        with pytest.raises(InputError, match=f"either --params or --from-prior. Received: {received}"):
            plan_samples(served.served, **ways)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"task": "decode"}, "--task"),
        ({"task": "sample", "seed": -1}, "--seed"),
        ({"task": "sample", "temperature": float("nan")}, "--temperature"),
        ({"task": "log_prob", "part_rows": 0}, "--part-rows"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, words):
    with pytest.raises(InputError, match=f"{words}: expected .*Received: "):
        TaskSettings(**settings)


def test_a_grid_that_is_too_large_is_refused(served):
    with pytest.raises(InputError, match="--points: expected 2 or more an axis, and at most 16384"):
        TaskSettings("posterior", points_per_axis=129).theta_grid(served.served)


def test_a_model_is_known_by_its_card(served, tmp_path):
    model = read_served_model(served.path)
    assert model.parameters == served.model.parameters
    assert (model.map_shape, model.tempering) == ((8, 8), 0.05)
    assert read_served_model(served.path.parent).path == model.path
    with pytest.raises(InputError, match="expected a folder of higlow export with saved_model.pb"):
        read_served_model(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(InputError, match=r"model_card\.json: expected the model card"):
        read_served_model(tmp_path)
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra" / "model_card.json").write_text('{"format_version": 1, "name": "x"}')
    with pytest.raises(InputError, match=r"model_card\.json: expected the model card.*KeyError"):
        read_served_model(tmp_path)
