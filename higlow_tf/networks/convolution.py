"""Convolutions of channel-major maps `[C, H, W, N]`, written as matrix products.

XLA's own convolution is slow on CPUs (its backward pass costs 7 to 9 times a matrix product's), and TensorFlow has no
periodic padding. A 3x3 convolution is here a matrix product and nine shifts: shifts first where the input has fewer
channels than the output, products first where the output has fewer. The nine shifts are separable, three and three.
"""

import tensorflow as tf

from higlow_tf.layout import SPATIAL_AXES, batch_size

__all__ = ["PADDINGS", "conv1x1", "conv3x3"]

PADDINGS = ("periodic", "zero")
_OFFSETS = (-1, 0, 1)


def conv1x1(x, kernel):
    """Multiplies the channels of every pixel.

    Args:
        x: `[I, H, W, N]`.
        kernel: `[O, I]`.

    Returns:
        `[O, H, W, N]`.
    """
    product = kernel @ tf.reshape(x, [x.shape[0], -1])
    return tf.reshape(product, [kernel.shape[0], x.shape[1], x.shape[2], batch_size(x)])


def conv3x3(x, kernel, padding):
    """3x3 convolution (cross-correlation) that keeps the size.

    Math:
        y[o, i, j] = sum(kernel[o, di, dj, c] * x[c, i + di - 1, j + dj - 1]) over di, dj, c

    Args:
        x: `[I, H, W, N]`.
        kernel: `[O, 3, 3, I]`.
        padding: "periodic" (maps wrap around) or "zero".

    Returns:
        `[O, H, W, N]`.
    """
    out_channels, _, _, in_channels = kernel.shape
    rows, columns = SPATIAL_AXES
    if in_channels < out_channels:
        shifted = tf.concat([_shift(x, offset, rows, padding) for offset in _OFFSETS], axis=0)
        shifted = tf.concat([_shift(shifted, offset, columns, padding) for offset in _OFFSETS], axis=0)
        return conv1x1(shifted, tf.reshape(tf.transpose(kernel, [0, 2, 1, 3]), [out_channels, 9 * in_channels]))
    products = conv1x1(x, tf.reshape(tf.transpose(kernel, [1, 2, 0, 3]), [9 * out_channels, in_channels]))
    by_row = tf.split(products, 3, axis=0)
    summed = tf.add_n([_shift(part, offset, rows, padding) for part, offset in zip(by_row, _OFFSETS, strict=True)])
    by_column = tf.split(summed, 3, axis=0)
    return tf.add_n([_shift(part, offset, columns, padding) for part, offset in zip(by_column, _OFFSETS, strict=True)])


def _shift(x, offset, axis, padding):
    """`y[i] = x[i + offset]` along an axis."""
    if offset == 0:
        return x
    if padding == "periodic":
        return tf.roll(x, -offset, axis)
    size = x.shape[axis]
    kept = [slice(None)] * 4
    kept[axis] = slice(max(offset, 0), size + min(offset, 0))
    border = [[0, 0]] * 4
    border[axis] = [max(-offset, 0), max(offset, 0)]
    return tf.pad(x[tuple(kept)], border)
