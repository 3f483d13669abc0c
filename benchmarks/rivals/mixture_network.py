"""A convolutional network whose output is a mixture of Gaussians over the parameters: a neural posterior estimator."""

import math

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from higlow_tf.evaluation.map_network import PeriodicConvolution

__all__ = ["mixture_log_density", "mixture_network"]

_WIDTHS = (24, 48, 96, 144)
_HIDDEN = 128
_DROPOUT = 0.2
_SLOPE = 0.2
# Maps are not halved to fewer pixels a side.
_FEWEST_PIXELS = 4
# Bound of the logarithm of an inverse width; the prior is from -1 to 1.
_MAX_LOG_PRECISION = 4.0


class _MeanAndDeviation(layers.Layer):
    """Mean and standard deviation over the pixels: `[B, H, W, C] -> [B, 2 C]`."""

    def call(self, inputs):
        deviation = ops.sqrt(ops.var(inputs, axis=(1, 2)) + 1e-6)
        return ops.concatenate([ops.mean(inputs, axis=(1, 2)), deviation], axis=-1)


def mixture_network(map_size, num_parameters, num_components=4, seed=0):
    """Strided periodic convolutions, mean and deviation over the pixels, two dense layers: 0.46 million weights for 64 pixels.

    Args:
        map_size: Pixels a side.
        num_parameters: P.
        num_components: Gaussians, K.
        seed: Seed of the start and of dropout.

    Returns:
        A Keras model `[B, H, H, 1] -> [B, K, 1 + P + P (P + 1) / 2]` of standardised maps, see `mixture_log_density`.
    """
    seeds = iter(np.random.SeedSequence(seed).generate_state(16).astype(int).tolist())
    inputs = keras.Input((map_size, map_size, 1))
    features, size = inputs, map_size
    for stage, width in enumerate(_WIDTHS):
        is_halved = size % 2 == 0 and size // 2 >= _FEWEST_PIXELS
        size //= 1 + is_halved
        shape = {"kernel_size": 4, "strides": 2} if is_halved else {}
        features = _activated(PeriodicConvolution(width, seed=next(seeds), **shape)(features))
        if stage < len(_WIDTHS) - 1:
            features = _activated(PeriodicConvolution(width, seed=next(seeds))(features))
    hidden = layers.Dropout(_DROPOUT, seed=next(seeds))(_MeanAndDeviation()(features))
    hidden = layers.LeakyReLU(_SLOPE)(_dense(_HIDDEN, next(seeds))(hidden))
    hidden = layers.Dropout(_DROPOUT, seed=next(seeds))(hidden)
    numbers = 1 + num_parameters + num_parameters * (num_parameters + 1) // 2
    output = _dense(num_components * numbers, next(seeds))(hidden)
    return keras.Model(inputs, layers.Reshape((num_components, numbers))(output))


def _activated(features):
    return layers.LeakyReLU(_SLOPE)(layers.BatchNormalization(momentum=0.9)(features))


def _dense(units, seed):
    return layers.Dense(units, kernel_initializer=keras.initializers.GlorotUniform(seed=seed))


def mixture_log_density(output, at):
    """Log-density of a mixture of Gaussians with full covariances.

    Math:
        log p = logsumexp over k of ln weight_k + sum(ln diag L_k) - |L_k (at - mean_k)|**2 / 2 - P ln(2 pi) / 2

    Args:
        output: Of `mixture_network`, `[B, K, Q]`. For each Gaussian: the logit of its weight, its mean `[P]`, ln of the diagonal
            of the lower triangular matrix L `[P]` (bounded to -4 ... 4), and what stands below it, row by row.
        at: Points in [-1, 1], `[B or 1, G, P]`.

    Returns:
        `[B, G]`, nats per unit of the coordinates.
    """
    num_parameters = at.shape[-1]
    log_weight = tf.nn.log_softmax(output[..., 0], axis=-1)
    mean, raw, below = tf.split(output[..., 1:], [num_parameters, num_parameters, -1], axis=-1)
    log_diagonal = _MAX_LOG_PRECISION * tf.math.tanh(raw / _MAX_LOG_PRECISION)
    distance = at[:, :, None] - mean[:, None]  # [B, G, K, P]
    total, first = 0.0, 0
    for row in range(num_parameters):
        z = tf.exp(log_diagonal[:, None, :, row]) * distance[..., row]
        for column in range(row):
            z += below[:, None, :, first + column] * distance[..., column]
        first += row
        total += z**2
    constant = 0.5 * num_parameters * math.log(2.0 * math.pi)
    height = log_weight + tf.reduce_sum(log_diagonal, axis=-1) - constant
    return tf.reduce_logsumexp(height[:, None] - 0.5 * total, axis=-1)
