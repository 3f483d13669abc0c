"""The actor without Ray: what its part files hold."""

import json

import numpy as np
import pyarrow.parquet as pq
import tensorflow as tf

from higlow_tf.batch import TaskSettings, plan_maps, plan_samples
from higlow_tf.batch.part_writer import TIMING, PartWriter, Record

# float32 sums over an 8 x 8 map of two graphs of the same flow.
TOLERANCE = 2e-6


def write_parts(served, settings, plan, folder):
    """Every part of the plan; returns the rows of the folder and the records."""
    parts = plan.parts(served.served, settings)
    writer = PartWriter(served.served, settings, plan, parts, folder)
    records = [ask(writer, number) for number in range(len(parts))]
    assert [record.problem for record in records] == [""] * len(parts)
    return pq.read_table([folder / part.name for part in parts]), records


def ask(writer, item):
    answer = writer({"item": np.array([item])})
    return Record(**{name: value for name, (value,) in answer.items()})


def test_densities_are_those_of_the_model(served, files, tmp_path):
    plan = plan_maps(served.served, [files.glob], params=files.params)
    rows, records = write_parts(served, TaskSettings("log_prob", part_rows=8), plan, tmp_path)
    expected = served.model.log_prob(np.delete(files.maps, 4, 0), np.delete(files.theta, 4, 0)).numpy()
    found = rows["log_prob"].to_numpy()
    assert np.isnan(found[4])
    np.testing.assert_allclose(np.delete(found, 4), expected, rtol=TOLERANCE, atol=TOLERANCE * 100)
    assert rows["file"].to_pylist() == [str(files.folder / name) for name in ["a.npy"] * 20 + ["b.npy"] * 11]
    assert rows["index_in_file"].to_pylist() == [*range(20), *range(11)]
    np.testing.assert_array_equal(rows["sigma_8"].to_numpy(), files.theta[:, 1])
    assert set(rows["model_hash"].to_pylist()) == {served.served.content_hash}
    assert set(rows["seed"].to_pylist()) == {None}
    assert rows["inside_prior"].to_pylist() == [True] * 31
    assert [record.rows for record in records] == [8, 8, 4, 8, 3]
    assert sum(record.nan_rows for record in records) == 1


