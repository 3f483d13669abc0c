"""Calibration diagnostics on posteriors whose calibration is known."""

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import kstest

from higlow_tf.diagnostics import (
    calibration_scores,
    calibration_verdict,
    coverage_curve,
    marginal_ranks,
    rank_ecdf,
    tarp_ranks,
)
from higlow_tf.errors import InputError, InputWarning

NAMES = ("Omega_m", "sigma_8")
SD = np.array([0.06, 0.05])
PRIOR = (np.array([-2.0, -2.0]), np.array([2.0, 2.0]))
# A grid of cells of 0.8 sd spreads a Gaussian to sqrt(1 + 0.8**2 / 12) = 1.03 sd; ranks may be off by that.
COARSE_GRID_RANK_ERROR = 0.01


def grid_around(centre, width, num_points):
    axis = (np.arange(num_points) + 0.5) / num_points * 2 - 1
    plane = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    return centre + width * plane


def gaussian_cases(num_simulations, maps_per_simulation=1, seed=0, claimed=1.0, num_points=12, shared=0.0):
    """Exact Gaussian posteriors under a flat prior, on grids of their own; `claimed` scales their width.

    A share `shared` of the variance of the errors is common to the maps of a simulation.
    """
    rng = np.random.default_rng(seed)
    truth = np.repeat(rng.uniform(-1, 1, size=(num_simulations, 2)), maps_per_simulation, axis=0)
    common = np.repeat(rng.normal(size=(num_simulations, 2)), maps_per_simulation, axis=0)
    noise = np.sqrt(shared) * common + np.sqrt(1 - shared) * rng.normal(size=truth.shape)
    mean = truth + SD * noise
    points = np.stack([grid_around(m, 4.5 * SD, num_points) for m in mean])
    log_mass = -0.5 * np.sum(((points - mean[:, None]) / (claimed * SD)) ** 2, axis=-1)
    hpd_level = 1 - np.exp(-0.5 * np.sum(((truth - mean) / (claimed * SD)) ** 2, axis=1))
    simulation = np.repeat(np.arange(num_simulations), maps_per_simulation)
    return points, log_mass, truth, simulation, hpd_level


def scores_of(*case, **options):
    return calibration_scores(*case, NAMES, num_bootstrap=100, **options)


@pytest.mark.parametrize("num_points", [12, 40])
def test_ranks_are_the_probability_integral_transform(num_points):
    points, log_mass, truth, _, _ = gaussian_cases(50, num_points=num_points)
    exact = ndtr((truth - points.mean(axis=1)) / SD)
    ranks = marginal_ranks(points, log_mass, truth)
    assert np.abs(ranks - exact).max() < COARSE_GRID_RANK_ERROR
    assert np.abs(np.mean(ranks - exact)) < COARSE_GRID_RANK_ERROR / 5


def test_ranks_of_draws_and_of_truths_outside():
    rng = np.random.default_rng(0)
    draws, truth = rng.normal(size=(4000, 2)), np.array([[0.5, -1.0], [9.0, -9.0]])
    ranks = marginal_ranks(draws, np.zeros((2, 4000)), truth)
    # 4000 draws scatter by sqrt(0.25 / 4000) = 0.008.
    assert ranks[0] == pytest.approx(ndtr([0.5, -1.0]), abs=0.03)
    assert ranks[1].tolist() == [1.0, 0.0]


@pytest.mark.parametrize(("maps", "shared"), [(1, 0.0), (5, 0.0), (5, 0.8)])
def test_false_alarms_of_the_band(maps, shared):
    """Ranks that are uniform, in clusters, leave the 95 % band in about 5 % of cases."""
    num_cases, num_simulations = 150, 40
    rng = np.random.default_rng(1)
    common = np.sqrt(shared) * rng.normal(size=(num_cases, num_simulations, 1))
    ranks = ndtr(common + np.sqrt(1 - shared) * rng.normal(size=(num_cases, num_simulations, maps)))
    simulation = np.repeat(np.arange(num_simulations), maps)
    outside = np.mean([not rank_ecdf(case.ravel(), simulation).is_inside for case in ranks])
    # 150 cases scatter by 1.8 %; the variance of clusters is estimated, and errs by some 20 %.
    assert 0.0 < outside < (0.11 if maps == 1 else 0.13)


