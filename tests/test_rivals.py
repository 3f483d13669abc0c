"""Rivals: one judge that knows an exact posterior, densities that are densities, and one table of all."""

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import multivariate_normal, norm

from benchmarks.rivals.__main__ import main
from benchmarks.rivals.judging import judge, log_posteriors_of_copies
from benchmarks.rivals.mixture_network import mixture_log_density, mixture_network
from benchmarks.rivals.problem import Problem
from benchmarks.rivals.rows import open_rows, read_rows, write_row
from benchmarks.rivals.table import draw_rows, table_of
from higlow_tf.data import HIMapDataset, ParameterSpace
from higlow_tf.data.lognormal import write_lognormal
from higlow_tf.errors import InputError

SPACE = ParameterSpace.from_names(["Omega_m", "sigma_8"])
SD = 0.25
FLOAT32 = 1e-5


def subset(num_simulations, seed):
    """Two maps of each simulation; two pixels are its normalised parameters plus noise, in log10, and the others are noise."""
    theta = np.repeat(SPACE.sample_uniform(num_simulations, seed), 2, axis=0)
    log10_maps = np.random.default_rng(seed).normal(size=(len(theta), 4, 4))
    log10_maps[:, 0, :2] = SPACE.normalize(theta) + SD * log10_maps[:, 0, :2]
    return HIMapDataset.from_arrays(10.0**log10_maps, theta)


@pytest.fixture(scope="module")
def problem():
    train, validation, test = (subset(number, seed) for seed, number in enumerate((4, 40, 60)))
    return Problem(train, validation, test, {}, "maps", "params", split_seed=0, num_symmetries=1)


def rival(sd):
    """A rival that is exact where `sd` is that of the pixels, and else too sure or not sure enough of itself."""

    def log_density(maps, points):
        pixels = np.log10(maps[:, None, 0, :2])
        return norm.logpdf(pixels, points, sd).sum(axis=2)

    return lambda dataset, _: log_posteriors_of_copies(log_density, dataset, num_symmetries=1)


@pytest.fixture(scope="module")
def exact(problem):
    return judge(rival(SD), problem)


def test_the_judge_knows_an_exact_posterior(problem, exact):
    pixels, truth = np.log10(problem.test.maps[:, 0, :2]), SPACE.normalize(problem.test.theta)
    evidence = norm.cdf(1.0, pixels, SD) - norm.cdf(-1.0, pixels, SD)
    gain = np.sum(norm.logpdf(truth, pixels, SD) - np.log(evidence / 2.0), axis=1)
    metrics = exact.metrics
    assert metrics["raw_information_gain_nats"].value == pytest.approx(gain.mean(), abs=0.01)
    assert abs(exact.calibration.tempering - 1.0) < 0.3
    assert exact.sets[""].scores.gain.mean() == pytest.approx(gain.mean(), abs=0.1)
    # 120 maps of 60 simulations: 68 +- 5 %.
    assert abs(metrics["raw_coverage_68"].value - 0.68) < 0.2
    assert metrics["joint_coverage_68"].n_simulations == 60


def test_the_judge_sees_and_repairs_one_that_is_too_sure(problem, exact):
    sure = judge(rival(SD / 3.0), problem)
    assert sure.metrics["raw_coverage_68"].value < 0.4
    assert sure.calibration.tempering < 0.3
    # With the right tempering it is the exact one.
    assert sure.sets[""].scores.gain.mean() == pytest.approx(exact.sets[""].scores.gain.mean(), abs=0.1)


@pytest.mark.parametrize("num_parameters", [1, 2, 3])
def test_a_mixture_is_that_of_scipy(rng, num_parameters):
    numbers = 1 + num_parameters + num_parameters * (num_parameters + 1) // 2
    output, at = rng.normal(size=(2, 3, numbers)), rng.uniform(-1.0, 1.0, (1, 5, num_parameters))
    found = mixture_log_density(tf.constant(output), tf.constant(at))
    for row, components in enumerate(output):
        weights = np.exp(components[:, 0]) / np.exp(components[:, 0]).sum()
        expected = np.zeros(5)
        for weight, (_, *others) in zip(weights, components, strict=True):
            mean, raw = others[:num_parameters], np.array(others[num_parameters : 2 * num_parameters])
            factor = np.diag(np.exp(4.0 * np.tanh(raw / 4.0)))
            factor[np.tril_indices(num_parameters, -1)] = others[2 * num_parameters :]
            covariance = np.linalg.inv(factor.T @ factor)
            expected += weight * multivariate_normal(mean, covariance, allow_singular=True).pdf(at[0])
        np.testing.assert_allclose(found[row], np.log(expected), rtol=1e-6)


