"""Scores of parameters and densities against closed forms."""

import numpy as np
import pytest

from higlow_tf.diagnostics import coverage, density_score, paired_difference, parameter_scores
from higlow_tf.errors import InputError, InputWarning

NAMES = ("Omega_m", "sigma_8")
BOOTSTRAP_SCATTER = 0.2  # 200 resamples scatter by 5 %, the variance of 300 squares by about 10 %


def posteriors(num_rows, seed=0, scatter=0.05, claimed=0.05):
    """Truths in the prior, means that scatter by `scatter`, and claimed standard deviations."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform([0.1, 0.6], [0.5, 1.0], size=(num_rows, 2))
    return truth, truth + scatter * rng.normal(size=truth.shape), np.full_like(truth, claimed)


def test_values_are_their_definitions():
    truth, mean, sd = posteriors(50)
    scores = parameter_scores(truth, mean, sd, np.arange(50), NAMES)
    for i, name in enumerate(NAMES):
        error2 = (mean - truth)[:, i] ** 2
        assert scores.rmse[name].value == pytest.approx(np.sqrt(error2.mean()))
        assert scores.r2[name].value == pytest.approx(1 - error2.mean() / truth[:, i].var())
        assert scores.pull2[name].value == pytest.approx(error2.mean() / 0.05**2)
        assert scores.rmse[name].n_simulations == 50
    assert scores.average["pull2"].value == pytest.approx(np.mean([scores.pull2[name].value for name in NAMES]))
    metrics = scores.metrics()
    assert metrics["rmse"] == scores.average["rmse"]
    assert metrics["r2_sigma_8"] == scores.r2["sigma_8"]
    assert len(metrics) == 9


def test_errors_are_the_analytic_ones():
    num_rows = 300
    scores = parameter_scores(*posteriors(num_rows, claimed=0.025), np.arange(num_rows), NAMES)
    for name in NAMES:
        assert scores.pull2[name].error == pytest.approx(4 * np.sqrt(2 / num_rows), rel=BOOTSTRAP_SCATTER)
        assert scores.rmse[name].error == pytest.approx(0.05 / np.sqrt(2 * num_rows), rel=BOOTSTRAP_SCATTER)


def test_copies_inside_a_simulation_add_no_knowledge():
    truth, mean, sd = posteriors(40)
    once = parameter_scores(truth, mean, sd, np.arange(40), NAMES)
    rows = np.repeat(np.arange(40), 15)
    copies = parameter_scores(truth[rows], mean[rows], sd[rows], rows, NAMES)
    assert copies.rmse["Omega_m"].error == pytest.approx(once.rmse["Omega_m"].error)
    assert copies.r2["Omega_m"].value == pytest.approx(once.r2["Omega_m"].value)


def test_r2_is_undefined_where_the_truth_does_not_vary():
    truth, mean, sd = posteriors(20)
    truth[:, 0] = 0.3
    scores = parameter_scores(truth, mean, sd, np.arange(20), NAMES)
    assert scores.r2["Omega_m"].value is None
    assert scores.r2["Omega_m"].error is None
    assert scores.r2["sigma_8"].value is not None
    assert scores.rmse["Omega_m"].error > 0


def test_coverage_of_uniform_levels_is_the_level():
    # The seed of the data is that of the resamples: they must not be correlated all the same.
    levels = np.random.default_rng(0).uniform(size=2000)
    metric = coverage(levels, np.arange(2000), level=0.68)
    analytic = np.sqrt(0.68 * 0.32 / 2000)
    assert metric.error == pytest.approx(analytic, rel=BOOTSTRAP_SCATTER)
    assert abs(metric.value - 0.68) < 4 * analytic
    assert coverage([0.1, 0.68, 0.9, 1.0], np.arange(4)).value == 0.5


def test_density_score_is_nats_per_pixel_of_the_negative_log():
    log_prob = 4096 * (0.6 + 0.01 * np.random.default_rng(0).normal(size=300))
    metric = density_score(log_prob, np.arange(300), 4096)
    assert metric.value == pytest.approx(-log_prob.mean() / 4096)
    assert metric.error == pytest.approx(0.01 / np.sqrt(300), rel=BOOTSTRAP_SCATTER)
    assert metric.floor is None
    assert metric.n_simulations == 300


def test_unequal_simulations_weigh_by_their_maps():
    metric = density_score([-1.0, -1.0, -1.0, -5.0, -1.0, -1.0], [0, 0, 0, 1, 2, 3], 1)
    assert metric.value == pytest.approx(10 / 6)


def test_paired_difference_cancels_what_both_share():
    rng = np.random.default_rng(0)
    shared, difference = 10 * rng.normal(size=300), 0.5 + 0.1 * rng.normal(size=300)
    metric = paired_difference(shared + difference, shared, np.arange(300))
    assert metric.value == pytest.approx(difference.mean())
    assert metric.error == pytest.approx(0.1 / np.sqrt(300), rel=BOOTSTRAP_SCATTER)


def test_seed_fixes_the_error():
    values, simulation = np.random.default_rng(0).normal(size=20), np.arange(20)
    errors = [density_score(values, simulation, 1, seed=seed).error for seed in (0, 0, 1)]
    assert errors[0] == errors[1] != errors[2]


@pytest.mark.parametrize(
    "score",
    [
        lambda simulation: density_score(np.zeros(6), simulation, 1),
        lambda simulation: coverage(np.zeros(6), simulation),
        lambda simulation: paired_difference(np.zeros(6), np.ones(6), simulation),
        lambda simulation: parameter_scores(*posteriors(6), simulation, NAMES).rmse["sigma_8"],
    ],
)
def test_too_few_simulations_have_no_error_bar(score):
    with pytest.warns(InputWarning, match=r"no error bar.*Received: 3"):
        metric = score(np.repeat(np.arange(3), 2))
    assert metric.value is not None
    assert metric.error is None
    assert metric.n_simulations == 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: density_score([0.0, np.nan], [0, 1], 4), r"log_prob: expected finite numbers\. Received: 1 that"),
        (lambda: density_score([0.0, 1.0], [0, 1], 0), r"num_pixels: .*Received: 0"),
        (lambda: density_score([], [], 4), r"log_prob: .*not empty\. Received: \(0,\)"),
        (lambda: density_score([0.0, 1.0], [0], 4), r"simulation: .*Received: \(1,\)"),
        (lambda: coverage([0.5, 1.2], [0, 1]), r"hpd_level: .*Received: 0\.5 to 1\.2"),
        (lambda: coverage([0.5, 0.2], [0, 1], level=68.0), r"level: .*Received: 68"),
        (lambda: paired_difference([1.0], [1.0, 2.0], [0]), r"b: expected the shape \(1,\)\. Received: \(2,\)"),
        (lambda: parameter_scores(*posteriors(5), np.arange(5), ["a"]), r"names: expected 2 .*Received: \['a'\]"),
        (lambda: parameter_scores(*posteriors(5, claimed=0.0), np.arange(5), NAMES), r"sd: expected positive.*0"),
    ],
)
def test_wrong_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
