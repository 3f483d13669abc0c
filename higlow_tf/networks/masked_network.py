"""The masked network of an autoregressive flow: MADE, read in one pass or pixel by pixel."""

import keras
import numpy as np
import tensorflow as tf

from higlow_tf.networks.defaults import MAX_LOG_SCALE
from higlow_tf.networks.soft_clamp import soft_clamp

__all__ = ["MaskedAutoregressiveNetwork"]


@keras.saving.register_keras_serializable(package="higlow_tf")
class MaskedAutoregressiveNetwork(keras.layers.Layer):
    """Fully connected network with one hidden layer, whose output for a pixel depends on the pixels before it alone.

    Math:
        a = w1^T y + w1_condition c + b1                      w1[i, h] counts where position(i) <= degree(h)
        shift, raw_log_scale = w2 relu(a) + w2_condition c + b2     w2[i, :, h] where degree(h) < position(i)
        log_scale = soft_clamp(raw_log_scale)
        position(order[t]) = t;  degree(h) = floor(h (D - 1) / width): evenly spread

    The condition enters both layers: the first pixel in the order has no hidden unit that it may read.

    Args:
        num_dimensions: D.
        width: Hidden units.
        num_parameters: P.
        order: Pixels in the order in which they are drawn, a permutation of 0..D-1; None for row by row.
        max_log_scale: Bound of |log_scale|.
        seed: Seed of the start.

    Call arguments:
        y: `[D, N]`.
        conditional_input: `[N, P]`.

    Output shape:
        The pair (shift, log_scale), each `[D, N]`.

    Weights:
        All trainable; about half of the entries of w1 and w2 are masked, and stay as they started. w2, b2 and w2_condition
        start at zero, so that a block starts as the identity.

    References:
        [1] Germain et al. MADE. ICML 2015. https://arxiv.org/abs/1502.03509
        [2] Papamakarios et al. Masked autoregressive flow. NeurIPS 2017. https://arxiv.org/abs/1705.07057
    """

    def __init__(
        self, num_dimensions, width, num_parameters, *, order=None, max_log_scale=MAX_LOG_SCALE, seed=0, **kwargs
    ):
        super().__init__(**kwargs)
        self.num_dimensions = num_dimensions
        self.width = width
        self.num_parameters = num_parameters
        self.order = np.asarray(range(num_dimensions) if order is None else order, dtype=np.int32)
        self.max_log_scale = max_log_scale
        self.seed = seed
        self._position = np.argsort(self.order).astype(np.int32)
        self._degree = (np.arange(width) * (num_dimensions - 1) // width).astype(np.int32)

    def build(self, input_shape=None):
        size, width = self.num_dimensions, self.width
        normal = keras.initializers.RandomNormal(stddev=1.0, seed=self.seed)
        # He's start, for the inputs that a unit sees and not for those that are masked.
        stddev = np.sqrt(2.0 / (self._degree + 1.0))
        self.w1 = self.add_weight(
            name="w1", shape=(size, width), initializer=lambda shape, dtype: normal(shape, dtype) * stddev.astype(dtype)
        )
        self.w1_condition = self.add_weight(
            name="w1_condition",
            shape=(width, self.num_parameters),
            initializer=keras.initializers.RandomNormal(stddev=0.1, seed=self.seed + 1),
        )
        self.b1 = self.add_weight(name="b1", shape=(width,), initializer="zeros")
        self.w2 = self.add_weight(name="w2", shape=(size, 2, width), initializer="zeros")
        self.w2_condition = self.add_weight(
            name="w2_condition", shape=(size, 2, self.num_parameters), initializer="zeros"
        )
        self.b2 = self.add_weight(name="b2", shape=(size, 2), initializer="zeros")

    def call(self, y, conditional_input):
        w1, w2, a, bias = self._prepare(conditional_input)
        hidden = tf.nn.relu(tf.matmul(w1, y, transpose_a=True) + a)
        output = tf.reshape(tf.reshape(w2, [-1, self.width]) @ hidden, [self.num_dimensions, 2, -1]) + bias
        return output[:, 0], soft_clamp(output[:, 1], self.max_log_scale)

    def pixel_by_pixel(self, conditional_input):
        """The same network for drawing: what it costs is one row of each matrix a pixel, not the whole network.

        Args:
            conditional_input: `[N, P]`.

        Returns:
            The tuple (order, state, read, update): the order `[D]` of the pixels; a state `[width, N]` that knows of no
            pixel; `read(state, pixel) -> (shift [N], log_scale [N])`, once all pixels before it were given; and
            `update(state, pixel, value [N]) -> state`.
        """
        w1, w2, a, bias = self._prepare(conditional_input)

        def read(state, pixel):
            output = w2[pixel] @ tf.nn.relu(state) + bias[pixel]
            return output[0], soft_clamp(output[1], self.max_log_scale)

        def update(state, pixel, value):
            return state + w1[pixel][:, None] * value

        return tf.constant(self.order), a, read, update

    def _prepare(self, conditional_input):
        """Masked matrices `[D, width]` and `[D, 2, width]`, and what the condition adds: `[width, N]`, `[D, 2, N]`."""
        position, degree = tf.constant(self._position)[:, None], tf.constant(self._degree)
        w1 = tf.where(position <= degree, self.w1.value, 0.0)
        w2 = tf.where((degree < position)[:, None, :], self.w2.value, 0.0)
        a = tf.matmul(self.w1_condition.value, conditional_input, transpose_b=True) + self.b1.value[:, None]
        bias = tf.tensordot(self.w2_condition.value, conditional_input, [[2], [1]]) + self.b2.value[..., None]
        return w1, w2, a, bias

    def get_config(self):
        return {
            **super().get_config(),
            "num_dimensions": self.num_dimensions,
            "width": self.width,
            "num_parameters": self.num_parameters,
            "order": self.order.tolist(),
            "max_log_scale": self.max_log_scale,
            "seed": self.seed,
        }
