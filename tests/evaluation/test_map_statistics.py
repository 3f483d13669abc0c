"""All statistics of two samples of maps: those of the diagnostics alone, reasons for what is missing, and progress."""

import warnings
from dataclasses import asdict

import numpy as np
import pytest
from toy_samples import paired_samples

from higlow_tf.diagnostics import (
    MAP_FIELDS,
    classifier_test,
    compare_power,
    compare_spread,
    nearest_training_map,
    power_response,
)
from higlow_tf.errors import InputError
from higlow_tf.evaluation import map_statistics
from higlow_tf.evaluation.map_statistics import measure_maps

NAMES = ("Omega_m", "sigma_8")


def maps_of(num_maps, seed):
    return 10 ** (6.5 + 0.4 * np.random.default_rng(seed).normal(size=(num_maps, 8, 8)))


def samples_of_simulations(num_simulations):
    theta = np.random.default_rng(0).uniform([0.2, 0.7], [0.4, 0.9], size=(num_simulations, 2))
    maps = maps_of(num_simulations, 1), maps_of(num_simulations, 2)
    return paired_samples(*maps, real_theta=theta, generated_theta=theta)


def test_equals_the_diagnostics_alone_and_reports_progress():
    calls = []
    training = maps_of(10, seed=3)
    statistics = measure_maps(
        samples_of_simulations(30), training, parameter_names=NAMES, seed=4, progress=lambda *call: calls.append(call)
    )
    samples = samples_of_simulations(30)
    assert list(statistics.powers) == list(MAP_FIELDS)
    for measured, alone in (
        (statistics.powers["overdensity"], compare_power(samples, field="overdensity", seed=4)),
        (statistics.classifier, classifier_test(samples, seed=4)),
        (statistics.trees, classifier_test(samples, kind="trees", seed=4)),
        (statistics.spread, compare_spread(samples, seed=4)),
        (statistics.nearest, nearest_training_map(samples, training, seed=4)),
        (statistics.response, power_response(samples, parameter_names=NAMES, seed=4)),
    ):
        np.testing.assert_equal(asdict(measured), asdict(alone))
    assert statistics.not_measured == {}
    assert calls == [("statistics", done, 10) for done in range(11)]


def test_few_simulations_warn_of_no_statistic_and_leave_reasons():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        statistics = measure_maps(samples_of_simulations(3), "they are far away", parameter_names=NAMES, seed=0)
    assert statistics.not_measured["nearest"] == "they are far away"
    assert statistics.nearest is None
    assert statistics.response is statistics.spread is None
    assert "take out a linear function of 2 parameters" in statistics.not_measured["spread"]
    assert "determine a quadratic polynomial" in statistics.not_measured["response"]
    assert statistics.powers["log10"].mean_ratio_error is None


def test_maps_too_small_for_some_statistics_have_the_others():
    theta = np.random.default_rng(0).uniform(size=(24, 2))
    maps = 10 ** np.random.default_rng(1).normal(size=(2, 24, 6, 6))
    samples = paired_samples(*maps, real_theta=theta, generated_theta=theta)
    statistics = measure_maps(samples, "no", parameter_names=NAMES, seed=0)
    assert "expected at least 8 pixels a side" in statistics.not_measured["summaries"]
    assert statistics.summaries == {}
    assert set(statistics.not_measured) == {"nearest", "summaries"}


@pytest.mark.parametrize("is_asked_for", [False, True])
def test_the_map_classifier_is_trained_on_request(is_asked_for, monkeypatch):
    asked = []

    def refuse(samples, *, progress, seed):
        asked.append(seed)
        raise InputError("maps: expected more. Received: fewer.")

    monkeypatch.setattr(map_statistics, "map_classifier_test", refuse)
    samples = samples_of_simulations(4)
    statistics = measure_maps(samples, "no", parameter_names=NAMES, seed=5, with_map_classifier=is_asked_for)
    assert asked == ([5] if is_asked_for else [])
    assert statistics.not_measured.get("map_classifier") == (
        "maps: expected more. Received: fewer." if is_asked_for else None
    )


def test_an_error_that_is_not_of_the_input_is_raised():
    with pytest.raises(TypeError):
        measure_maps(samples_of_simulations(5), "no", parameter_names=None, seed=0)