def test_a_row_has_the_same_bits_in_parts_of_any_size(served, files, tmp_path):
    plan = plan_maps(served.served, [files.glob], params=files.params)
    found = []
    for part_rows in (1, 7, 20):
        folder = tmp_path / str(part_rows)
        rows, _ = write_parts(served, TaskSettings("log_prob", part_rows=part_rows), plan, folder)
        found.append(rows["log_prob"].to_numpy())
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_samples_are_those_of_the_model_for_every_row(served, files, tmp_path):
    plan = plan_samples(served.served, params=files.params, count=2)
    rows, _ = write_parts(served, TaskSettings("sample", seed=5, part_rows=20), plan, tmp_path)
    theta = files.theta.repeat(2, axis=0)
    expected = np.log10(served.model.sample(theta, seed=5).numpy())
    maps = rows["hi_map"].combine_chunks().to_numpy_ndarray()
    np.testing.assert_allclose(np.log10(maps), expected, atol=1e-5)
    assert rows["row"].to_pylist() == list(range(62))
    assert rows["index_in_file"].to_pylist() == [row // 2 for row in range(62)]
    assert set(rows["seed"].to_pylist()) == {5}


def test_samples_from_the_prior_are_at_the_points_of_the_package(served, tmp_path):
    plan = plan_samples(served.served, from_prior=3, seed=2)
    rows, records = write_parts(served, TaskSettings("sample", seed=2), plan, tmp_path)
    expected = served.model.parameters.sample_uniform(3, seed=2)
    np.testing.assert_array_equal(rows["Omega_m"].to_numpy(), expected[:, 0])
    assert set(rows["file"].to_pylist()) == {"prior"}
    assert records[0].outside_prior == 0


def test_a_posterior_is_that_of_the_signature_with_its_covariance(served, files, tmp_path):
    plan = plan_maps(served.served, [files.folder / "b.npy"], needs_theta=False)
    settings = TaskSettings("posterior", with_grid=True, points_per_axis=6)
    rows, _ = write_parts(served, settings, plan, tmp_path)
    grid = settings.theta_grid(served.served).astype(float)
    log_prob = rows["log_prob_grid"].combine_chunks().to_numpy_ndarray()
    assert log_prob.shape == (11, 36)
    mass = np.exp(0.05 * (log_prob - log_prob.max(axis=1, keepdims=True)).astype(float))
    mass /= mass.sum(axis=1, keepdims=True)
    mean = mass @ grid
    np.testing.assert_allclose(rows["Omega_m_mean"].to_numpy(), mean[:, 0], rtol=1e-4)
    covariance = rows["covariance"].combine_chunks().to_numpy_ndarray()
    of_first = np.cov(grid.T, aweights=mass[0], bias=True) + np.diag([0.01**2, 0.0])
    np.testing.assert_allclose(covariance[0], of_first, rtol=1e-4)
    sd = np.stack([rows["Omega_m_sd"].to_numpy(), rows["sigma_8_sd"].to_numpy()], axis=1)
    np.testing.assert_allclose(np.sqrt(np.diagonal(covariance, axis1=1, axis2=2)), sd, rtol=1e-5)
    assert set(rows["tempering"].to_pylist()) == {0.05}
    assert rows["typicality"].null_count == 11  # this model was exported without a reference
    assert "log_prob" not in rows.column_names


def test_the_grid_is_that_of_the_package(served):
    from higlow_tf.inference import theta_grid_over_prior

    grid = TaskSettings("posterior", with_grid=True).theta_grid(served.served)
    np.testing.assert_array_equal(grid, theta_grid_over_prior(served.model.parameters, 16).astype(np.float32))


def test_without_points_the_grid_is_the_models_own(served, files, tmp_path):
    plan = plan_maps(served.served, [files.folder / "b.npy"], needs_theta=False)
    rows, _ = write_parts(served, TaskSettings("posterior"), plan, tmp_path)
    signature = tf.saved_model.load(str(served.path)).signatures["posterior"]
    answer = signature(hi_map=tf.constant(files.maps[20:]), theta_grid=tf.zeros([11, 0, 2]))
    mean = np.stack([rows["Omega_m_mean"].to_numpy(), rows["sigma_8_mean"].to_numpy()], axis=1)
    np.testing.assert_allclose(mean, answer["posterior_mean"], rtol=1e-5)
    covariance = rows["covariance"].combine_chunks().to_numpy_ndarray()
    np.testing.assert_allclose(covariance, answer["posterior_covariance"], rtol=1e-4, atol=1e-7)


def test_outputs_that_an_older_export_lacks_are_null(served, files, tmp_path):
    plan = plan_maps(served.served, [files.glob], params=files.params)
    settings = TaskSettings("log_prob")
    parts = plan.parts(served.served, settings)
    writer = PartWriter(served.served, settings, plan, parts, tmp_path)
    whole = writer._loaded
    writer._loaded = lambda **inputs: {"log_prob": whole(**inputs)["log_prob"]}
    assert ask(writer, 0).outside_prior is None
    assert pq.read_table(tmp_path / parts[0].name)["inside_prior"].null_count == 20


def test_a_posterior_of_an_older_export_has_no_covariance(served, files, tmp_path):
    plan = plan_maps(served.served, [files.folder / "b.npy"], needs_theta=False)
    settings = TaskSettings("posterior", points_per_axis=4)
    (part,) = plan.parts(served.served, settings)
    writer = PartWriter(served.served, settings, plan, [part], tmp_path)
    whole = writer._loaded
    old = ("log_prob", "posterior_mean", "posterior_sd")
    writer._loaded = lambda **inputs: {name: whole(**inputs)[name] for name in old}
    assert ask(writer, 0).rows == 11
    rows = pq.read_table(tmp_path / part.name)
    assert {name: rows[name].null_count for name in ("covariance", "typicality", "Omega_m_sd")} == {
        "covariance": 11,
        "typicality": 11,
        "Omega_m_sd": 0,
    }


def test_counts_are_in_the_metadata_of_a_part(served, files, tmp_path):
    np.savetxt(files.params, files.theta + [0.0, 0.3], header="Omega_m sigma_8")
    plan = plan_maps(served.served, [files.glob], params=files.params)
    _, records = write_parts(served, TaskSettings("log_prob"), plan, tmp_path)
    assert records[0].outside_prior == np.sum(files.theta[:20, 1] > 0.7)
    path = tmp_path / plan.parts(served.served, TaskSettings("log_prob"))[0].name
    counts = json.loads(pq.read_metadata(path).metadata[b"higlow"])
    assert counts == {"rows": 20, "nan_rows": 1, "outside_prior": records[0].outside_prior, "atypical": None}


def test_what_an_actor_cannot_do_is_a_record(served, files, tmp_path):
    plan = plan_maps(served.served, [files.glob], params=files.params)
    settings = TaskSettings("log_prob")
    parts = plan.parts(served.served, settings)
    (tmp_path / "file").write_text("")
    writer = PartWriter(served.served, settings, plan, parts, tmp_path / "file")
    assert ask(writer, TIMING).rows == 64
    record = ask(writer, 0)
    assert (record.problem, record.rows) == ("output", 0)
    assert "expected to be able to write it" in record.sentence
    (files.folder / "b.npy").write_bytes(b"")
    record = ask(writer, 1)
    assert record.problem == "input"
    assert "b.npy" in record.sentence


def test_a_model_that_does_not_load_is_a_record(served, files, tmp_path):
    from dataclasses import replace

    plan = plan_maps(served.served, [files.glob], params=files.params)
    settings = TaskSettings("log_prob")
    gone = replace(served.served, path=str(tmp_path / "gone"))
    writer = PartWriter(gone, settings, plan, plan.parts(gone, settings), tmp_path)
    record = ask(writer, TIMING)
    assert record.problem == "model"
    assert "expected a SavedModel with the signature log_prob" in record.sentence


def test_a_part_is_the_same_bytes_twice(served, files, tmp_path):
    plan = plan_maps(served.served, [files.folder / "b.npy"], needs_theta=False)
    settings = TaskSettings("posterior", points_per_axis=4)
    (part,) = plan.parts(served.served, settings)
    for folder in (tmp_path / "once", tmp_path / "twice"):
        write_parts(served, settings, plan, folder)
    assert (tmp_path / "once" / part.name).read_bytes() == (tmp_path / "twice" / part.name).read_bytes()