def test_effective_number_lies_between_simulations_and_maps():
    simulation = np.repeat(np.arange(50), 4)
    ranks = np.random.default_rng(0).uniform(size=(50, 4))
    independent, copies = rank_ecdf(ranks.ravel(), simulation), rank_ecdf(np.repeat(ranks[:, 0], 4), simulation)
    assert copies.effective_number == 50
    assert 120 < independent.effective_number <= 200
    alone = rank_ecdf(ranks[:, 0], np.arange(50))
    assert alone.effective_number == 50
    assert alone.ecdf == pytest.approx(copies.ecdf)
    assert np.all((alone.lower <= alone.levels) & (alone.levels <= alone.upper))


def test_band_and_p_value_agree():
    rng = np.random.default_rng(3)
    for ranks in (rng.uniform(size=200), rng.beta(0.5, 0.5, size=200), rng.beta(1.5, 1.0, size=200)):
        curve = rank_ecdf(ranks, np.arange(200))
        assert curve.is_inside == bool(np.all((curve.ecdf >= curve.lower) & (curve.ecdf <= curve.upper)))


def test_tarp_ranks_of_exact_posteriors_are_uniform():
    points, log_mass, truth, _, _ = gaussian_cases(400, num_points=24)
    assert kstest(tarp_ranks(points, log_mass, truth, box=PRIOR), "uniform").pvalue > 0.01
    narrow = tarp_ranks(points, 4 * log_mass, truth, box=PRIOR)
    assert kstest(narrow, "uniform").pvalue < 1e-6
    assert np.mean(np.abs(narrow - 0.5) < 0.34) < 0.55


def test_scores_of_exact_posteriors():
    case = gaussian_cases(300, seed=2)
    scores = scores_of(*case, log_prior_density=-np.log(4.0), box=PRIOR)
    metrics = scores.metrics()
    assert {"coverage_68", "coverage_95", "pull2", "rmse", "r2", "information_gain_nats"} < set(metrics)
    assert {"tarp_68", "tarp_p_value", "rank_p_value_Omega_m", "rank_p_value_sigma_8"} < set(metrics)
    # E log p(truth) of a Gaussian is minus its entropy, sum(log(sd)) + P / 2 * (1 + log(2 pi)).
    gain = np.log(4.0) - np.log(SD).sum() - 1 - np.log(2 * np.pi)
    assert metrics["information_gain_nats"].value == pytest.approx(gain, abs=4 / np.sqrt(300))
    assert metrics["information_gain_nats"].error == pytest.approx(1 / np.sqrt(300), rel=0.3)
    assert metrics["pull2"].value == pytest.approx(1.0, abs=4 * np.sqrt(1 / 300))
    assert metrics["tarp_68"].value == pytest.approx(0.68, abs=0.12)
    assert all(metric.n_simulations == 300 for metric in metrics.values())
    assert np.all(np.abs(scores.coverage.coverage - scores.coverage.levels) < 4.5 * scores.coverage.error)


def test_information_gain_on_grids_and_draws():
    rng = np.random.default_rng(0)
    mean, sd = np.array([0.3, 0.8]), np.array([0.05, 0.04])
    truth = mean + sd * rng.normal(size=(40, 2))
    exact = -0.5 * (((truth - mean) / sd) ** 2).sum(axis=1) - np.log(sd).sum() - np.log(2 * np.pi)
    order = rng.permutation(400)
    points = grid_around(mean, 4.5 * sd, 20)[order]
    log_mass = np.broadcast_to(-0.5 * (((points - mean) / sd) ** 2).sum(axis=1), (40, 400))
    levels = rng.uniform(size=40)
    gains = {}
    for name, (theta_points, mass) in {
        "shared": (points, log_mass),
        "own": (np.broadcast_to(points, (40, 400, 2)), log_mass),
        "draws": (mean + sd * rng.normal(size=(2000, 2)), np.zeros((40, 2000))),
    }.items():
        scores = scores_of(theta_points, mass, truth, np.arange(40), levels, log_prior_density=0.0)
        gains[name] = scores.information_gain.value
    # A spline through a quadratic is exact; what is left is the mass of the tails outside of the grid.
    assert gains["shared"] == pytest.approx(exact.mean(), abs=1e-3)
    assert gains["own"] == pytest.approx(gains["shared"])
    # The kernel estimate is a few per cent too wide and noisy.
    assert gains["draws"] == pytest.approx(exact.mean(), abs=0.15)


