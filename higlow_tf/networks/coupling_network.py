"""The convolutional network of the couplings, for all steps of a level at once."""

import keras
import tensorflow as tf

from higlow_tf.kept_activations import keep
from higlow_tf.networks.convolution import conv1x1, conv3x3
from higlow_tf.networks.defaults import MAX_LOG_SCALE
from higlow_tf.networks.soft_clamp import soft_clamp
from higlow_tf.pixel_sums import add_to_pixels, sum_over_pixels

__all__ = ["StackedCouplingNetwork", "apply_coupling_network"]


@keras.saving.register_keras_serializable(package="higlow_tf")
class StackedCouplingNetwork(keras.layers.Layer):
    """Convolutions 3x3 - 1x1 - 3x3 of K coupling steps, their weights stacked on axis 0.

    Math:
        h = relu(conv3x3(a, w1) + b1 + w1_condition c)
        h = relu(conv1x1(h, w2) + w2_mean mean(h) + b2)     the mean is over pixels; only with use_map_mean
        shift, raw_log_scale = conv3x3(h, w3) + b3
        log_scale = soft_clamp(raw_log_scale)

    The condition enters as an added bias: what constant input channels do, with fewer operations (under zero padding
    the two differ at the border).

    Convolutions see a neighbourhood. What all pixels of a map share and theta does not tell (the nuisance parameters of its
    simulation) reaches them through the mean over the map. Without it every neighbourhood counts as new evidence of
    theta, and posteriors are far too narrow.

    Args:
        num_steps: K.
        in_channels: Channels of a.
        out_channels: Channels of b, which is rescaled and shifted.
        width: Hidden channels.
        num_parameters: P.
        max_log_scale: Bound of |log_scale|.
        use_map_mean: Whether the hidden channels see their means over the map, as in [2].
        seed: Seed of the start.

    Call arguments:
        conditional_input: `[N, P]`.

    Output shape:
        Two dicts of what a step needs: tensors `[K, ...]` that serve all maps, and those with one value a map,
        `[K, ..., N]`. One slice of both together goes to `apply_coupling_network`.

    Weights:
        All trainable; w3 and b3 start at zero, so that a coupling starts as the identity, and so does w2_mean.

    References:
        [1] Friedman & Hassan. HIGlow. 2022. https://arxiv.org/abs/2211.12724
        [2] Hu, Shen & Sun. Squeeze-and-excitation networks. CVPR 2018. https://arxiv.org/abs/1709.01507
    """

    def __init__(
        self,
        num_steps,
        in_channels,
        out_channels,
        width,
        num_parameters,
        *,
        max_log_scale=MAX_LOG_SCALE,
        use_map_mean=False,
        seed=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.num_steps = num_steps
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.width = width
        self.num_parameters = num_parameters
        self.max_log_scale = max_log_scale
        self.use_map_mean = use_map_mean
        self.seed = seed

    @property
    def kept_channels(self):
        """Channels of each activation that `apply_coupling_network` marks as worth its memory."""
        return self.width, self.width, 2 * self.out_channels

    def build(self, input_shape=None):
        k, width = self.num_steps, self.width

        def he(fan_in, offset):
            return keras.initializers.RandomNormal(stddev=(2.0 / fan_in) ** 0.5, seed=self.seed + offset)

        self.w1 = self.add_weight(
            name="w1", shape=(k, width, 3, 3, self.in_channels), initializer=he(9 * self.in_channels, 0)
        )
        self.w1_condition = self.add_weight(
            name="w1_condition",
            shape=(k, width, self.num_parameters),
            initializer=keras.initializers.RandomNormal(stddev=0.1, seed=self.seed + 1),
        )
        self.b1 = self.add_weight(name="b1", shape=(k, width), initializer="zeros")
        self.w2 = self.add_weight(name="w2", shape=(k, width, width), initializer=he(width, 2))
        self.b2 = self.add_weight(name="b2", shape=(k, width), initializer="zeros")
        if self.use_map_mean:
            self.w2_mean = self.add_weight(name="w2_mean", shape=(k, width, width), initializer="zeros")
        self.w3 = self.add_weight(name="w3", shape=(k, 2 * self.out_channels, 3, 3, width), initializer="zeros")
        self.b3 = self.add_weight(name="b3", shape=(k, 2 * self.out_channels), initializer="zeros")

    def call(self, conditional_input):
        bias = tf.matmul(self.w1_condition.value, conditional_input, transpose_b=True) + self.b1.value[..., None]
        shared = {
            "w1": tf.convert_to_tensor(self.w1),
            "w2": tf.convert_to_tensor(self.w2),
            "b2": self.b2.value[:, :, None, None, None],
            "w3": tf.convert_to_tensor(self.w3),
            "b3": self.b3.value[:, :, None, None, None],
        }
        if self.use_map_mean:
            shared["w2_mean"] = tf.convert_to_tensor(self.w2_mean)
        return shared, {"b1": bias[:, :, None, None, :]}

    def get_config(self):
        return {
            **super().get_config(),
            "num_steps": self.num_steps,
            "in_channels": self.in_channels,
            "out_channels": self.out_channels,
            "width": self.width,
            "num_parameters": self.num_parameters,
            "max_log_scale": self.max_log_scale,
            "use_map_mean": self.use_map_mean,
            "seed": self.seed,
        }


def apply_coupling_network(weights, a, padding, max_log_scale):
    """Evaluates one step's network.

    Args:
        weights: One slice of the two dicts that `StackedCouplingNetwork` returns, merged.
        a: `[C_a, H, W, N]`.
        padding: "periodic" or "zero".
        max_log_scale: Bound of |log_scale|.

    Returns:
        The pair (shift, log_scale), each `[C_b, H, W, N]`.
    """
    h = tf.nn.relu(keep(add_to_pixels(conv3x3(a, weights["w1"], padding), weights["b1"])))
    mixed = conv1x1(h, weights["w2"]) + weights["b2"]
    if "w2_mean" in weights:
        mean = sum_over_pixels(h)[:, 0, 0] / (h.shape[1] * h.shape[2])
        mixed = add_to_pixels(mixed, tf.matmul(weights["w2_mean"], mean)[:, None, None])
    h = tf.nn.relu(keep(mixed))
    shift, raw_log_scale = tf.split(keep(conv3x3(h, weights["w3"], padding) + weights["b3"]), 2, axis=0)
    return shift, soft_clamp(raw_log_scale, max_log_scale)
