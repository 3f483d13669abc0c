"""The conditional affine coupling, which is also the conditional Gaussian of a split."""

import tensorflow as tf

from higlow_tf.bijectors.one_pass import OnePassBijector
from higlow_tf.layout import CHANNEL_AXIS, SPATIAL_AXES
from higlow_tf.pixel_sums import sum_over_pixels

__all__ = ["ConditionalAffineCoupling"]


class ConditionalAffineCoupling(OnePassBijector):
    """Rescales and shifts the second half of the channels by amounts that depend on the first half and the condition.

    Type:     [..., H, W, C] -> [..., H, W, C], given conditional_input [..., P]; C even

    Forward:  y = [a, b * exp(log_scale) + shift]           # latent -> map
    Inverse:  x = [a, (b - shift) * exp(-log_scale)]        # map -> latent
    fldj:     sum(log_scale) over H, W, C / 2
    ildj:     -fldj
    where     a, b = halves of the channels;  shift, log_scale = shift_and_log_scale_fn(a, conditional_input)

    At the split of a multiscale flow the same map is Glow's learned prior: the half b that leaves is Gaussian with
    mean `shift` and standard deviation `exp(log_scale)` given the half a that stays. Owns no variables.

    Args:
        shift_and_log_scale_fn: Callable `(a, conditional_input) -> (shift, log_scale)`, all channel-major
            `[C / 2, H, W, N]`, the condition `[N, P]`. Called once a pass.
        name: Name of this bijector.

    Call arguments:
        conditional_input: Tensor `[..., P]`. Required.

    Raises:
        TypeError: If `conditional_input` is missing.
        ValueError: If the number of channels is odd.

    Example:
        >>> coupling = ConditionalAffineCoupling(lambda a, c: (a, 0.0 * a))
        >>> y = coupling.forward(tf.constant([1.0, 5.0], shape=[1, 1, 1, 2]), conditional_input=tf.zeros([1, 2]))
        >>> y.numpy().ravel().tolist()
        [1.0, 6.0]

    References:
        [1] Dinh et al. Density estimation using Real NVP. ICLR 2017. https://arxiv.org/abs/1605.08803
        [2] Ardizzone et al. Guided image generation with conditional INNs. 2019. https://arxiv.org/abs/1907.02392
    """

    def __init__(self, shift_and_log_scale_fn, name="conditional_affine_coupling"):
        parameters = dict(locals())
        super().__init__(is_conditional=True, parameters=parameters, name=name)
        self._shift_and_log_scale_fn = shift_and_log_scale_fn

    def forward_and_log_det(self, x, conditional_input=None):
        a, b, shift, log_scale = self._halves(x, conditional_input)
        y = tf.concat([a, b * tf.exp(log_scale) + shift], axis=CHANNEL_AXIS)
        return y, _sum_over_event(log_scale)

    def inverse_and_log_det(self, y, conditional_input=None):
        a, b, shift, log_scale = self._halves(y, conditional_input)
        x = tf.concat([a, (b - shift) * tf.exp(-log_scale)], axis=CHANNEL_AXIS)
        return x, -_sum_over_event(log_scale)

    def _halves(self, x, conditional_input):
        if x.shape[CHANNEL_AXIS] % 2:
            raise ValueError(f"Expected an even number of channels. Received: {x.shape[CHANNEL_AXIS]} channels.")
        a, b = tf.split(x, 2, axis=CHANNEL_AXIS)
        return a, b, *self._shift_and_log_scale_fn(a, conditional_input)


def _sum_over_event(log_scale):
    """`[C / 2, H, W, N] -> [N]`."""
    return tf.reduce_sum(sum_over_pixels(log_scale), axis=(CHANNEL_AXIS, *SPATIAL_AXES))
