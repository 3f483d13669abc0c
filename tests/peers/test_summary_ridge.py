"""The baseline of summary statistics: its features, its fit, and which simulations it is tested on."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from higlow_tf.data import HIMapDataset, lognormal
from higlow_tf.errors import InputError

FLOAT64 = 1e-9  # sums of some thousand float64 terms; a Gram matrix squares their rounding
SIGMAS = 4.0  # a fixed seed; by chance one in 16000


def _load():
    path = Path(__file__).parents[2] / "benchmarks" / "summary_ridge.py"
    spec = importlib.util.spec_from_file_location("summary_ridge", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


summary_ridge = _load()


def suite(num_simulations=20, maps_per_simulation=3, map_size=16, seed=0):
    theta = np.random.default_rng(seed).uniform((0.1, 0.6), (0.5, 1.0), (num_simulations, 2))
    theta = np.repeat(theta, maps_per_simulation, axis=0)
    return HIMapDataset.from_arrays(lognormal.sample(theta, map_size, seed), theta)


def test_summaries_of_white_noise():
    """Flat power sd**2 * pixel area in all 12 bins, the percentiles of a Gaussian, no skewness."""
    rng, size, sd = np.random.default_rng(0), 64, 0.3
    features = summary_ridge.summaries(10.0 ** rng.normal(6.0, sd, (20, size, size)), 25.0)
    assert features.shape == (20, 12 + 11 + 3)
    expected = np.log(sd**2 * (25.0 / size) ** 2)
    # The first bin holds 8 + 12 + 16 modes, half of them independent; ln P scatters by about 1 / sqrt(18 * 20 maps),
    # and its mean lies about 1 / 36 low.
    np.testing.assert_allclose(features[:, :12].mean(axis=0), expected, atol=SIGMAS / np.sqrt(18 * 20) + 1 / 36)
    percentiles, (mean, pixel_sd, skewness) = features[:, 12:23], features[:, 23:].T
    error = 1 / size / np.sqrt(20)
    assert np.all(np.diff(percentiles) > 0)
    assert abs(np.median(percentiles) - 6.0) < SIGMAS * 1.3 * sd * error  # a median scatters 1.25 times a mean
    assert abs(mean.mean() - 6.0) < SIGMAS * sd * error
    assert abs(pixel_sd.mean() / sd - 1.0) < SIGMAS * error / np.sqrt(2)
    assert abs(skewness.mean()) < SIGMAS * np.sqrt(6) * error


@settings(deadline=None, max_examples=10)
@given(size=st.integers(4, 30), factor=st.floats(0.1, 10.0), shift=st.integers(0, 29))
def test_summaries_know_the_symmetries_of_periodic_maps(size, factor, shift):
    maps = 10.0 ** np.random.default_rng(1).normal(6.0, 0.3, (2, size, size))
    features = summary_ridge.summaries(maps, 25.0)
    moved = summary_ridge.summaries(np.roll(maps, shift, axis=1)[:, :, ::-1].transpose(0, 2, 1), 25.0)
    np.testing.assert_allclose(moved, features, rtol=FLOAT64, atol=FLOAT64)
    num_bins = min(12, size // 2)
    assert features.shape == (2, num_bins + 14)
    offset = np.zeros(num_bins + 14)
    offset[num_bins:-2] = np.log10(factor)
    np.testing.assert_allclose(summary_ridge.summaries(factor * maps, 25.0), features + offset, rtol=1e-7, atol=1e-7)


def test_summaries_do_not_depend_on_the_chunks(monkeypatch):
    maps = suite(5).maps
    whole = summary_ridge.summaries(maps, 25.0)
    monkeypatch.setattr(summary_ridge, "_CHUNK", 4)
    np.testing.assert_array_equal(summary_ridge.summaries(maps, 25.0), whole)


def quadratic_problem(rng, num_rows, noise=0.0):
    features = rng.normal(size=(num_rows, 3)) * (1.0, 5.0, 0.1) + (0.0, 40.0, 2.0)
    z = (features - (0.0, 40.0, 2.0)) / (1.0, 5.0, 0.1)
    theta = np.stack([0.3 + 0.1 * z[:, 0] - 0.05 * z[:, 1] * z[:, 2], 0.8 + 0.02 * z[:, 2] ** 2], axis=1)
    return features, theta + noise * rng.normal(size=theta.shape)


def test_a_quadratic_function_is_found(rng):
    train, validation = quadratic_problem(rng, 80), quadratic_problem(rng, 30)
    ridge = summary_ridge.fit_ridge(*train, *validation, penalties=[1e-14, 1e3])
    np.testing.assert_array_equal(ridge.penalty, [1e-14, 1e-14])
    features, theta = quadratic_problem(rng, 20)
    np.testing.assert_allclose(
        ridge.predict(features), theta, atol=1e-6
    )  # the penalty leaves 1e-14 times 1 / eigenvalue
    assert np.all(ridge.sd < 1e-6)


def test_the_coefficients_are_those_of_the_penalised_least_squares(rng):
    features, theta = quadratic_problem(rng, 40, noise=0.05)
    penalty = 0.03
    ridge = summary_ridge.fit_ridge(features, theta, *quadratic_problem(rng, 10), penalties=[penalty])
    z = (features - features.mean(axis=0)) / features.std(axis=0)
    q = np.column_stack([z, *(z[:, i] * z[:, j] for i in range(3) for j in range(i, 3))])
    q = (q - q.mean(axis=0)) / q.std(axis=0)
    rows = np.vstack([q, np.sqrt(penalty * len(q)) * np.eye(9)])
    expected = np.linalg.lstsq(rows, np.vstack([theta - theta.mean(axis=0), np.zeros((9, 2))]), rcond=None)[0]
    np.testing.assert_allclose(ridge.coefficients, expected, atol=FLOAT64)
    np.testing.assert_allclose(ridge.predict(features), theta.mean(axis=0) + q @ expected, atol=FLOAT64)


def test_each_parameter_has_the_penalty_that_serves_the_validation_maps(rng):
    train, validation = quadratic_problem(rng, 25, noise=0.1), quadratic_problem(rng, 200)
    penalties = [1e-6, 1e-2, 1e-1, 1.0, 1e3]
    chosen = summary_ridge.fit_ridge(*train, *validation, penalties=penalties)
    single = [summary_ridge.fit_ridge(*train, *validation, penalties=[penalty]).sd for penalty in penalties]
    np.testing.assert_allclose(chosen.sd, np.min(single, axis=0), rtol=FLOAT64)
    np.testing.assert_array_equal(chosen.penalty, np.take(penalties, np.argmin(single, axis=0)))


def test_a_constant_feature_adds_nothing(rng):
    features, theta = quadratic_problem(rng, 40)
    features = np.column_stack([features, np.full(40, 7.0)])
    ridge = summary_ridge.fit_ridge(features, theta, features, theta)
    assert np.isfinite(ridge.predict(features)).all()


def test_tested_simulations_are_those_of_the_test_split():
    data = suite()
    _, predictions = summary_ridge.compare_on(data, split_seed=3)
    test = data.split_by_simulation((0.7, 0.1, 0.2), seed=3)[2]
    np.testing.assert_array_equal(predictions.simulation, test.simulation)
    np.testing.assert_array_equal(predictions.truth, test.theta)
    np.testing.assert_array_equal(data.maps[predictions.map_index], test.maps)
    together = predictions.by_simulation()
    for row, simulation in enumerate(test.simulation_indices):
        np.testing.assert_allclose(
            together.mean[row], predictions.mean[predictions.simulation == simulation].mean(axis=0)
        )
    np.testing.assert_array_equal(together.truth, test.theta_by_simulation)


def test_another_suite_is_tested_where_it_shares_no_parameters_with_the_training():
    data, same_table, new_table = suite(), suite(), suite(num_simulations=5, seed=1)
    test = data.split_by_simulation((0.7, 0.1, 0.2), seed=0)[2]
    _, predictions = summary_ridge.compare_on(data, same_table)
    np.testing.assert_array_equal(np.unique(predictions.simulation), test.simulation_indices)
    _, predictions = summary_ridge.compare_on(data, new_table)
    np.testing.assert_array_equal(predictions.map_index, np.arange(15))
    with pytest.raises(InputError, match="Received: 14 simulations, all of them trained on"):
        summary_ridge.compare_on(data, data.split_by_simulation((0.7, 0.1, 0.2), seed=0)[0])


@pytest.fixture
def files(tmp_path):
    data = suite()
    paths = tmp_path / "Maps_HI_Lognormal_LH_z=6.00.npy", tmp_path / "params_LH_Lognormal.txt"
    np.save(paths[0], data.maps)
    np.savetxt(paths[1], data.theta_by_simulation, header="Omega_m sigma_8")
    return [str(path) for path in paths]


def test_the_command_prints_scores_and_writes_predictions(files, tmp_path, monkeypatch, capsys):
    out = tmp_path / "predictions.npz"
    monkeypatch.setattr("sys.argv", ["summary_ridge", "--maps", files[0], "--params", files[1], "--out", str(out)])
    summary_ridge.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines if "RMSE" in line] == [["Omega_m", "RMSE"], ["sigma_8", "RMSE"]] * 2
    with np.load(out, allow_pickle=False) as file:
        assert set(file) == {"parameters", "truth", "mean", "sd", "simulation", "map_index"}
        rmse = np.sqrt(np.mean((file["mean"] - file["truth"]) ** 2, axis=0))
    assert f"RMSE {rmse[0]:.4f} +-" in lines[2]
    with pytest.raises(SystemExit, match="2"):
        summary_ridge.main()
    assert "predictions.npz: expected a path that does not exist" in capsys.readouterr().err


@pytest.mark.slow
def test_mock_maps_give_the_quoted_scores(shared_data):
    """Quadratic ridge regression on 210 simulations: 0.071 and 0.055 for one map on the split of seed 0."""
    from higlow_tf.data import load_cmd

    folder = shared_data / "pm_mock"
    data = load_cmd(folder / "Maps_HI_PMRahmati_LH_z=6.00.npy", folder / "params_LH_PMRahmati.txt")
    _, predictions = summary_ridge.compare_on(data)
    rmse = np.sqrt(np.mean((predictions.mean - predictions.truth) ** 2, axis=0))
    # The last quoted digit: nothing random is left once the split is given.
    np.testing.assert_allclose(rmse, (0.071, 0.055), atol=5e-4)
