"""A filter that depends on the length of the wave vector alone."""

import tensorflow as tf

from higlow_tf.bijectors.one_pass import OnePassBijector

__all__ = ["IsotropicFilter"]


class IsotropicFilter(OnePassBijector):
    """Multiplies the coefficients of waves; it acts between two `HartleyTransform`s.

    Type:     [..., H, W, C] -> [..., H, W, C], with `is_conditional` given conditional_input [..., P]

    Forward:  y = x * exp(log_transfer)
    Inverse:  x = y * exp(-log_transfer)
    fldj:     sum(log_transfer) over H, W, C
    ildj:     -fldj
    where     log_transfer = log_transfer_fn(), or log_transfer_fn(conditional_input)

    Args:
        log_transfer_fn: Callable `() -> [C, H, W]`, the natural log of the factor of each coefficient; with `is_conditional`
            `[N, P] -> [C, H, W, N]`. Called at every use.
        is_conditional: Whether every map has its own filter, that of its condition.
        name: Name of this bijector.

    Call arguments:
        conditional_input: Tensor `[..., P]`. Required with `is_conditional`.

    Raises:
        TypeError: If `conditional_input` is required and missing.

    Example:
        >>> doubled = IsotropicFilter(lambda: tf.fill([1, 1, 2], 0.6931472))
        >>> doubled.forward(tf.constant([1.0, 3.0], shape=[1, 2, 1])).numpy().ravel().round(3).tolist()
        [2.0, 6.0]

    References:
        [1] Dai & Seljak. Translation and rotation equivariant normalizing flow (TRENF). 2022. https://arxiv.org/abs/2202.05282
    """

    def __init__(self, log_transfer_fn, is_conditional=False, name="isotropic_filter"):
        parameters = dict(locals())
        super().__init__(is_conditional=is_conditional, parameters=parameters, name=name)
        self._log_transfer_fn = log_transfer_fn

    def forward_and_log_det(self, x, conditional_input=None):
        log_transfer, fldj = self._log_transfer_and_fldj(x, conditional_input)
        return x * tf.exp(log_transfer), fldj

    def inverse_and_log_det(self, y, conditional_input=None):
        log_transfer, fldj = self._log_transfer_and_fldj(y, conditional_input)
        return y * tf.exp(-log_transfer), -fldj

    def _log_transfer_and_fldj(self, x, conditional_input):
        if self.is_conditional:
            log_transfer = self._log_transfer_fn(conditional_input)
            return log_transfer, tf.reduce_sum(log_transfer, axis=(0, 1, 2))
        log_transfer = self._log_transfer_fn()[..., None]
        return log_transfer, tf.fill([tf.shape(x)[-1]], tf.reduce_sum(log_transfer))
