"""One shift and one scale a channel, the same for all maps."""

import tensorflow as tf

from higlow_tf.bijectors.one_pass import OnePassBijector
from higlow_tf.layout import batch_size

__all__ = ["ActNorm"]


class ActNorm(OnePassBijector):
    """Rescales and shifts every channel by constants.

    Type:     [..., H, W, C] -> [..., H, W, C]

    Forward:  y[i, j, c] = x[i, j, c] * exp(log_scale[c]) + shift[c]      # latent -> map
    Inverse:  x[i, j, c] = (y[i, j, c] - shift[c]) * exp(-log_scale[c])   # map -> latent
    fldj:     H W sum(log_scale)
    ildj:     -fldj
    where     shift, log_scale = shift_and_log_scale_fn()

    Owns no variables: the data-dependent start of Glow is the duty of whoever owns them.

    Args:
        shift_and_log_scale_fn: Callable `() -> (shift [C], log_scale [C])`. Called at every use, so that weight updates
            are seen.
        name: Name of this bijector.

    Example:
        >>> norm = ActNorm(lambda: (tf.ones([3]), tf.zeros([3])))
        >>> float(norm.forward(tf.zeros([2, 4, 4, 3]))[0, 0, 0, 0])
        1.0

    References:
        [1] Kingma & Dhariwal. Glow. NeurIPS 2018. https://arxiv.org/abs/1807.03039
    """

    def __init__(self, shift_and_log_scale_fn, name="act_norm"):
        parameters = dict(locals())
        super().__init__(is_conditional=False, parameters=parameters, name=name)
        self._shift_and_log_scale_fn = shift_and_log_scale_fn

    def forward_and_log_det(self, x, conditional_input=None):
        shift, log_scale, fldj = self._constants(x)
        return x * tf.exp(log_scale) + shift, fldj

    def inverse_and_log_det(self, y, conditional_input=None):
        shift, log_scale, fldj = self._constants(y)
        return (y - shift) * tf.exp(-log_scale), -fldj

    def _constants(self, x):
        shift, log_scale = self._shift_and_log_scale_fn()
        fldj = float(x.shape[1] * x.shape[2]) * tf.reduce_sum(log_scale)
        per_channel = [-1, 1, 1, 1]
        return tf.reshape(shift, per_channel), tf.reshape(log_scale, per_channel), tf.fill([batch_size(x)], fldj)