@pytest.mark.parametrize(
    ("claimed", "words"), [(0.5, ("too narrow", "too small", "leave their band")), (2.0, ("too wide", "too large"))]
)
def test_wrong_widths_fail_in_words(claimed, words):
    verdict = calibration_verdict(scores_of(*gaussian_cases(60, 3, claimed=claimed, num_points=24, shared=0.5)))
    assert verdict.is_calibrated is False
    assert str(verdict).startswith("Not calibrated (60)")
    assert all(word in str(verdict) for word in words)


def test_biased_posteriors_fail_by_their_ranks():
    points, log_mass, truth, simulation, levels = gaussian_cases(200)
    verdict = calibration_verdict(scores_of(points, log_mass, truth + [0.0, 0.6 * SD[1]], simulation, levels))
    assert verdict.is_calibrated is False
    assert "The ranks of sigma_8 leave their band" in str(verdict)


@pytest.mark.parametrize(("maps", "shared"), [(1, 0.0), (3, 0.5)])
def test_exact_posteriors_pass_about_as_often_as_claimed(maps, shared):
    verdicts = [
        calibration_verdict(scores_of(*gaussian_cases(30, maps, seed=seed, num_points=8, shared=shared)))
        for seed in range(25)
    ]
    failed = np.mean([not verdict.is_calibrated for verdict in verdicts])
    # Three checks of 5 % each, of which two are correlated: about one of ten, which 25 cases give to 6 %.
    assert failed < 0.3


def test_too_few_simulations_have_no_verdict():
    with pytest.warns(InputWarning, match="no error bar"):
        scores = scores_of(*gaussian_cases(3, 4))
    verdict = calibration_verdict(scores)
    assert verdict.is_calibrated is None
    assert str(verdict) == "Too few simulations to tell: 3."


def test_coverage_curve_of_all_levels():
    curve = coverage_curve([0.0, 0.5, 0.5, 1.0], np.arange(4), levels=[0.25, 0.5, 0.75])
    assert curve.coverage.tolist() == [0.25, 0.75, 0.75]
    assert curve.error.shape == (3,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"theta_points": np.zeros((4, 9, 3))}, r"theta_points: expected the shape \(4, 9, 2\)"),
        ({"truth": np.zeros((3, 2))}, r"log_mass, truth: .*Received: \(4, 9\) and \(3, 2\)"),
        ({"truth": np.full((4, 2), np.nan)}, "expected finite parameters"),
        ({"log_mass": np.full((4, 9), -np.inf)}, r"log_mass: expected a finite largest log-mass in row 0.*-inf"),
        ({"hpd_level": np.full(4, 1.5)}, "hpd_level: expected masses"),
        ({"simulation": np.arange(5)}, r"simulation: .*Received: \(5,\)"),
        ({"box": ([0.0, 0.0], [1.0, 0.0])}, "box: expected lower and larger upper edges"),
        ({"theta_points": np.zeros((9, 2))}, "expected points that resolve every posterior"),
    ],
)
def test_wrong_input(change, message):
    case = {
        "theta_points": grid_around(0.0, 1.0, 3),
        "log_mass": np.zeros((4, 9)),
        "truth": np.zeros((4, 2)),
        "simulation": np.arange(4),
        "hpd_level": np.full(4, 0.5),
    }
    with pytest.raises(InputError, match=message):
        calibration_scores(**(case | change), names=NAMES)


def test_wrong_ranks():
    with pytest.raises(InputError, match="ranks: expected numbers"):
        rank_ecdf([0.5, 1.5], [0, 1])
    with pytest.raises(InputError, match=r"band_mass: .*Received: 95"):
        rank_ecdf([0.5, 0.6], [0, 1], band_mass=95)
    with pytest.raises(InputError, match=r"expected two or more values of parameter 0\. Received: 1\.0 only"):
        marginal_ranks(np.ones((5, 1)), np.zeros((2, 5)), np.ones((2, 1)))
