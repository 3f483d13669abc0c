"""Parameters that one does not ask for: how a model knows them, and how rows of theta are completed."""

import json

import numpy as np
import pytest
import scipy.stats
from toy_models import TINY_8

from higlow_tf.errors import InputError
from higlow_tf.models import ConditionalGlow, HIFlow, load_model, save_model

PARAMETERS = ("Omega_m", "sigma_8", "A_SN1")
SMALLEST_P = 1e-4  # the seeds are fixed


@pytest.fixture(scope="module")
def model():
    built = ConditionalGlow(**TINY_8, parameters=PARAMETERS, nuisance=["A_SN1"])
    built.compile(jit_compile=False)
    return built


def test_the_others_are_those_that_one_asks_for(model, tmp_path):
    assert model.nuisance == ("A_SN1",)
    assert model.parameters.names == PARAMETERS
    assert model.parameters_of_interest.names == ("Omega_m", "sigma_8")
    assert json.loads(json.dumps(model.get_config()))["nuisance"] == ["A_SN1"]
    save_model(model, tmp_path / "model")
    assert load_model(tmp_path / "model").nuisance == ("A_SN1",)
    assert ConditionalGlow(**TINY_8).nuisance == ()
    assert ConditionalGlow(**TINY_8).parameters_of_interest.names == ("Omega_m", "sigma_8")


def test_names_are_in_the_order_of_the_parameters():
    for preset, kind in (("tiny", ConditionalGlow), ("hiflow16", HIFlow)):
        size = {"map_size": 4, "width": 4} | ({"num_blocks": 1} if kind is HIFlow else {})
        built = kind.from_preset(preset, parameters=PARAMETERS, nuisance=["A_SN1", "Omega_m"], **size)
        assert built.nuisance == ("Omega_m", "A_SN1")
        assert built.parameters_of_interest.names == ("sigma_8",)
    assert ConditionalGlow(**TINY_8, nuisance="sigma_8").nuisance == ("sigma_8",)


@pytest.mark.parametrize(
    ("nuisance", "words"),
    [
        (["A_SN2"], r"among Omega_m, sigma_8, A_SN1 \(did you mean 'A_SN1'\?\)\. Received: 'A_SN2'"),
        (PARAMETERS, "one parameter or more beside them.*Received: all, Omega_m, sigma_8, A_SN1"),
    ],
)
def test_unknown_names_and_all_of_them_are_refused(nuisance, words):
    with pytest.raises(InputError, match=f"nuisance: expected .*{words}"):
        ConditionalGlow(**TINY_8, parameters=PARAMETERS, nuisance=nuisance)


def test_what_is_not_given_is_drawn_from_its_prior(model):
    theta = model.complete_theta({"sigma_8": 0.8}, count=2000, seed=3)
    assert theta.dtype == np.float64
    assert np.all(theta[:, 1] == 0.8)
    for column, (low, high) in {0: (0.1, 0.5), 2: (np.log(0.25), np.log(4.0))}.items():
        drawn = np.log(theta[:, 2]) if column == 2 else theta[:, column]
        assert scipy.stats.kstest(drawn, "uniform", (low, high - low)).pvalue > SMALLEST_P
    assert abs(scipy.stats.spearmanr(theta[:, 0], theta[:, 2]).statistic) < 0.1


def test_draws_are_independent_of_the_latents_of_the_row(model):
    seeds = np.stack([np.zeros(500, int), np.arange(500)], axis=1)
    latents = scipy.stats.norm.cdf(model.noise(seeds).numpy())
    drawn = model.parameters.normalize(model.complete_theta({}, count=500))
    correlation = np.corrcoef(np.hstack([drawn, latents]).T)[:3, 3:]
    # 192 coefficients of scatter 500**-0.5.
    assert np.abs(correlation).max() < 4.5 / np.sqrt(500)


def test_arrays_have_a_value_a_row(model):
    theta = model.complete_theta({"Omega_m": [0.2, 0.3, 0.4], "A_SN1": np.float32(1.0)}, seed=1)
    np.testing.assert_array_equal(theta[:, [0, 2]], [[0.2, 1.0], [0.3, 1.0], [0.4, 1.0]])
    np.testing.assert_array_equal(theta[:, 1], model.complete_theta({}, count=3, seed=1)[:, 1])
    assert model.complete_theta({"Omega_m": 0.2}).shape == (1, 3)
    assert model.sample({"Omega_m": [0.2, 0.3]}, count=2).shape == (2, 8, 8)


@pytest.mark.parametrize(
    ("values", "count", "words"),
    [
        ({"sigma8": 0.8}, None, r"among Omega_m, sigma_8, A_SN1 \(did you mean 'sigma_8'\?\)\. Received: 'sigma8'"),
        ({"Omega_m": [0.2, 0.3]}, 3, "Received: 2 of Omega_m, 3 of count"),
        ({"Omega_m": [0.2, 0.3], "sigma_8": [0.8]}, None, "Received: 2 of Omega_m, 1 of sigma_8"),
        ({"Omega_m": np.nan}, None, "Omega_m: expected a finite number"),
        ({"Omega_m": "0.3"}, None, "Omega_m: expected a finite number.*Received: '0.3'"),
        ({"Omega_m": [[0.3]]}, None, "Omega_m: expected a finite number"),
        ({"Omega_m": []}, None, "Omega_m: expected a finite number"),
        ({"Omega_m": 0.3}, 0, "count: expected a positive whole number. Received: 0"),
        ({"Omega_m": 0.3}, 2.5, "count: expected a positive whole number. Received: 2.5"),
        ([[0.3, 0.8, 1.0]], 2, "count: expected None beside theta with a row a map. Received: 2"),
    ],
)
def test_what_cannot_be_completed_is_said(values, count, words, model):
    with pytest.raises(InputError, match=words):
        model.sample(values, count=count)
