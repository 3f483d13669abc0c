"""The prior of a served model: whether a request lies inside it."""

import tensorflow as tf

from higlow_tf.data.parameters import EDGE_TOLERANCE

__all__ = ["is_inside_prior"]


def is_inside_prior(parameters, theta):
    """Which rows of theta lie inside the prior: `[..., P]` -> bool `[...]`; not those with NaN.

    It is what `ParameterSpace.outside` says, in the arithmetic that it uses.
    """
    theta = tf.cast(theta, tf.float64)
    low, high = parameters.low, parameters.high
    excess = tf.maximum(low - theta, theta - high)
    return tf.reduce_all(excess <= EDGE_TOLERANCE * (high - low), axis=-1)
