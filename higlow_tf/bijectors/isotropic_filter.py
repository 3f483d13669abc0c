"""A filter that depends on the length of the wave vector alone."""

import tensorflow as tf

from higlow_tf.bijectors.one_pass import OnePassBijector

__all__ = ["IsotropicFilter"]


class IsotropicFilter(OnePassBijector):
    """Multiplies the coefficients of waves; it acts between two `HartleyTransform`s.

    Type:     [..., H, W, C] -> [..., H, W, C]

    Forward:  y = x * exp(log_transfer)
    Inverse:  x = y * exp(-log_transfer)
    fldj:     sum(log_transfer) over H, W, C
    ildj:     -fldj
    where     log_transfer = log_transfer_fn()

    Args:
        log_transfer_fn: Callable `() -> [C, H, W]`, the natural log of the factor of each coefficient.
        name: Name of this bijector.

    Example:
        >>> doubled = IsotropicFilter(lambda: tf.fill([1, 1, 2], 0.6931472))
        >>> doubled.forward(tf.constant([1.0, 3.0], shape=[1, 2, 1])).numpy().ravel().round(3).tolist()
        [2.0, 6.0]

    References:
        [1] Dai & Seljak. Translation and rotation equivariant normalizing flow (TRENF). 2022. https://arxiv.org/abs/2202.05282
    """

    def __init__(self, log_transfer_fn, name="isotropic_filter"):
        parameters = dict(locals())
        super().__init__(is_conditional=False, parameters=parameters, name=name)
        self._log_transfer_fn = log_transfer_fn

    def forward_and_log_det(self, x, conditional_input=None):
        log_transfer, fldj = self._log_transfer_and_fldj(x)
        return x * tf.exp(log_transfer), fldj

    def inverse_and_log_det(self, y, conditional_input=None):
        log_transfer, fldj = self._log_transfer_and_fldj(y)
        return y * tf.exp(-log_transfer), -fldj

    def _log_transfer_and_fldj(self, x):
        log_transfer = self._log_transfer_fn()[..., None]
        return log_transfer, tf.fill([tf.shape(x)[-1]], tf.reduce_sum(log_transfer))
