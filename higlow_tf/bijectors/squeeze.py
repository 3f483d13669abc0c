"""Space to channels and back."""

import tensorflow as tf

from higlow_tf.bijectors.one_pass import OnePassBijector, zero_log_det

__all__ = ["Squeeze"]


class Squeeze(OnePassBijector):
    """Moves every 2x2 square of pixels into channels (inverse) and back (forward).

    Type:     [..., H, W, 4 C] -> [..., 2 H, 2 W, C]

    Forward:  y[2 i + di, 2 j + dj, c] = x[i, j, 4 c + 2 di + dj]     # latent -> map
    Inverse:  x[i, j, 4 c + 2 di + dj] = y[2 i + di, 2 j + dj, c]     # map -> latent
    fldj:     0
    ildj:     0

    Args:
        name: Name of this bijector.

    Example:
        >>> Squeeze().inverse(tf.zeros([3, 8, 8, 1])).shape
        TensorShape([3, 4, 4, 4])

    References:
        [1] Dinh et al. Density estimation using Real NVP. ICLR 2017. https://arxiv.org/abs/1605.08803
    """

    def __init__(self, name="squeeze"):
        parameters = dict(locals())
        super().__init__(is_conditional=False, parameters=parameters, name=name)

    def forward_and_log_det(self, x, conditional_input=None):
        channels, height, width, _ = x.shape
        if channels % 4:
            raise ValueError(f"Expected a number of channels that 4 divides. Received: shape {x.shape}.")
        y = tf.reshape(x, [channels // 4, 2, 2, height, width, -1])
        y = tf.reshape(tf.transpose(y, [0, 3, 1, 4, 2, 5]), [channels // 4, 2 * height, 2 * width, -1])
        return tf.ensure_shape(y, [*y.shape[:3], x.shape[-1]]), zero_log_det(x)

    def inverse_and_log_det(self, y, conditional_input=None):
        channels, height, width, _ = y.shape
        if height % 2 or width % 2:
            raise ValueError(f"Expected an even number of rows and columns. Received: shape {y.shape}.")
        x = tf.reshape(y, [channels, height // 2, 2, width // 2, 2, -1])
        x = tf.reshape(tf.transpose(x, [0, 2, 4, 1, 3, 5]), [4 * channels, height // 2, width // 2, -1])
        return tf.ensure_shape(x, [*x.shape[:3], y.shape[-1]]), zero_log_det(y)

    def _forward_event_shape(self, shape):
        return tf.TensorShape([2 * shape[0], 2 * shape[1], shape[2] // 4])

    def _inverse_event_shape(self, shape):
        return tf.TensorShape([shape[0] // 2, shape[1] // 2, 4 * shape[2]])

    def _forward_event_shape_tensor(self, shape):
        return tf.stack([2 * shape[0], 2 * shape[1], shape[2] // 4])

    def _inverse_event_shape_tensor(self, shape):
        return tf.stack([shape[0] // 2, shape[1] // 2, 4 * shape[2]])
