"""The affine injector: the condition alone rescales and shifts."""

import tensorflow as tf

from higlow_tf.bijectors.one_pass import OnePassBijector
from higlow_tf.layout import CHANNEL_AXIS, SPATIAL_AXES
from higlow_tf.pixel_sums import add_to_pixels, multiply_pixels

__all__ = ["AffineInjector"]


class AffineInjector(OnePassBijector):
    """Rescales and shifts every pixel by amounts that depend only on the condition.

    Type:     [..., H, W, C] -> [..., H, W, C], given conditional_input [..., P]

    Forward:  y = x * exp(log_scale) + shift          # latent -> map
    Inverse:  x = (y - shift) * exp(-log_scale)       # map -> latent
    fldj:     sum(log_scale) over H, W, C
    ildj:     -fldj
    where     shift, log_scale = shift_and_log_scale_fn(conditional_input)

    Invertible for any finite log_scale; bounding it is the callable's duty. Owns no variables.

    Args:
        shift_and_log_scale_fn: Callable `[N, P] -> (shift, log_scale)`, each broadcastable to the channel-major
            `[C, H, W, N]`: `[1, 1, 1, N]` for one number a map (the paper), `[C, 1, 1, N]` for one a channel. Called at
            every use, so that weight updates are seen.
        name: Name of this bijector.

    Call arguments:
        conditional_input: Tensor `[..., P]`. Required.

    Raises:
        TypeError: If `conditional_input` is missing.
        ValueError: If the callable gives another number of channels than one or C.

    Example:
        >>> def per_channel(c):
        ...     shift = tf.reshape(tf.transpose(c), [-1, 1, 1, tf.shape(c)[0]])
        ...     return shift, 0.0 * shift
        >>> AffineInjector(per_channel).forward(tf.zeros([2, 4, 4, 3]), conditional_input=tf.ones([2, 3])).shape
        TensorShape([2, 4, 4, 3])

    References:
        [1] Lugmayr et al. SRFlow. ECCV 2020. https://arxiv.org/abs/2006.14200
        [2] Friedman & Hassan. HIGlow. 2022. https://arxiv.org/abs/2211.12724
    """

    def __init__(self, shift_and_log_scale_fn, name="affine_injector"):
        parameters = dict(locals())
        super().__init__(is_conditional=True, parameters=parameters, name=name)
        self._shift_and_log_scale_fn = shift_and_log_scale_fn

    def forward_and_log_det(self, x, conditional_input=None):
        shift, log_scale = self._shift_and_log_scale(conditional_input, x)
        return add_to_pixels(multiply_pixels(x, tf.exp(log_scale)), shift), _sum_over_event(log_scale, x)

    def inverse_and_log_det(self, y, conditional_input=None):
        shift, log_scale = self._shift_and_log_scale(conditional_input, y)
        return multiply_pixels(add_to_pixels(y, -shift), tf.exp(-log_scale)), -_sum_over_event(log_scale, y)

    def _shift_and_log_scale(self, conditional_input, x):
        """Both, checked: more channels than the map has would make a larger map of it by broadcasting."""
        shift, log_scale = self._shift_and_log_scale_fn(conditional_input)
        channels = x.shape[CHANNEL_AXIS]
        for found in (shift.shape[CHANNEL_AXIS], log_scale.shape[CHANNEL_AXIS]):
            if None not in (found, channels) and found not in (1, channels):
                raise ValueError(f"Expected shift and log_scale of 1 or {channels} channels. Received: {found}.")
        return shift, log_scale


def _sum_over_event(log_scale, x):
    """Sum of log_scale after broadcasting to the event of x, without broadcasting it."""
    repeats = 1
    for axis in range(3):
        repeats *= x.shape[axis] // log_scale.shape[axis]
    return float(repeats) * tf.reduce_sum(log_scale, axis=(0, *SPATIAL_AXES))
