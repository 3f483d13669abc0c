"""The bound of the log-scales: its slope, its limit, its inverse."""

import numpy as np
import pytest
import tensorflow as tf

from higlow_tf.networks import soft_clamp, soft_clamp_inverse

FLOAT64 = 1e-13  # a tanh and its inverse, away from the bound


@pytest.mark.parametrize("limit", [0.5, 1.0, 3.0])
def test_is_bounded_increasing_and_the_identity_near_zero(limit):
    raw = tf.constant(np.linspace(-8.0 * limit, 8.0 * limit, 101))
    with tf.GradientTape() as tape:
        tape.watch(raw)
        clamped = soft_clamp(raw, limit)
    slope = tape.gradient(clamped, raw).numpy()
    assert np.all(np.abs(clamped) < limit)
    assert np.all(np.diff(clamped) > 0.0)
    assert np.all(slope > 0.0)
    # The analytic slope of limit * tanh(raw / limit): the gradient knows of the bound.
    np.testing.assert_allclose(slope, 1.0 / np.cosh(raw / limit) ** 2, rtol=1e-9, atol=FLOAT64)
    assert slope[50] == 1.0
    assert clamped[50] == 0.0


@pytest.mark.parametrize("limit", [0.5, 1.0, 3.0])
def test_inverse_inside_the_start_fraction(limit):
    log_scale = np.linspace(-0.9 * limit, 0.9 * limit, 21)
    returned = soft_clamp(soft_clamp_inverse(tf.constant(log_scale), limit), limit)
    np.testing.assert_allclose(returned, log_scale, rtol=0.0, atol=FLOAT64)


def test_inverse_cuts_to_the_start_fraction():
    returned = soft_clamp(soft_clamp_inverse(tf.constant([-7.0, 0.95, 7.0], tf.float64), 1.0), 1.0)
    np.testing.assert_allclose(returned, [-0.9, 0.9, 0.9], rtol=0.0, atol=FLOAT64)
