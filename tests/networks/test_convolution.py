"""The convolutions against correlations of SciPy, channel by channel."""

import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf

from higlow_tf.networks import PADDINGS, conv1x1, conv3x3

FLOAT64 = 1e-12  # sums of at most 27 products

SCIPY_MODES = {"periodic": "wrap", "zero": "constant"}


def reference(x, kernel, padding):
    """Sum over the input channels of two-dimensional correlations."""
    out_channels, _, _, in_channels = kernel.shape
    y = np.zeros((out_channels, *x.shape[1:]))
    for o in range(out_channels):
        for c in range(in_channels):
            for n in range(x.shape[-1]):
                y[o, ..., n] += scipy.ndimage.correlate(x[c, ..., n], kernel[o, ..., c], mode=SCIPY_MODES[padding])
    return y


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (4, 4), (1, 4), (5, 2)])
@pytest.mark.parametrize("channels", [(2, 3), (3, 3), (3, 2)], ids=["shifts first", "square", "products first"])
def test_conv3x3_is_a_correlation(channels, size, padding, rng):
    in_channels, out_channels = channels
    x, kernel = rng.standard_normal((in_channels, *size, 2)), rng.standard_normal((out_channels, 3, 3, in_channels))
    y = conv3x3(tf.constant(x), tf.constant(kernel), padding)
    np.testing.assert_allclose(y, reference(x, kernel, padding), rtol=0.0, atol=FLOAT64)


def test_padding_matters_only_at_the_border(rng):
    x, kernel = tf.constant(rng.standard_normal((2, 4, 4, 1))), tf.constant(rng.standard_normal((3, 3, 3, 2)))
    difference = np.abs(conv3x3(x, kernel, "periodic") - conv3x3(x, kernel, "zero"))
    assert difference[:, 1:-1, 1:-1].max() <= FLOAT64
    assert difference[:, 0].min() > 0.0


def test_periodic_convolution_commutes_with_shifts(rng):
    x, kernel = tf.constant(rng.standard_normal((2, 4, 6, 2))), tf.constant(rng.standard_normal((3, 3, 3, 2)))
    shifted = conv3x3(tf.roll(x, (1, 2), (1, 2)), kernel, "periodic")
    np.testing.assert_allclose(shifted, tf.roll(conv3x3(x, kernel, "periodic"), (1, 2), (1, 2)), rtol=0.0, atol=FLOAT64)


def test_conv1x1_multiplies_channels(rng):
    x, kernel = rng.standard_normal((3, 2, 5, 4)), rng.standard_normal((2, 3))
    y = conv1x1(tf.constant(x), tf.constant(kernel))
    np.testing.assert_allclose(y, np.einsum("oc,chwn->ohwn", kernel, x), rtol=0.0, atol=FLOAT64)