def test_the_network_knows_no_origin_up_to_its_strides():
    network = mixture_network(16, 2)
    maps = np.random.default_rng(0).normal(size=(1, 16, 16, 1)).astype(np.float32)
    moved = np.roll(maps, (4, 8), (1, 2))
    assert network.output_shape == (None, 4, 6)
    np.testing.assert_allclose(network(moved), network(maps), atol=FLOAT32)
    assert np.abs(network(maps[:, ::-1]) - network(maps)).max() > 100 * FLOAT32


def test_one_table_of_all_rows(problem, exact, tmp_path):
    open_rows(tmp_path, problem)
    single = exact.sets[""]
    worse = replace(
        exact, sets=exact.sets | {"": replace(single, scores=replace(single.scores, gain=single.scores.gain - 0.5))}
    )
    write_row(tmp_path, "ours_flow", "flow", {"cpu_seconds": None, "wall_minutes": 3.0, "num_weights": 9}, exact, True)
    facts = {"cpu_seconds": 60.0, "num_weights": 1234, "epochs": 8, "best_epoch": 5}
    write_row(tmp_path, "network_1min", "network, 1 minutes", facts, worse)
    rows = read_rows(tmp_path)
    difference = rows["network_1min"]["metrics"]["gain_difference_nats"]
    assert difference["value"] == pytest.approx(-0.5)
    assert difference["error"] == pytest.approx(0.0, abs=1e-12)  # the same maps: what both share cancels
    table = table_of(rows, problem.to_config())
    assert "| network, 1 minutes | 1.0 | 1,234 | 8 (5) |" in table
    assert "| flow | 3.0 by the clock | 9 | - |" in table
    for title in ("one map, raw", "one map, repaired", "all maps of a simulation, repaired", "gain minus ours"):
        assert title in table
    figure = draw_rows(rows, SPACE.names)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["flow", "network, 1 minutes"]


def test_a_folder_of_another_comparison_is_refused(problem, tmp_path):
    open_rows(tmp_path, problem)
    open_rows(tmp_path, problem)
    other = Problem(problem.train, problem.validation, problem.test, {}, "maps", "params", 1, 1)
    with pytest.raises(InputError, match="expected a folder of the same comparison. Received: other split_seed"):
        open_rows(tmp_path, other)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    maps, params = write_lognormal(folder, simulations=40, map_size=16, maps_per_simulation=3, seed=0)
    return ["--maps", str(maps), "--params", str(params)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rival", "rigde"], "--rival: expected names among ridge, network, .* Received: 'rigde'"),
        (["--rival", "", "--ours", "no_run"], "no_run: expected"),
        (["--rival", "ridge", "--parameters", "Omega_m,sigma_8,h"], "h"),
    ],
)
def test_wrong_input_is_one_sentence(files, tmp_path, capsys, arguments, words):
    assert main([*files, "--out", str(tmp_path / "out"), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(words, error)


def test_ridge_by_the_command(files, tmp_path, capsys):
    out = tmp_path / "out"
    assert main([*files, "--out", str(out), "--rival", "ridge"]) == 0
    content = json.loads((out / "rivals.json").read_text())
    row = content["rivals"]["ridge"]
    assert row["metrics"]["information_gain_nats"]["value"] > 0.1
    assert row["training"]["cpu_seconds"] > 0.0
    assert content["problem"]["num_simulations"] == {"train": 28, "validation": 4, "test": 8}
    assert (out / "rivals.png").stat().st_size > 1000
    assert (out / "rivals.md").read_text() in capsys.readouterr().out
    before = (out / "rows" / "ridge.json").stat().st_mtime_ns
    assert main([*files, "--out", str(out), "--rival", "ridge"]) == 0
    assert (out / "rows" / "ridge.json").stat().st_mtime_ns == before
    assert "ridge: is there" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::higlow_tf.errors.InputWarning")  # few simulations
def test_all_rivals_of_the_core_install_in_one_table(files, tmp_path):
    out = tmp_path / "out"
    options = ["--out", str(out), "--symmetries", "2", "--minutes", "0.05"]
    assert main([*files, *options, "--rival", "network,hiflow,trenf"]) == 0
    run = out / "runs" / "trenf_0.05min"
    assert main([*files, *options, "--rival", "ridge", "--ours", str(run)]) == 0
    rows = json.loads((out / "rivals.json").read_text())["rivals"]
    assert set(rows) == {"network_0.05min", "hiflow_0.05min", "trenf_0.05min", "ridge", "ours_trenf_0.05min"}
    assert rows["ridge"]["metrics"]["gain_difference_nats"]["value"] is not None
    same = [rows[name]["metrics"]["information_gain_nats"]["value"] for name in ("trenf_0.05min", "ours_trenf_0.05min")]
    assert math.isclose(*same, rel_tol=1e-6)
    for row in rows.values():
        assert row["training"]["num_weights"] > 100
    other_split = [*files, "--out", str(tmp_path / "other"), "--split-seed", "1", "--rival", "", "--ours", str(run)]
    assert main(other_split) == 2
