"""`ParameterSpace.normalize` and `denormalize` as TensorFlow graphs: differentiable, in the precision of the caller."""

import math

import tensorflow as tf

__all__ = ["denormalize", "normalize"]


def normalize(parameters, theta):
    """Maps the prior onto [-1, 1].

    Unlike `ParameterSpace.normalize` it checks no values: a log-uniform parameter that is not positive gives NaN.

    Args:
        parameters: `ParameterSpace`.
        theta: Floating-point tensor `[..., P]`, physical.

    Returns:
        `[..., P]`, of the dtype of theta.
    """
    columns = []
    for index, spec in enumerate(parameters):
        value, (low, high) = theta[..., index], _transformed_edges(spec)
        if spec.transform == "log":
            value = tf.math.log(value)
        columns.append((value - low) * (2.0 / (high - low)) - 1.0)
    return tf.stack(columns, axis=-1)


def denormalize(parameters, condition):
    """The inverse of `normalize`, `[..., P]` -> `[..., P]`."""
    columns = []
    for index, spec in enumerate(parameters):
        low, high = _transformed_edges(spec)
        value = low + (condition[..., index] + 1.0) * (0.5 * (high - low))
        columns.append(tf.exp(value) if spec.transform == "log" else value)
    return tf.stack(columns, axis=-1)


def _transformed_edges(spec):
    """Edges of the prior, or their logarithms for a log-uniform parameter."""
    return (math.log(spec.low), math.log(spec.high)) if spec.transform == "log" else (spec.low, spec.high)
