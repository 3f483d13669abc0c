"""The curve of the pixels that a flow begins with: fitted to the training pixels before training, never by gradients."""

import keras
import numpy as np
import tensorflow as tf
from scipy.special import ndtr, ndtri

from higlow_tf.networks.curve_knots import knots_through

__all__ = ["PixelCurveWeights"]

_NUM_KNOTS = 33
# Normal quantiles of the outermost knots where there are pixels enough, and how many pixels lie beyond them otherwise.
_OUTERMOST, _PIXELS_BEYOND = 4.4, 50


@keras.saving.register_keras_serializable(package="higlow_tf")
class PixelCurveWeights(keras.layers.Layer):
    """Knots of the curve from pixels with a normal distribution to the pixels of standardised maps.

    Args:
        num_channels: C.

    Weights:
        None is trainable; `start_at` sets them. They start at the identity. knots_x, knots_y, knot_slopes `[C, 33]`.

    References:
        [1] Chen & Gopinath. Gaussianization. NeurIPS 2000.
    """

    def __init__(self, num_channels, **kwargs):
        super().__init__(**kwargs)
        self.num_channels = num_channels

    def build(self, input_shape=None):
        line = np.tile(np.linspace(-1.0, 1.0, _NUM_KNOTS), (self.num_channels, 1))
        for name, start in {"knots_x": line, "knots_y": line, "knot_slopes": np.ones_like(line)}.items():
            weight = self.add_weight(name=name, shape=start.shape, initializer="zeros", trainable=False)
            weight.assign(start)
            setattr(self, name, weight)

    def start_at(self, pixels):
        """Sets the knots so that pixels of a channel, `[C, M]`, are at the quantiles of a normal distribution."""
        beyond = min(max(_PIXELS_BEYOND / pixels.shape[1], ndtr(-_OUTERMOST)), ndtr(-1.0))
        x = np.linspace(ndtri(beyond), -ndtri(beyond), _NUM_KNOTS)
        y = np.quantile(pixels, ndtr(x), axis=1).T
        for weight, knots in zip(self.weights, knots_through(np.tile(x, (len(y), 1)), y), strict=True):
            weight.assign(knots)

    def knots(self):
        """x, y and slope of the knots, `[C, 33]` each."""
        return tuple(tf.convert_to_tensor(part.value) for part in (self.knots_x, self.knots_y, self.knot_slopes))

    def get_config(self):
        return {**super().get_config(), "num_channels": self.num_channels}
