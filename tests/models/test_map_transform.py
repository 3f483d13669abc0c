"""Maps in their own units: the density beside that of log10 maps, data that are refused, and any names and sizes."""

import json
import warnings
from dataclasses import replace

import h5py
import numpy as np
import pytest
import tensorflow as tf
from flow_cases import CASES, randomise
from flow_contract import CHECKS
from scipy.stats import norm
from toy_models import TINY_8

from higlow_tf.data import HIMapDataset, ParameterSpec, fit_map_scaler
from higlow_tf.errors import InputError, InputWarning
from higlow_tf.models import ConditionalGlow, fit_end_layers, load_model, save_model, write_samples
from higlow_tf.models.model_file import read_model_config

# float64 through a whole flow, and sums over 64 pixels.
EXACT = 1e-9
PARAMETERS = [
    ParameterSpec("amplitude", low=0.5, high=2.0, transform="log"),
    ParameterSpec("tilt", low=0.0, high=1.0),
    ParameterSpec("mean", low=-1.0, high=1.0),
]
# Those that see the units of the map.
CHECKS_OF_UNITS = ("inverse", "change of variables", "integral", "bad maps")
THETA = np.array([[1.0, 0.3, 0.2], [0.7, 0.9, -0.5], [1.9, 0.1, 0.9]])


