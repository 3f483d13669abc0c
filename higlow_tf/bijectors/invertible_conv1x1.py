"""Glow's invertible 1x1 convolution."""

from typing import Any, NamedTuple

import tensorflow as tf

from higlow_tf.bijectors.one_pass import OnePassBijector
from higlow_tf.layout import batch_size

__all__ = ["Conv1x1Kernel", "InvertibleConv1x1"]


class Conv1x1Kernel(NamedTuple):
    """What a 1x1 convolution is given: one of the two matrices `[C, C]` may be None and is then computed.

    `log_abs_det` is log|det weight|, a scalar.
    """

    log_abs_det: Any
    weight: Any = None
    inverse_weight: Any = None


class InvertibleConv1x1(OnePassBijector):
    """Multiplies the channels of every pixel by one matrix.

    Type:     [..., H, W, C] -> [..., H, W, C]

    Forward:  y[i, j, :] = W x[i, j, :]               # latent -> map
    Inverse:  x[i, j, :] = W**-1 y[i, j, :]           # map -> latent
    fldj:     H W log|det W|
    ildj:     -fldj
    where     W, W**-1, log|det W| = kernel_fn()

    The networks of this package store the factors of W**-1 = P L (U + diag(s)). The density applies this matrix, and so does
    the training (Glow's own direction). A training step then inverts nothing; log|det W| = -sum(log|s|). Owns no variables.

    Args:
        kernel_fn: Callable `() -> Conv1x1Kernel`. Called at every use, so that weight updates are seen.
        name: Name of this bijector.

    Example:
        >>> weight = tf.constant([[0.0, 1.0], [1.0, 0.0]])
        >>> swap = InvertibleConv1x1(lambda: Conv1x1Kernel(log_abs_det=0.0, weight=weight))
        >>> swap.forward(tf.constant([1.0, 2.0], shape=[1, 1, 1, 2])).numpy().ravel().tolist()
        [2.0, 1.0]

    References:
        [1] Kingma & Dhariwal. Glow. NeurIPS 2018. https://arxiv.org/abs/1807.03039
    """

    def __init__(self, kernel_fn, name="invertible_conv1x1"):
        parameters = dict(locals())
        super().__init__(is_conditional=False, parameters=parameters, name=name)
        self._kernel_fn = kernel_fn

    def forward_and_log_det(self, x, conditional_input=None):
        kernel = self._kernel_fn()
        weight = tf.linalg.inv(kernel.inverse_weight) if kernel.weight is None else kernel.weight
        return _multiply(weight, x), _sum_over_pixels(kernel.log_abs_det, x)

    def inverse_and_log_det(self, y, conditional_input=None):
        kernel = self._kernel_fn()
        inverse = tf.linalg.inv(kernel.weight) if kernel.inverse_weight is None else kernel.inverse_weight
        return _multiply(inverse, y), -_sum_over_pixels(kernel.log_abs_det, y)


def _multiply(weight, x):
    flat = tf.reshape(x, [x.shape[0], -1])
    return tf.reshape(weight @ flat, [*x.shape[:3], batch_size(x)])


def _sum_over_pixels(log_abs_det, x):
    per_map = float(x.shape[1] * x.shape[2]) * tf.convert_to_tensor(log_abs_det, dtype=x.dtype)
    return tf.fill([batch_size(x)], per_map)
