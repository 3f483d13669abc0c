"""Joint transport of what a whole map shares: its mean and its power in a few bands of scale."""

import tensorflow as tf

from higlow_tf.bijectors.one_pass import OnePassBijector

__all__ = ["BandPowers"]

# A band whose mean square is below this has no power: its logarithm is cut, and the map stays as it is.
_TINY = 1e-20


class BandPowers(OnePassBijector):
    """Changes mean and band powers of a map by an affine map of their own; it acts between two `HartleyTransform`s.

    Type:     [..., H, H, C] -> [..., H, H, C], given conditional_input [..., P]

    Forward:  q(y) = matrix @ q(x) + shift;  within a band, y = x * exp(q(y) - q(x))
    Inverse:  q(x) = matrix**-1 @ (q(y) - shift);  within a band, x = y * exp(q(x) - q(y))
    fldj:     sum over bands of size * (q(y) - q(x)) + log(abs(det(matrix)))
    ildj:     -fldj
    where     q = (mean, ln of the root mean square of the coefficients of band 1, ..., of band B) of each channel: `[C (1 + B)]`,
              matrix, shift = transport_fn(conditional_input), and `size` is the number of coefficients of a band

    In polar coordinates of each band a map is a radius and a direction. Only the radii and the mean change, all of them
    together, so that the log-determinant is that of the radii (n powers of each come from the volume of the shell). A
    flow of convolutions makes maps of one cosmology too much alike in such quantities, and hardly any likelihood is
    lost by it. This is the one place where they can be set jointly, and the density stays exact.

    Args:
        bands: Band of each coefficient, integers `[H, H]` from 0 to B - 1; coefficient (0, 0) is the mean and in no band.
        transport_fn: Callable `[N, P] -> (matrix [D, D], shift [D, N])` with D = C (1 + B).
        name: Name of this bijector.

    Call arguments:
        conditional_input: Tensor `[..., P]`. Required.

    Raises:
        TypeError: If `conditional_input` is missing.

    Example:
        >>> import numpy as np
        >>> louder = BandPowers(np.zeros([2, 2], int), lambda c: (tf.eye(2), tf.tile([[0.0], [1.0]], [1, len(c)])))
        >>> louder.forward_log_det_jacobian(tf.ones([2, 2, 1]), conditional_input=tf.zeros([2])).numpy().item()
        3.0
    """

    def __init__(self, bands, transport_fn, name="band_powers"):
        parameters = dict(locals())
        super().__init__(is_conditional=True, parameters=parameters, name=name)
        self._transport_fn = transport_fn
        self._side = len(bands)
        bands = tf.one_hot(tf.reshape(bands, [-1])[1:], int(bands.max()) + 1, dtype=tf.float64)
        self._members = tf.concat([tf.zeros_like(bands[:1]), bands], axis=0)  # [H H, B], none of them the mean

    def forward_and_log_det(self, x, conditional_input=None):
        matrix, shift = self._transport_fn(conditional_input)
        before = self.summaries(x)
        after = tf.matmul(matrix, before) + shift
        y, of_bands = self._moved(x, before, after)
        return y, of_bands + _log_abs_det(matrix)

    def inverse_and_log_det(self, y, conditional_input=None):
        matrix, shift = self._transport_fn(conditional_input)
        after = self.summaries(y)
        before = tf.matmul(tf.linalg.inv(matrix), after - shift)
        x, of_bands = self._moved(y, after, before)
        return x, of_bands - _log_abs_det(matrix)

    def summaries(self, coefficients):
        """Mean and logarithms of the band powers, q, of coefficients `[C, H, H, N]`: `[D, N]`."""
        flat = tf.reshape(coefficients, [coefficients.shape[0], self._side**2, -1])
        members = tf.cast(self._members, flat.dtype)
        sizes = tf.reduce_sum(members, axis=0)[None, :, None]
        squares = tf.einsum("kb,ckn->cbn", members, flat**2) / sizes
        logs = 0.5 * tf.math.log(tf.maximum(squares, tf.cast(_TINY, flat.dtype)))
        parts = tf.concat([flat[:, :1] / self._side, logs], axis=1)
        return tf.reshape(parts, [parts.shape[0] * parts.shape[1], -1])

    def _moved(self, coefficients, before, after):
        """The map with the summaries `after` instead of `before`, and the log-determinant of the bands' shells, `[N]`."""
        channels = coefficients.shape[0]
        members = tf.cast(self._members, coefficients.dtype)
        shape = [channels, -1, tf.shape(before)[-1]]
        change = tf.reshape(after - before, shape)
        factors = tf.einsum("kb,cbn->ckn", members, tf.exp(change[:, 1:]))
        # No band has the mean, whose factor is therefore 0: it is set, not scaled.
        flat = tf.reshape(coefficients, [channels, self._side**2, -1]) * factors
        mean = self._side * tf.reshape(after, shape)[:, :1]
        moved = tf.concat([mean, flat[:, 1:]], axis=1)
        log_det = tf.einsum("kb,cbn->n", members, change[:, 1:])
        return tf.reshape(moved, tf.shape(coefficients)), log_det


def _log_abs_det(matrix):
    # Not slogdet, which XLA lacks.
    return 0.5 * tf.linalg.logdet(tf.matmul(matrix, matrix, transpose_a=True))
