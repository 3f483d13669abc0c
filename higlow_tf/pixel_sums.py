"""Sums over the pixels of each map, which XLA writes as slow loops where few maps lie innermost.

Over `[C, H, W, N]` such a sum runs through memory in strides of N. For one to four maps a matrix product with ones takes a
third to half of the time. Most such sums are on the way back, of numbers a map that were added to its pixels or multiplied
with them. Small sums go into the loop that makes their terms, and many maps fill a vector: there, and where the number of maps
is unknown, these functions are TensorFlow's own operations.
"""

import numpy as np
import tensorflow as tf

from higlow_tf.layout import CHANNEL_AXIS, SPATIAL_AXES

__all__ = ["add_to_pixels", "multiply_pixels", "sum_over_pixels"]

# The product costs N times as many operations as the sum. Measured for 16 and 32 channels of 2048 pixels of 2 and 8 maps.
_MOST_MAPS, _FEWEST_TERMS = 4, 2**15


def sum_over_pixels(x):
    """`[C, H, W, N] -> [C, 1, 1, N]`."""
    return _sum_by_product(x) if _has_few_maps(x) else tf.reduce_sum(x, axis=SPATIAL_AXES, keepdims=True)


def add_to_pixels(x, term):
    """`[C, H, W, N]` plus a number a map, `[C or 1, 1, 1, N]`, or plus whatever else broadcasts."""
    return _add(x, term) if _has_few_maps(x) and _is_of_maps(term, x) else x + term


def multiply_pixels(x, factor):
    """`[C, H, W, N]` times a number a map, `[C or 1, 1, 1, N]`, or times whatever else broadcasts."""
    return _multiply(x, factor) if _has_few_maps(x) and _is_of_maps(factor, x) else x * factor


def _has_few_maps(x):
    """Whether a product pays."""
    shape = x.shape
    return shape.is_fully_defined() and shape[-1] <= _MOST_MAPS and shape.num_elements() >= _FEWEST_TERMS


def _is_of_maps(number, x):
    shape = number.shape.as_list()
    return shape in ([x.shape[CHANNEL_AXIS], 1, 1, x.shape[-1]], [1, 1, 1, x.shape[-1]])


@tf.custom_gradient
def _sum_by_product(x):
    num_channels, height, width, num_maps = x.shape
    of_each_map = tf.constant(np.tile(np.eye(num_maps), [height * width, 1]), x.dtype)
    sums = tf.reshape(tf.reshape(x, [num_channels, -1]) @ of_each_map, [num_channels, 1, 1, num_maps])
    return sums, lambda dy: tf.broadcast_to(dy, x.shape)


@tf.custom_gradient
def _add(x, term):
    return x + term, lambda dy: (dy, _sum_to(dy, term))


@tf.custom_gradient
def _multiply(x, factor):
    return x * factor, lambda dy: (dy * factor, _sum_to(dy * x, factor))


def _sum_to(dy, number):
    """The sum of `[C, H, W, N]` to the shape of what was broadcast."""
    sums = sum_over_pixels(dy)
    return tf.reduce_sum(sums, axis=CHANNEL_AXIS, keepdims=True) if number.shape[CHANNEL_AXIS] == 1 else sums
