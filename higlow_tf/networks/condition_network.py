"""A small network of the condition alone, which the layers of TRENF share."""

import keras
import tensorflow as tf

__all__ = ["ConditionNetwork"]


class ConditionNetwork(keras.layers.Layer):
    """Multilayer perceptron with one hidden layer from the condition to some numbers: a base class.

    Math:
        output = w2 tanh(w1 c + b1) + b2

    tanh, because the posterior of the parameters is differentiated through it.

    Args:
        num_outputs: Numbers of an output, Q.
        width: Hidden units.
        num_parameters: P.
        seed: Seed of the start.

    Weights:
        All trainable: w1 `[width, P]`, b1 `[width]`, w2 `[Q, width]`, b2 `[Q]`. w2 and b2 start at zero.
    """

    def __init__(self, num_outputs, width, num_parameters, seed, **kwargs):
        super().__init__(**kwargs)
        self.num_outputs = num_outputs
        self.width = width
        self.num_parameters = num_parameters
        self.seed = seed

    def build(self, input_shape=None):
        self.w1 = self.add_weight(
            name="w1",
            shape=(self.width, self.num_parameters),
            initializer=keras.initializers.RandomNormal(stddev=1.0, seed=self.seed),
        )
        self.b1 = self.add_weight(
            name="b1", shape=(self.width,), initializer=keras.initializers.RandomNormal(stddev=0.5, seed=self.seed + 1)
        )
        self.w2 = self.add_weight(name="w2", shape=(self.num_outputs, self.width), initializer="zeros")
        self.b2 = self.add_weight(name="b2", shape=(self.num_outputs,), initializer="zeros")

    def output(self, conditional_input):
        """`[N, P]` -> `[Q, N]`."""
        hidden = tf.matmul(self.w1.value, conditional_input, transpose_b=True) + self.b1.value[:, None]
        return tf.matmul(self.w2.value, tf.math.tanh(hidden)) + self.b2.value[:, None]
