"""The network of the affine injectors, for all steps of a level at once."""

import keras
import tensorflow as tf

from higlow_tf.networks.defaults import MAX_LOG_SCALE
from higlow_tf.networks.soft_clamp import soft_clamp, soft_clamp_inverse

__all__ = ["StackedInjectorNetwork"]


@keras.saving.register_keras_serializable(package="higlow_tf")
class StackedInjectorNetwork(keras.layers.Layer):
    """Multilayer perceptrons with one hidden layer from the condition to a shift and a log-scale, K steps stacked.

    Math:
        h = tanh(w1 c + b1)
        shift, raw_log_scale = w2 h + b2
        log_scale = soft_clamp(raw_log_scale)

    tanh, because the posterior of the parameters is differentiated through it.

    Args:
        num_steps: K.
        num_outputs: 1 for a scalar (the paper), C for one number a channel.
        width: Hidden units.
        num_parameters: P.
        max_log_scale: Bound of |log_scale|.
        seed: Seed of the start.

    Call arguments:
        conditional_input: `[N, P]`.

    Output shape:
        Dict with shift and log_scale, each `[K, num_outputs, 1, 1, N]`.

    Weights:
        All trainable; w2 starts at zero; b2 at zero, or where `start_at` puts it.

    References:
        [1] Friedman & Hassan. HIGlow. 2022. https://arxiv.org/abs/2211.12724
    """

    def __init__(self, num_steps, num_outputs, width, num_parameters, *, max_log_scale=MAX_LOG_SCALE, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.num_steps = num_steps
        self.num_outputs = num_outputs
        self.width = width
        self.num_parameters = num_parameters
        self.max_log_scale = max_log_scale
        self.seed = seed

    def build(self, input_shape=None):
        k = self.num_steps
        self.w1 = self.add_weight(
            name="w1",
            shape=(k, self.width, self.num_parameters),
            initializer=keras.initializers.RandomNormal(stddev=1.0, seed=self.seed),
        )
        self.b1 = self.add_weight(
            name="b1",
            shape=(k, self.width),
            initializer=keras.initializers.RandomNormal(stddev=0.5, seed=self.seed + 1),
        )
        self.w2 = self.add_weight(name="w2", shape=(k, 2 * self.num_outputs, self.width), initializer="zeros")
        self.b2 = self.add_weight(name="b2", shape=(k, 2 * self.num_outputs), initializer="zeros")

    def call(self, conditional_input):
        hidden = tf.matmul(self.w1.value, conditional_input, transpose_b=True) + self.b1.value[..., None]
        output = tf.matmul(self.w2.value, tf.math.tanh(hidden)) + self.b2.value[..., None]
        shift, raw_log_scale = tf.split(output[:, :, None, None, :], 2, axis=1)
        return {"shift": shift, "log_scale": soft_clamp(raw_log_scale, self.max_log_scale)}

    def start_at(self, shift, log_scale):
        """Sets the biases so that a fresh network returns these numbers for every condition.

        Args:
            shift: `[K, num_outputs]`.
            log_scale: `[K, num_outputs]`; cut to 0.9 of the bound.
        """
        raw = soft_clamp_inverse(tf.convert_to_tensor(log_scale, self.variable_dtype), self.max_log_scale)
        self.b2.assign(tf.concat([tf.cast(shift, self.variable_dtype), raw], axis=1))

    def get_config(self):
        return {
            **super().get_config(),
            "num_steps": self.num_steps,
            "num_outputs": self.num_outputs,
            "width": self.width,
            "num_parameters": self.num_parameters,
            "max_log_scale": self.max_log_scale,
            "seed": self.seed,
        }
