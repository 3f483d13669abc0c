"""A model with nuisance parameters, served: the same door as that of a model without, and the answers of the package."""

import json

import numpy as np
import pytest
import tensorflow as tf

from higlow_tf.data.parameters import ParameterSpace
from higlow_tf.errors import InputError
from higlow_tf.inference import Calibration, TypicalityReference, infer, typicality_features
from higlow_tf.inference.likelihood import MapLikelihood
from higlow_tf.inference.marginal_likelihood import MarginalLikelihood
from higlow_tf.models import ConditionalGlow
from higlow_tf.serving import export_model

NUISANCE = ("A_SN1", "A_AGN1")
# The nuisance comes first and last, so that an order that is mixed up shows.
PARAMETERS = ParameterSpace.from_names(["A_SN1", "Omega_m", "sigma_8", "A_AGN1"])
CALIBRATION = {"tempering": 0.05, "widening": 0.0, "num_symmetries": 2, "parameters": ("Omega_m", "sigma_8")}
CALIBRATION |= {"nuisance_draws": "adapted"}


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(3)
    model = ConditionalGlow.from_preset("tiny", parameters=PARAMETERS, nuisance=NUISANCE)
    for variable in model.trainable_variables:
        variable.assign(variable.numpy() + 0.05 * rng.standard_normal(variable.shape))
    model.map_shift.assign([6.8])
    model.map_log_scale.assign([np.log(0.45)])
    model.compile(jit_compile=False)
    marginal = MarginalLikelihood(model)
    theta = np.repeat(model.parameters_of_interest.sample_uniform(20, seed=5), 2, axis=0)
    maps = model.sample(dict(zip(("Omega_m", "sigma_8"), theta.T, strict=True)), seed=5).numpy()
    features, names = typicality_features(model, maps, marginal.completed(maps, theta))
    reference = TypicalityReference.fit(features, names, theta, np.repeat(np.arange(20), 2), marginal.parameters)
    model.typicality = reference.to_config()
    return model


@pytest.fixture(scope="module")
def theta():
    return PARAMETERS.without(NUISANCE).sample_uniform(4, seed=1).astype(np.float32)


@pytest.fixture(scope="module")
def maps(model, theta):
    return model.sample(dict(zip(("Omega_m", "sigma_8"), theta.T, strict=True)), seed=2).numpy()


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    return export_model(model, tmp_path_factory.mktemp("nuisance") / "m", calibration=CALIBRATION)


@pytest.fixture(scope="module")
def loaded(path):
    return tf.saved_model.load(str(path))


def test_log_prob_is_integrated_over_the_nuisance(model, loaded, maps, theta):
    found = loaded.signatures["log_prob"](hi_map=tf.constant(maps), theta=tf.constant(theta))
    quick = MarginalLikelihood(model, nuisance_draws="prior")
    expected = [MapLikelihood(quick, hi_map, 0)(theta[i : i + 1])[0] for i, hi_map in enumerate(maps)]
    np.testing.assert_allclose(found["log_prob"], expected, rtol=1e-5)
    assert found["inside_prior"].numpy().all()
    # Not what any single draw says.
    plain = model.log_prob(maps, np.insert(theta, [0, 2], 1.0, axis=1))
    assert np.abs(found["log_prob"] - plain).max() > 1e-2


def test_samples_have_the_nuisance_of_their_row(model, loaded, theta):
    seeds = np.stack([np.full(4, 7), np.arange(4)], axis=1)
    found = loaded.signatures["sample"](
        theta=tf.constant(theta), seed=tf.constant(seeds, tf.int64), temperature=tf.ones(4)
    )
    expected = model.sample(dict(zip(("Omega_m", "sigma_8"), theta.T, strict=True)), seed=7).numpy()
    np.testing.assert_allclose(np.log10(found["hi_map"]), np.log10(expected), rtol=1e-5)


@pytest.mark.parametrize("kind", ["adapted", "prior"])
def test_the_posterior_is_that_of_infer(model, loaded, maps, kind, tmp_path):
    calibration = Calibration(**{**CALIBRATION, "nuisance_draws": kind})
    if kind == "prior":
        loaded = tf.saved_model.load(str(export_model(model, tmp_path / "m", calibration=calibration)))
    found = loaded.signatures["posterior"](hi_map=tf.constant(maps), theta_grid=tf.zeros([4, 0, 2]))
    expected = infer(model, maps, calibration=calibration)
    assert found["log_prob"].shape == (4, 81)
    assert np.abs((found["posterior_mean"] - expected.mean) / expected.sd).max() < 0.02
    np.testing.assert_allclose(found["posterior_sd"], expected.sd, rtol=0.02)


def test_a_map_does_not_see_the_others(loaded, maps):
    spoilt = maps.copy()
    spoilt[1:3] = np.nan
    of_all, of_some = (
        loaded.signatures["posterior"](hi_map=tf.constant(hi_maps), theta_grid=tf.zeros([4, 0, 2]))
        for hi_maps in (maps, spoilt)
    )
    for name in ("log_prob", "posterior_mean", "posterior_sd"):
        np.testing.assert_allclose(of_some[name][::3], of_all[name][::3], rtol=1e-4)
        assert np.isnan(of_some[name][1:3]).all()


def test_typicality_is_that_of_the_package(model, loaded, maps):
    maps = np.concatenate([maps, 3.0 * maps[:1]])
    found = loaded.signatures["posterior"](hi_map=tf.constant(maps), theta_grid=tf.zeros([5, 0, 2]))
    mean = found["posterior_mean"].numpy()
    reference = TypicalityReference.from_config(model.typicality)
    completed = MarginalLikelihood(model).completed(maps, mean)
    expected = reference.score(typicality_features(model, maps, completed)[0], mean).p_value
    np.testing.assert_allclose(found["typicality"], expected, atol=1e-4)


def test_the_card_names_the_nuisance(path):
    card = json.loads((path / "assets.extra" / "model_card.json").read_text())
    assert [entry["name"] for entry in card["parameters"]] == ["Omega_m", "sigma_8"]
    assert [entry["name"] for entry in card["nuisance"]] == list(NUISANCE)
    assert card["signatures"]["sample"]["inputs"]["theta"]["shape"] == [None, 2]


def test_it_can_be_served_at_all_its_parameters(model, maps, tmp_path):
    path = export_model(model, tmp_path / "m", calibration=None, nuisance=())
    loaded = tf.saved_model.load(str(path))
    theta = PARAMETERS.sample_uniform(4, seed=8).astype(np.float32)
    found = loaded.signatures["log_prob"](hi_map=tf.constant(maps), theta=tf.constant(theta))["log_prob"]
    np.testing.assert_allclose(found, model.log_prob(maps, theta), rtol=1e-5)
    with pytest.raises(InputError, match="calibration: expected one of A_SN1, Omega_m"):
        export_model(model, tmp_path / "n", calibration=CALIBRATION, nuisance=())


def test_a_grid_may_have_fewer_points_by_the_number_of_draws(loaded, maps):
    grid = np.broadcast_to(np.float32([0.3, 0.8]), (3, 16384, 2))
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="at most 32768 points in all rows of theta_grid, with 40 more for"
    ):
        loaded.signatures["posterior"](hi_map=tf.constant(maps[:3]), theta_grid=tf.constant(grid))
