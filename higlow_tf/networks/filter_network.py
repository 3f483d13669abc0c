"""The filter of a TRENF block, as a function of the condition."""

import keras
import numpy as np
import tensorflow as tf

from higlow_tf.networks.condition_network import ConditionNetwork
from higlow_tf.networks.defaults import MAX_LOG_SCALE
from higlow_tf.networks.end_layer_weights import wave_numbers
from higlow_tf.networks.soft_clamp import soft_clamp, soft_clamp_inverse

__all__ = ["FilterNetwork"]


@keras.saving.register_keras_serializable(package="higlow_tf")
class FilterNetwork(ConditionNetwork):
    """Network from the condition to an isotropic filter, whose logarithm is linear in ln(k) between knots.

    Math:
        raw = w2 tanh(w1 c + b1) + b2                               one number a knot
        log_transfer(k) = interpolate(soft_clamp(raw), ln k)        k: length of the wave vector, in units of 2 pi / side
        knots: k = 0, which nothing else shares, and equal steps of ln(k) from 1 to side / sqrt(2), the corner

    Args:
        map_size: Pixels on a side, H.
        num_channels: C.
        num_parameters: P.
        num_knots: Knots of the filter, F; 2 or more.
        width: Hidden units.
        max_log_scale: Bound of |log_transfer|.
        seed: Seed of the start.

    Call arguments:
        conditional_input: `[N, P]`.

    Output shape:
        Natural log of the factor of every Hartley coefficient, `[C, H, H, N]`.

    Weights:
        All trainable, see `ConditionNetwork`; the filter starts at one, or where `start_at` puts it.

    References:
        [1] Dai & Seljak. Translation and rotation equivariant normalizing flow (TRENF). 2022. https://arxiv.org/abs/2202.05282
    """

    def __init__(
        self,
        map_size,
        num_channels,
        num_parameters,
        num_knots=16,
        width=32,
        *,
        max_log_scale=MAX_LOG_SCALE,
        seed=0,
        **kwargs,
    ):
        super().__init__(num_channels * num_knots, width, num_parameters, seed, **kwargs)
        self.map_size = map_size
        self.num_channels = num_channels
        self.num_knots = num_knots
        self.max_log_scale = max_log_scale
        self.shares = _shares_of_knots(map_size, num_knots)

    def call(self, conditional_input):
        raw = tf.reshape(self.output(conditional_input), [self.num_channels, self.num_knots, -1])
        log_transfer = tf.einsum(
            "kf,cfn->ckn", tf.constant(self.shares, raw.dtype), soft_clamp(raw, self.max_log_scale)
        )
        return tf.reshape(log_transfer, [self.num_channels, self.map_size, self.map_size, -1])

    def start_at(self, log_transfer):
        """Sets the biases so that a fresh network returns nearly this filter, `[C, H, H]`, for every condition.

        It is the least-squares one of those that the knots allow, cut to 0.9 of the bound.
        """
        flat = np.reshape(log_transfer, [self.num_channels, -1]).T
        of_knots = np.linalg.lstsq(self.shares, flat, rcond=None)[0].T
        raw = soft_clamp_inverse(tf.constant(of_knots, self.variable_dtype), self.max_log_scale)
        self.b2.assign(tf.reshape(raw, [-1]))

    def get_config(self):
        own = ("map_size", "num_channels", "num_parameters", "num_knots", "width", "max_log_scale", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


def _shares_of_knots(map_size, num_knots):
    """How much each knot counts at each coefficient, `[H * H, F]`; every row sums to one."""
    wave_number = wave_numbers(map_size).ravel()
    position = np.linspace(0.0, np.log(map_size / np.sqrt(2.0)), num_knots - 1)
    at = np.log(np.maximum(wave_number, 1.0))
    shares = np.stack([np.interp(at, position, unit) for unit in np.eye(num_knots - 1)], axis=1)
    is_mean = (wave_number == 0.0)[:, None]
    return np.hstack([is_mean, np.where(is_mean, 0.0, shares)])
