"""The masked autoregressive step: every pixel is rescaled and shifted by amounts that depend on the pixels before it."""

import tensorflow as tf

from higlow_tf.bijectors.one_pass import OnePassBijector, zero_log_det
from higlow_tf.layout import batch_size

__all__ = ["MaskedAutoregressive"]


class MaskedAutoregressive(OnePassBijector):
    """Rescales and shifts every pixel by amounts that depend on the pixels before it and on the condition.

    Type:     [..., H, W, C] -> [..., H, W, C], given conditional_input [..., P]

    Forward:  y_i = x_i * exp(log_scale_i) + shift_i   # latent -> map: pixel after pixel, in D steps
    Inverse:  x_i = (y_i - shift_i) * exp(-log_scale_i)   # map -> latent: all pixels at once
    fldj:     sum(log_scale) over the D = H W C pixels
    ildj:     -fldj
    where     shift, log_scale = shift_and_log_scale_fn(y, conditional_input); their pixel i depends only on y of the pixels
              before i in the order: the Jacobian is triangular

    `tfb.MaskedAutoregressiveFlow` evaluates its whole network D times to draw a map; here a pixel costs what it adds.
    The loop is rolled. Its gradient is TensorFlow's own: not available under XLA with the tape outside. Owns no variables.

    Args:
        shift_and_log_scale_fn: Callable `(y [D, N], conditional_input [N, P]) -> (shift, log_scale)`, each `[D, N]`.
            Called at every use, so that weight updates are seen.
        pixel_by_pixel_fn: The same function in pieces, for drawing; also called at every use. A callable
            `(conditional_input [N, P]) -> (order, state, read, update)` with the order `[D]`, the state before the first pixel,
            `read(state, pixel) -> (shift [N], log_scale [N])` and `update(state, pixel, y_pixel [N]) -> state`.
        name: Name of this bijector.

    Call arguments:
        conditional_input: Tensor `[..., P]`. Required.

    Raises:
        TypeError: If `conditional_input` is missing.

    Example:
        A sum over the pixels before, as the shift:

        >>> def shift_and_log_scale(y, c):
        ...     return tf.cumsum(y, exclusive=True), tf.zeros_like(y)
        >>> def pixel_by_pixel(c):
        ...     zero = 0.0 * c[:, 0]
        ...     return tf.range(4), zero, lambda state, _: (state, zero), lambda state, _, value: state + value
        >>> step, condition = MaskedAutoregressive(shift_and_log_scale, pixel_by_pixel), tf.zeros([1, 2])
        >>> y = step.forward(tf.ones([1, 2, 2, 1]), conditional_input=condition)
        >>> y.numpy().ravel().tolist()
        [1.0, 2.0, 4.0, 8.0]
        >>> step.inverse(tf.identity(y), conditional_input=condition).numpy().ravel().tolist()
        [1.0, 1.0, 1.0, 1.0]

    References:
        [1] Papamakarios et al. Masked autoregressive flow. NeurIPS 2017. https://arxiv.org/abs/1705.07057
    """

    def __init__(self, shift_and_log_scale_fn, pixel_by_pixel_fn, name="masked_autoregressive"):
        parameters = dict(locals())
        super().__init__(is_conditional=True, parameters=parameters, name=name)
        self._shift_and_log_scale_fn = shift_and_log_scale_fn
        self._pixel_by_pixel_fn = pixel_by_pixel_fn

    def inverse_and_log_det(self, y, conditional_input=None):
        flat = _flat(y)
        shift, log_scale = self._shift_and_log_scale_fn(flat, conditional_input)
        x = (flat - shift) * tf.exp(-log_scale)
        return tf.reshape(x, tf.shape(y)), -tf.reduce_sum(log_scale, axis=0)

    def forward_and_log_det(self, x, conditional_input=None):
        order, state, read, update = self._pixel_by_pixel_fn(conditional_input)
        flat = _flat(x)

        def draw_pixel(step, state, y, fldj):
            pixel = order[step]
            shift, log_scale = read(state, pixel)
            y_pixel = flat[pixel] * tf.exp(log_scale) + shift
            return step + 1, update(state, pixel, y_pixel), y.write(pixel, y_pixel), fldj + log_scale

        size = flat.shape[0]
        y = tf.TensorArray(x.dtype, size, element_shape=x.shape[-1:])
        start = (0, state, y, zero_log_det(x))
        _, _, y, fldj = tf.while_loop(lambda *_: True, draw_pixel, start, maximum_iterations=size)
        return tf.ensure_shape(tf.reshape(y.stack(), tf.shape(x)), x.shape), fldj


def _flat(x):
    """`[C, H, W, N] -> [D, N]`."""
    return tf.reshape(x, [x.shape[0] * x.shape[1] * x.shape[2], batch_size(x)])
