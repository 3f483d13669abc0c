"""The LU factors against dense matrices of NumPy."""

import numpy as np
import pytest

from higlow_tf.networks import StackedLUMatrix

FLOAT64 = 1e-11  # products and inverses of 5 x 5 matrices with condition numbers of some hundred
NUM_STEPS, CHANNELS = 3, 5


@pytest.fixture
def layer():
    layer = StackedLUMatrix(NUM_STEPS, CHANNELS, seed=4, dtype="float64")
    layer.build()
    return layer


def assert_is_consistent(layer):
    """Both directions are inverse to each other, and log_abs_det is that of the forward matrix."""
    inverse, forward = layer(direction="inverse"), layer(direction="forward")
    products = inverse["inverse_weight"].numpy() @ forward["weight"].numpy()
    np.testing.assert_allclose(products, np.broadcast_to(np.eye(CHANNELS), products.shape), rtol=0.0, atol=FLOAT64)
    for output in (inverse, forward):
        expected = -np.linalg.slogdet(inverse["inverse_weight"])[1]
        np.testing.assert_allclose(output["log_abs_det"], expected, rtol=0.0, atol=FLOAT64)


def test_starts_at_its_rotations(layer):
    weight = layer(direction="inverse")["inverse_weight"].numpy()
    np.testing.assert_allclose(weight, layer.random_rotations(), rtol=0.0, atol=FLOAT64)
    np.testing.assert_allclose(layer(direction="inverse")["log_abs_det"], np.zeros(NUM_STEPS), rtol=0.0, atol=FLOAT64)
    assert np.abs(weight[0] - weight[1]).max() > 0.1
    assert_is_consistent(layer)


def test_start_at_reproduces_matrices(layer, rng):
    matrices = rng.standard_normal((NUM_STEPS, CHANNELS, CHANNELS))
    layer.start_at(matrices)
    np.testing.assert_allclose(layer(direction="inverse")["inverse_weight"], matrices, rtol=0.0, atol=FLOAT64)
    assert_is_consistent(layer)


def test_log_det_follows_the_weights(layer, rng):
    layer.lu.assign(layer.lu.numpy() + 0.2 * rng.standard_normal(layer.lu.shape))
    layer.raw_log_s.assign(0.3 * rng.standard_normal(layer.raw_log_s.shape))
    assert np.abs(layer(direction="inverse")["log_abs_det"]).min() > 1e-3
    assert_is_consistent(layer)


def test_change_of_log_s_is_bounded(layer):
    layer.raw_log_s.assign(np.full(layer.raw_log_s.shape, 100.0))
    np.testing.assert_allclose(layer(direction="inverse")["log_abs_det"], np.full(NUM_STEPS, -CHANNELS), rtol=FLOAT64)


def test_seeds_and_trainable_weights(layer):
    same, other = (StackedLUMatrix(NUM_STEPS, CHANNELS, seed=seed) for seed in (4, 5))
    np.testing.assert_array_equal(layer.random_rotations(), same.random_rotations())
    assert np.abs(layer.random_rotations() - other.random_rotations()).max() > 0.1
    assert [variable.name for variable in layer.trainable_variables] == ["lu", "raw_log_s"]
