"""The way to [-1, 1] and back in TensorFlow beside that in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from higlow_tf.data import ParameterSpace, ParameterSpec
from higlow_tf.data import parameter_tensors as tensors

# A dozen roundings of float64, of numbers near 1 in normalised coordinates and near 100 in theta.
ROUNDINGS = 1e-14
SPACE = ParameterSpace(
    (
        ParameterSpec("linear", "l", 0.1, 0.5),
        ParameterSpec("log", "g", 0.25, 4.0, "log"),
        ParameterSpec("shifted", "s", -30.0, -29.0),
        ParameterSpec("wide", "w", 1e-3, 100.0, "log"),
    )
)


@pytest.fixture(params=[False, True], ids=["eager", "graph"])
def wrap(request):
    """Eager, or inside a tf.function of an unknown number of rows."""
    specs = [tf.TensorSpec([None, len(SPACE)], tf.float64)]
    return (lambda function: tf.function(function, input_signature=specs)) if request.param else (lambda f: f)


def test_tensorflow_says_what_numpy_says(wrap):
    # Beyond the prior too: the formula goes on.
    normalized = np.concatenate([np.random.default_rng(0).uniform(-1.2, 1.2, (50, 4)), [[-1.0] * 4, [1.0] * 4]])
    theta = SPACE.denormalize(normalized)
    forward = wrap(lambda theta: tensors.normalize(SPACE, theta))(tf.constant(theta))
    back = wrap(lambda condition: tensors.denormalize(SPACE, condition))(tf.constant(normalized))
    np.testing.assert_allclose(forward, SPACE.normalize(theta), rtol=0, atol=100 * ROUNDINGS)
    np.testing.assert_allclose(back, theta, rtol=ROUNDINGS)
    assert forward.dtype == back.dtype == tf.float64


def test_the_precision_is_that_of_the_caller():
    theta = tf.constant([[0.3, 1.0, -29.5, 1.0]], tf.float32)
    normalized = tensors.normalize(SPACE, theta)
    assert normalized.dtype == tensors.denormalize(SPACE, normalized).dtype == tf.float32


def test_gradients_are_the_derivatives_of_numpy():
    theta = tf.constant(SPACE.denormalize([[0.3, -0.2, 0.1, 0.4]]))
    with tf.GradientTape() as tape:
        tape.watch(theta)
        total = tf.reduce_sum(tensors.normalize(SPACE, theta))
    per_theta = SPACE.normalized_per_unit / np.where(SPACE.is_log, theta[0], 1.0)
    np.testing.assert_allclose(tape.gradient(total, theta)[0], per_theta, rtol=100 * ROUNDINGS)
