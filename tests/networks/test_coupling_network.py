"""The coupling networks against the formula of their docstring, and the activation normalisations' weights."""

import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf

from higlow_tf.networks import PADDINGS, StackedActNormWeights, StackedCouplingNetwork, apply_coupling_network

FLOAT64 = 1e-11  # three convolutions of at most 45 products each
MODES = {"periodic": "wrap", "zero": "constant"}
NUM_STEPS, IN_CHANNELS, OUT_CHANNELS, WIDTH, LIMIT = 2, 2, 3, 5, 0.8


def correlate(x, kernel, padding):
    """`[c, H, W]`, `[o, 3, 3, c]` -> `[o, H, W]`."""
    pairs = [[scipy.ndimage.correlate(x[c], k[..., c], mode=MODES[padding]) for c in range(len(x))] for k in kernel]
    return np.sum(pairs, axis=1)


@pytest.fixture(params=[False, True], ids=["local", "with means over the map"])
def layer(request):
    layer = StackedCouplingNetwork(
        NUM_STEPS, IN_CHANNELS, OUT_CHANNELS, WIDTH, 2, max_log_scale=LIMIT, use_map_mean=request.param, dtype="float64"
    )
    layer.build()
    return layer


@pytest.mark.parametrize("padding", PADDINGS)
def test_is_the_network_of_its_docstring(layer, padding, rng):
    for variable in layer.trainable_variables:
        variable.assign(0.4 * rng.standard_normal(variable.shape))
    a, condition = rng.standard_normal((IN_CHANNELS, 4, 6, 2)), rng.uniform(-1.0, 1.0, (2, 2))
    shared, per_map = layer(tf.constant(condition))
    stacked = {**shared, **per_map}
    weights = {variable.name: variable.numpy() for variable in layer.trainable_variables}
    for k in range(NUM_STEPS):
        of_step = {name: tensor[k] for name, tensor in stacked.items()}
        shift, log_scale = apply_coupling_network(of_step, tf.constant(a), padding, LIMIT)
        w = {name: value[k] for name, value in weights.items()}
        for n in range(2):
            bias = w["b1"] + w["w1_condition"] @ condition[n]
            h = np.maximum(correlate(a[..., n], w["w1"], padding) + bias[:, None, None], 0.0)
            bias = w["b2"] + (w["w2_mean"] @ h.mean(axis=(1, 2)) if layer.use_map_mean else 0.0)
            h = np.maximum(np.einsum("oc,chw->ohw", w["w2"], h) + bias[:, None, None], 0.0)
            raw = correlate(h, w["w3"], padding) + w["b3"][:, None, None]
            np.testing.assert_allclose(shift[..., n], raw[:OUT_CHANNELS], rtol=0.0, atol=FLOAT64)
            bounded = LIMIT * np.tanh(raw[OUT_CHANNELS:] / LIMIT)
            np.testing.assert_allclose(log_scale[..., n], bounded, rtol=0.0, atol=FLOAT64)


def test_starts_as_the_identity(layer, rng):
    shared, per_map = layer(tf.constant(rng.uniform(-1.0, 1.0, (2, 2))))
    stacked = {**shared, **per_map}
    of_step = {name: tensor[0] for name, tensor in stacked.items()}
    for output in apply_coupling_network(of_step, tf.constant(rng.standard_normal((2, 4, 4, 2))), "periodic", LIMIT):
        assert output.shape == (OUT_CHANNELS, 4, 4, 2)
        np.testing.assert_array_equal(output, 0.0)


def test_act_norm_weights_start_where_they_are_put(rng):
    layer = StackedActNormWeights(NUM_STEPS, 3, max_log_scale=LIMIT, dtype="float64")
    fresh = layer()
    assert set(fresh) == {"shift", "log_scale"}
    for output in fresh.values():
        np.testing.assert_array_equal(output, np.zeros((NUM_STEPS, 3)))
    shift, log_scale = rng.standard_normal((NUM_STEPS, 3)), rng.uniform(-1.0, 1.0, (NUM_STEPS, 3))
    layer.start_at(shift, log_scale)
    np.testing.assert_allclose(layer()["shift"], shift, rtol=0.0, atol=FLOAT64)
    np.testing.assert_allclose(
        layer()["log_scale"], np.clip(log_scale, -0.9 * LIMIT, 0.9 * LIMIT), rtol=0.0, atol=FLOAT64
    )
