"""The injectors' perceptrons against NumPy, and their start."""

import numpy as np
import pytest
import tensorflow as tf

from higlow_tf.networks import StackedInjectorNetwork

FLOAT64 = 1e-12  # two small matrix products and two tanh
NUM_STEPS, NUM_OUTPUTS, LIMIT = 3, 4, 0.7
CONDITION = np.array([[-0.8, 0.3], [0.1, 1.0]])


@pytest.fixture
def layer():
    layer = StackedInjectorNetwork(NUM_STEPS, NUM_OUTPUTS, 5, 2, max_log_scale=LIMIT, seed=1, dtype="float64")
    layer.build()
    return layer


def test_is_the_perceptron_of_its_docstring(layer, rng):
    for variable in layer.trainable_variables:
        variable.assign(rng.standard_normal(variable.shape))
    output = layer(tf.constant(CONDITION))
    w1, b1, w2, b2 = (variable.numpy() for variable in (layer.w1, layer.b1, layer.w2, layer.b2))
    for k in range(NUM_STEPS):
        raw = np.tanh(CONDITION @ w1[k].T + b1[k]) @ w2[k].T + b2[k]
        expected = {"shift": raw[:, :NUM_OUTPUTS], "log_scale": LIMIT * np.tanh(raw[:, NUM_OUTPUTS:] / LIMIT)}
        for name, value in expected.items():
            np.testing.assert_allclose(output[name][k, :, 0, 0, :], value.T, rtol=0.0, atol=FLOAT64)


def test_starts_as_the_identity(layer):
    output = layer(tf.constant(CONDITION))
    for name in ("shift", "log_scale"):
        assert output[name].shape == (NUM_STEPS, NUM_OUTPUTS, 1, 1, len(CONDITION))
        np.testing.assert_array_equal(output[name], 0.0)


def test_start_at_gives_the_numbers_for_every_condition(layer, rng):
    shift, log_scale = rng.standard_normal((NUM_STEPS, NUM_OUTPUTS)), rng.uniform(-1.0, 1.0, (NUM_STEPS, NUM_OUTPUTS))
    log_scale[0, 0] = 5.0
    layer.start_at(shift, log_scale)
    output = layer(tf.constant(CONDITION))
    for n in range(len(CONDITION)):
        np.testing.assert_allclose(output["shift"][:, :, 0, 0, n], shift, rtol=0.0, atol=FLOAT64)
        cut = np.clip(log_scale, -0.9 * LIMIT, 0.9 * LIMIT)
        np.testing.assert_allclose(output["log_scale"][:, :, 0, 0, n], cut, rtol=0.0, atol=FLOAT64)