@pytest.fixture(autouse=True)
def eagerly():
    """A model is asked few questions here, and tracing would take most of the time."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def images(num_simulations=12, maps_per_simulation=8, size=8, seed=0):
    """Maps with negative pixels, whose mean and amplitude are parameters."""
    rng = np.random.default_rng(seed)
    theta = np.repeat(rng.uniform([0.5, 0.0, -1.0], [2.0, 1.0, 1.0], (num_simulations, 3)), maps_per_simulation, axis=0)
    noise = rng.standard_normal((len(theta), size, size))
    smooth = (noise + np.roll(noise, 1, axis=1)) / 2.0
    amplitude, tilt, mean = theta.T[..., None, None]
    return mean + amplitude * (tilt * smooth + (1.0 - tilt) * noise), theta


def make_dataset(map_transform="identity", factor=1.0):
    maps, theta = images()
    return HIMapDataset.from_arrays(factor * maps, theta, parameters=PARAMETERS, map_transform=map_transform)


def make_model(**changes):
    """Small, with random weights, and no function of it compiled by XLA."""
    model = ConditionalGlow(
        **TINY_8, parameters=PARAMETERS, **{"map_transform": "identity", "dtype": "float64"} | changes
    )
    randomise(model)
    model.compile(jit_compile=False)
    return model


@pytest.mark.parametrize("check", CHECKS_OF_UNITS)
@pytest.mark.parametrize("name", ["ConditionalGlow with pixel curve and end layers", "HIFlow, reversed, two nuisances"])
def test_flows_of_maps_keep_the_contract(name, check):
    case = CASES[name]
    CHECKS[check](replace(case, config=case.config | {"map_transform": "identity"}))


def test_a_log10_model_is_that_of_the_logarithm_seen_as_a_map():
    """Without tails the two are one flow: of the log10 map as a map, and of the map, with the Jacobian of log10."""
    identity, log10 = make_model(), make_model(map_transform="log10")
    for target, source in zip(log10.weights, identity.weights, strict=True):
        target.assign(source.numpy())
    for model in (identity, log10):
        model.map_lowest.assign([-9.0])
        model.map_highest.assign([9.0])
    u = np.random.default_rng(0).normal(0.1, 0.4, (3, 8, 8))
    np.testing.assert_allclose(log10.log_prob(10.0**u, THETA), identity.log_prob(u, THETA), rtol=EXACT)
    # The density of the positive map per unit of the map: the autodiff Jacobian of the whole log10 bijector.
    maps = tf.transpose(tf.constant(10.0**u)[..., None], [3, 1, 2, 0])
    z, ildj = log10.bijector.inverse_and_log_det(maps, log10.normalize(THETA))
    per_unit = norm.logpdf(z.numpy()).sum(axis=0) + ildj
    jacobian = np.log(10.0**u * np.log(10.0)).sum(axis=(1, 2))
    np.testing.assert_allclose(log10.log_prob(10.0**u, THETA), per_unit + jacobian, rtol=EXACT)


def test_the_density_follows_the_units_of_the_map():
    """A map in units a times smaller has numbers a times larger, and a density of D ln a nats less."""
    factor, log_prob = 1000.0, []
    for each in (make_dataset(), make_dataset(factor=factor)):
        model = ConditionalGlow(**TINY_8, parameters=PARAMETERS, map_transform="identity", dtype="float64")
        model.compile(jit_compile=False)
        model.initialize(each)
        log_prob.append(model.log_prob(each.maps, each.theta).numpy())
    np.testing.assert_allclose(log_prob[1], log_prob[0] - 64 * np.log(factor), rtol=1e-5)  # pixels are float32


def test_initialize_takes_scaler_and_extremes_of_the_maps():
    data = make_dataset()
    model = make_model().initialize(data)
    assert np.allclose(model.map_shift, data.maps.mean(dtype=np.float64))
    assert np.allclose(np.exp(model.map_log_scale), data.maps.std(dtype=np.float64))
    assert (model.map_lowest.numpy()[0], model.map_highest.numpy()[0]) == (data.maps.min(), data.maps.max())
    assert data.maps.min() < 0.0
    assert data.units == "not stated"
    assert np.isfinite(model.log_prob(data.maps, data.theta)).all()


def test_a_fresh_model_of_any_range_draws_what_it_encodes():
    """Before `initialize` the tails begin nowhere, whatever the units."""
    model = ConditionalGlow(**TINY_8, parameters=PARAMETERS, map_transform="identity")
    model.compile(jit_compile=False)
    maps = 1e6 * np.random.default_rng(0).standard_normal((3, 8, 8)).astype("f4")
    np.testing.assert_allclose(model.decode(model.encode(maps, THETA), THETA), maps, rtol=1e-4, atol=10.0)


def test_saving_carries_the_transform(tmp_path):
    model = make_model(dtype="float32")
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    loaded.compile(jit_compile=False)
    assert loaded.map_transform == "identity"
    assert read_model_config(tmp_path / "model" / "model.keras")["map_transform"] == "identity"
    np.testing.assert_array_equal(loaded.sample(THETA, seed=1), model.sample(THETA, seed=1))
    write_samples(loaded, THETA, tmp_path / "samples.h5", seed=1)
    with h5py.File(tmp_path / "samples.h5") as file:
        assert file.attrs["units"] == "not stated"
        np.testing.assert_array_equal(file["maps"], model.sample(THETA, seed=1))


def test_end_layers_are_fitted_to_maps_with_negative_pixels():
    data = make_dataset()
    model = ConditionalGlow(**TINY_8, parameters=PARAMETERS, map_transform="identity", dtype="float64")
    model.compile(jit_compile=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)  # there are few maps
        fit = fit_end_layers(model.initialize(data), data)
    assert fit.num_unusable == 0
    assert max(fit.after.values()) < 0.5 * max(fit.before.values())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: make_dataset(map_transform="log10"),
            r'negative and not logarithms \(other maps need map_transform="ident',
        ),
        (lambda: make_dataset(map_transform="sqrt"), r"one of log10, identity .*Received: 'sqrt'"),
        (lambda: make_model(map_transform="logl0"), r"did you mean 'log10'\?\)\. Received: 'logl0'"),
        (
            lambda: make_model(map_transform="log10").initialize(make_dataset()),
            r'map_transform="identity".*negative pixels',
        ),
        (
            lambda: fit_map_scaler(make_dataset()),
            r'map_transform="identity" models the maps themselves.*negative pixels',
        ),
    ],
)
def test_what_has_no_log10_is_refused_with_the_other_way(make, words):
    with pytest.raises(InputError, match=words):
        make()


def test_positive_maps_may_be_modelled_as_they_are():
    maps, theta = images()
    data = HIMapDataset.from_arrays(np.abs(maps), theta, parameters=PARAMETERS)
    model = make_model().initialize(data)
    assert np.allclose(model.map_shift, np.abs(maps).mean(), rtol=1e-6)


@pytest.mark.parametrize(("map_size", "num_levels"), [(64, 4), (32, 3), (16, 2), (28, 2), (6, 1), (2, 1)])
def test_the_number_of_levels_fits_the_maps(map_size, num_levels):
    model = ConditionalGlow(map_size, 3, PARAMETERS, num_steps_per_level=1, width=4)
    assert model.num_levels == num_levels
    assert json.loads(json.dumps(model.get_config()))["num_levels"] == num_levels
    assert model.num_channels == 3
    assert model.parameters.names == ("amplitude", "tilt", "mean")


def test_an_odd_size_is_one_sentence():
    with pytest.raises(InputError, match="a map size that 2 divides, for 1 levels. Received: 15"):
        ConditionalGlow(15)
