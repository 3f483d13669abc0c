"""Weights of the activation normalisations, for all steps of a level at once."""

import keras
import tensorflow as tf

from higlow_tf.networks.defaults import MAX_LOG_SCALE
from higlow_tf.networks.soft_clamp import soft_clamp, soft_clamp_inverse

__all__ = ["StackedActNormWeights"]


@keras.saving.register_keras_serializable(package="higlow_tf")
class StackedActNormWeights(keras.layers.Layer):
    """One shift and one bounded log-scale a channel and step.

    Args:
        num_steps: K.
        channels: C.
        max_log_scale: Bound of |log_scale|.

    Output shape:
        Dict with shift and log_scale, each `[K, C]`.

    Weights:
        shift and raw_log_scale: trainable, start at zero, or where `start_at` puts them.

    References:
        [1] Kingma & Dhariwal. Glow. NeurIPS 2018. https://arxiv.org/abs/1807.03039
    """

    def __init__(self, num_steps, channels, *, max_log_scale=MAX_LOG_SCALE, **kwargs):
        super().__init__(**kwargs)
        self.num_steps = num_steps
        self.channels = channels
        self.max_log_scale = max_log_scale

    def build(self, input_shape=None):
        shape = (self.num_steps, self.channels)
        self.shift = self.add_weight(name="shift", shape=shape, initializer="zeros")
        self.raw_log_scale = self.add_weight(name="raw_log_scale", shape=shape, initializer="zeros")

    def __call__(self):
        # Keras refuses to call a layer without arguments.
        if not self.built:
            self.build()
        return self.call()

    def call(self):
        return {
            "shift": tf.convert_to_tensor(self.shift),
            "log_scale": soft_clamp(self.raw_log_scale.value, self.max_log_scale),
        }

    def start_at(self, shift, log_scale):
        """Sets shift and log_scale, each `[K, C]`; the log-scale is cut to 0.9 of its bound."""
        self.shift.assign(shift)
        log_scale = tf.convert_to_tensor(log_scale, self.variable_dtype)
        self.raw_log_scale.assign(soft_clamp_inverse(log_scale, self.max_log_scale))

    def get_config(self):
        return {
            **super().get_config(),
            "num_steps": self.num_steps,
            "channels": self.channels,
            "max_log_scale": self.max_log_scale,
        }
