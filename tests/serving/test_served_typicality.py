"""The p-value of `posterior` is that of the reference in Python."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from higlow_tf.data.parameters import ParameterSpace
from higlow_tf.inference import TypicalityReference, typicality_features
from higlow_tf.serving.served_typicality import typicality_p_value

TOLERANCE = 1e-4
SHAPES = [(3, 2, 2), (1, 4, 2)]


def white_latents(maps):
    """Latents of two levels, of maps `[N, 4, 5, 1]`."""
    return np.log(maps).reshape(len(maps), -1).astype(np.float32)


class ToyFlow:
    """A model in Python, and as graph functions, whose latents are the logarithms of the pixels."""

    latent_shapes = SHAPES

    def log_prob_by_level(self, hi_maps, theta):
        return np.stack([white_latents(hi_maps).sum(axis=1), np.sum(theta, axis=1)], axis=1)

    def encode(self, hi_maps, theta):
        return white_latents(hi_maps)

    def infer_latents(self, hi_maps, theta):
        return tf.reshape(tf.math.log(hi_maps), [-1, 20])

    def density_by_level(self, hi_maps, theta):
        return tf.stack([tf.reduce_sum(self.infer_latents(hi_maps, theta), 1), tf.reduce_sum(theta, 1)], axis=1)


def maps_of(theta, seed, scale=1.0):
    noise = np.random.default_rng(seed).standard_normal((len(theta), 4, 5, 1))
    return np.exp(scale * noise + theta[:, :1, None, None]).astype(np.float32)


@pytest.mark.parametrize("num_simulations", [5, 12, 40])  # constant, linear, quadratic
@pytest.mark.parametrize("names", [["Omega_m", "sigma_8"], ["A_SN1", "sigma_8"]])
def test_p_values_are_those_of_the_reference(num_simulations, names):
    space, flow = ParameterSpace.from_names(names), ToyFlow()
    theta = space.sample_uniform(200, seed=0).astype(np.float32)
    features, feature_names = typicality_features(flow, maps_of(theta, seed=1), theta)
    reference = TypicalityReference.fit(features, feature_names, theta, np.arange(200) % num_simulations, space)
    new = np.concatenate(
        [maps_of(theta[:60], seed=2), maps_of(theta[60:80], 3, scale=1.5), maps_of(theta[80:100], 4, 3.0)]
    )
    expected = reference.score(typicality_features(flow, new, theta[:100])[0], theta[:100]).p_value
    found = typicality_p_value(
        flow, reference, tf.constant(new), tf.constant(theta[:100]), tf.constant(theta[:100])
    ).numpy()
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)
    assert expected.min() == pytest.approx(1 / 201)
    assert expected.max() > 0.9


def test_a_latent_that_is_not_finite_has_the_least_p_value():
    space, flow = ParameterSpace.from_names(["Omega_m", "sigma_8"]), ToyFlow()
    theta = space.sample_uniform(20, seed=0).astype(np.float32)
    features, names = typicality_features(flow, maps_of(theta, seed=1), theta)
    reference = TypicalityReference.fit(features, names, theta, np.arange(20), space)
    overflowing = SimpleNamespace(
        latent_shapes=SHAPES,
        density_by_level=flow.density_by_level,
        infer_latents=lambda maps, theta: np.inf * flow.infer_latents(maps, theta),
    )
    found = typicality_p_value(
        overflowing, reference, tf.constant(maps_of(theta, seed=1)), tf.constant(theta), tf.constant(theta)
    )
    np.testing.assert_allclose(found, 1 / 21, rtol=TOLERANCE)


def test_the_served_p_value_is_that_of_the_model(served):
    maps = np.concatenate([served.model.sample(served.theta, seed=9).numpy(), served.maps, 3.0 * served.maps[:2]])
    grid = np.zeros((len(maps), 0, 2), np.float32)
    found = served.signatures["posterior"](hi_map=tf.constant(maps), theta_grid=tf.constant(grid))
    mean = found["posterior_mean"].numpy()
    reference = TypicalityReference.from_config(served.model.typicality)
    expected = reference.score(typicality_features(served.model, maps, mean)[0], mean).p_value
    np.testing.assert_allclose(found["typicality"], expected, atol=TOLERANCE)
    assert expected[-1] == pytest.approx(1 / 81)
    assert expected.max() > 0.1


def test_maps_in_other_units_shuffled_or_constant_are_unlike_those_of_training(served):
    usual = served.model.sample(served.theta, seed=9).numpy()
    shuffled = np.random.default_rng(0).permuted(usual.reshape(10, -1), axis=1).reshape(usual.shape)
    constant = np.broadcast_to(np.median(usual, axis=(1, 2), keepdims=True), usual.shape)
    for maps in (10.0 * usual, shuffled, constant):
        grid = np.zeros((10, 0, 2), np.float32)
        found = served.signatures["posterior"](hi_map=tf.constant(maps, tf.float32), theta_grid=tf.constant(grid))
        assert np.median(found["typicality"]) < 0.03


def test_a_model_without_a_reference_cannot_tell():
    found = typicality_p_value(ToyFlow(), None, tf.ones([3, 4, 5, 1]), tf.ones([3, 2]), tf.ones([3, 2])).numpy()
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [np.nan] * 3)
