"""The pixel curve of a TRENF block, as a function of the condition."""

import keras
import numpy as np
import tensorflow as tf

from higlow_tf.networks.condition_network import ConditionNetwork
from higlow_tf.networks.defaults import MAX_LOG_SCALE
from higlow_tf.networks.soft_clamp import soft_clamp

__all__ = ["CurveNetwork"]

# Latents of unit variance have one pixel in sixteen thousand beyond; there the curve is a straight line.
_REACH = 4.0


@keras.saving.register_keras_serializable(package="higlow_tf")
class CurveNetwork(ConditionNetwork):
    """Network from the condition to the knots of an increasing curve, see `MonotoneCurve`.

    Math:
        shift, raw_steps, raw_slopes = w2 tanh(w1 c + b1) + b2      1, K - 1 and K numbers
        x = K equal steps from -4 to 4
        y = shift + sums of the steps dx * exp(soft_clamp(raw_steps)), counted from the middle knot
        slope = exp(soft_clamp(raw_slopes))

    Args:
        num_channels: C.
        num_parameters: P.
        num_knots: Knots of the curve, K; 2 or more.
        width: Hidden units.
        max_log_scale: Bound of the logarithms of slopes and of the mean slopes between knots.
        seed: Seed of the start.

    Call arguments:
        conditional_input: `[N, P]`.

    Output shape:
        The triple (x, y, slope), each `[C, K, N]`.

    Weights:
        All trainable, see `ConditionNetwork`; the curve starts as the identity.

    References:
        [1] Dai & Seljak. Translation and rotation equivariant normalizing flow (TRENF). 2022. https://arxiv.org/abs/2202.05282
    """

    def __init__(
        self, num_channels, num_parameters, num_knots=16, width=32, *, max_log_scale=MAX_LOG_SCALE, seed=0, **kwargs
    ):
        super().__init__(2 * num_channels * num_knots, width, num_parameters, seed, **kwargs)
        self.num_channels = num_channels
        self.num_knots = num_knots
        self.max_log_scale = max_log_scale

    def call(self, conditional_input):
        raw = tf.reshape(self.output(conditional_input), [self.num_channels, 2 * self.num_knots, -1])
        scales = tf.exp(soft_clamp(raw[:, 1:], self.max_log_scale))
        steps, slope = tf.split(scales, [self.num_knots - 1, self.num_knots], axis=1)
        knots, sums = _knots_and_sums(self.num_knots)
        x = tf.constant(knots, raw.dtype)[:, None] + tf.zeros_like(slope)
        # Of the differences from the identity, which is then met exactly where the steps are.
        dx = knots[1] - knots[0]
        y = x + raw[:, :1] + tf.einsum("ks,csn->ckn", tf.constant(dx * sums, raw.dtype), steps - 1.0)
        return x, y, slope

    def get_config(self):
        own = ("num_channels", "num_parameters", "num_knots", "width", "max_log_scale", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def _knots_and_sums(num_knots):
    """Places of the knots `[K]`, and the matrix `[K, K - 1]` that sums steps from the middle knot to each."""
    number = np.arange(num_knots)
    from_first = (number[1:] <= number[:, None]).astype(float)
    return np.linspace(-_REACH, _REACH, num_knots), from_first - from_first[num_knots // 2]
