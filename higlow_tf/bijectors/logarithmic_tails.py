"""Slow growth beyond the range of the training maps."""

import tensorflow as tf

from higlow_tf.bijectors.one_pass import OnePassBijector

__all__ = ["LogarithmicTails"]


class LogarithmicTails(OnePassBijector):
    """Is the identity between two bounds and grows like a logarithm beyond them.

    Type:     [..., H, W, C] -> [..., H, W, C]

    Forward:  y = x + sign * (width * ln(1 + e / width) - e)      # latent -> map
    Inverse:  x = y + sign * (width * (exp(d / width) - 1) - d)   # map -> latent
    fldj:     -sum(ln(1 + e / width))
    ildj:     sum(d / width)
    where     e, d >= 0 are how far x, y lie beyond the bounds, sign on which side;  low, high = bounds_fn()

    A flow is unconstrained where it has seen no map: of ten thousand maps that a flow drew, some had a pixel four decades
    above the brightest of training. This is a bijection with a continuous slope: nothing is clipped, and the density stays
    exact. All training maps lie inside the bounds, and there it changes nothing. Owns no variables.

    Args:
        bounds_fn: Callable `() -> (low [C], high [C])`, in the units of x.
        width: Distance beyond a bound at which the slope has fallen to one half.
        name: Name of this bijector.

    Example:
        >>> tails = LogarithmicTails(lambda: (tf.constant([-1.0]), tf.constant([1.0])), width=0.5)
        >>> tails.forward(tf.constant([0.25, 2.0], shape=[2, 1, 1, 1])).numpy().ravel().round(3)
        array([0.25 , 1.549], dtype=float32)
    """

    def __init__(self, bounds_fn, width, name="logarithmic_tails"):
        parameters = dict(locals())
        if not width > 0.0:
            raise ValueError(f"Expected a positive width. Received: {width}.")
        super().__init__(is_conditional=False, parameters=parameters, name=name)
        self._bounds_fn = bounds_fn
        self._width = width

    def forward_and_log_det(self, x, conditional_input=None):
        excess, sign = self._excess(x)
        stretched = tf.math.log1p(excess / self._width)
        return x + sign * (self._width * stretched - excess), -tf.reduce_sum(stretched, axis=(0, 1, 2))

    def inverse_and_log_det(self, y, conditional_input=None):
        excess, sign = self._excess(y)
        ratio = excess / self._width
        return y + sign * (self._width * tf.math.expm1(ratio) - excess), tf.reduce_sum(ratio, axis=(0, 1, 2))

    def _excess(self, x):
        """How far beyond the bounds, and on which side (+1, -1, or 0 inside)."""
        low, high = (tf.reshape(tf.cast(bound, x.dtype), [-1, 1, 1, 1]) for bound in self._bounds_fn())
        above, below = tf.nn.relu(x - high), tf.nn.relu(low - x)
        return above + below, tf.sign(above) - tf.sign(below)
