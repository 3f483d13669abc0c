"""One increasing curve for all pixels of a channel, the same for all maps or one for each condition."""

import tensorflow as tf

from higlow_tf.bijectors.one_pass import OnePassBijector

__all__ = ["MonotoneCurve"]


class MonotoneCurve(OnePassBijector):
    """Takes every pixel through a rational-quadratic spline, which goes on as a straight line beyond its knots.

    Type:     [..., H, W, C] -> [..., H, W, C], with `is_conditional` given conditional_input [..., P]

    Forward:  y = y_k + h (s t**2 + d_k t (1 - t)) / (s + (d_k + d_k+1 - 2 s) t (1 - t))
    Inverse:  t = 2 c / (-b - sqrt(b**2 - 4 a c)), the root of the same equation in 0-1
    fldj:     sum(ln of the curve's slope) over H, W, C
    ildj:     -fldj
    where     t = (x - x_k) / w in the interval [x_k, x_k+1] of width w, height h and mean slope s = h / w;
              x, y, slope of the knots = knots_fn(), or knots_fn(conditional_input)

    `tfp.bijectors.RationalQuadraticSpline` is the same function between its knots. It is the identity beyond them, and it copies
    all knots for every pixel, which takes fifty times the memory of a map.

    Args:
        knots_fn: Callable `() -> (x [C, K], y [C, K], slope [C, K])`; x and y increase, slopes are positive. With
            `is_conditional` a callable of the condition `[N, P]`, and its arrays are `[C, K, N]`. Called at every use.
        is_conditional: Whether every map has its own curve, that of its condition.
        name: Name of this bijector.

    Call arguments:
        conditional_input: Tensor `[..., P]`. Required with `is_conditional`.

    Raises:
        TypeError: If `conditional_input` is required and missing.

    Example:
        >>> knots = tf.constant([[0.0, 1.0]]), tf.constant([[0.0, 2.0]]), tf.constant([[1.0, 3.0]])
        >>> curve = MonotoneCurve(lambda: knots)
        >>> curve.forward(tf.constant([-1.0, 0.5, 2.0], shape=[3, 1, 1])).numpy().ravel().round(3).tolist()
        [-1.0, 0.75, 5.0]

    References:
        [1] Gregory & Delbourgo. Piecewise rational quadratic interpolation to monotonic data. IMA J. Numer. Anal. 2, 123 (1982).
        [2] Durkan et al. Neural spline flows. NeurIPS 2019. https://arxiv.org/abs/1906.04032
    """

    def __init__(self, knots_fn, is_conditional=False, name="monotone_curve"):
        parameters = dict(locals())
        super().__init__(is_conditional=is_conditional, parameters=parameters, name=name)
        self._knots_fn = knots_fn

    def forward_and_log_det(self, x, conditional_input=None):
        low_x, low_y, width, height, low_slope, high_slope = self._interval(x, conditional_input, in_map_units=False)
        t = (x - low_x) / width
        inside = tf.clip_by_value(t, 0.0, 1.0)
        mean_slope = height / width
        between = inside * (1.0 - inside)
        rise = mean_slope * inside**2 + low_slope * between
        y = low_y + height * rise / (mean_slope + (low_slope + high_slope - 2.0 * mean_slope) * between)
        beyond = (t - inside) * width * tf.where(t > 0.5, high_slope, low_slope)
        return y + beyond, _sum_of_log_slopes(inside, mean_slope, low_slope, high_slope)

    def inverse_and_log_det(self, y, conditional_input=None):
        low_x, low_y, width, height, low_slope, high_slope = self._interval(y, conditional_input, in_map_units=True)
        above = y - low_y
        inside = tf.clip_by_value(above, 0.0, height)
        mean_slope = height / width
        bend = inside * (low_slope + high_slope - 2.0 * mean_slope)
        a = height * (mean_slope - low_slope) + bend
        b = height * low_slope - bend
        c = -mean_slope * inside
        root = tf.sqrt(tf.maximum(b**2 - 4.0 * a * c, 0.0))
        t = tf.clip_by_value(2.0 * c / (-b - root), 0.0, 1.0)
        beyond = (above - inside) / tf.where(t > 0.5, high_slope, low_slope)
        ildj = -_sum_of_log_slopes(t, mean_slope, low_slope, high_slope)
        return low_x + t * width + beyond, ildj

    def _interval(self, values, conditional_input, in_map_units):
        """Lower corner, sizes and slopes of the interval of every pixel; beyond the knots those of the last interval."""
        given = self._knots_fn(conditional_input) if self.is_conditional else self._knots_fn()
        x, y, slope = (tf.cast(part, values.dtype) for part in given)
        inner = (y if in_map_units else x)[:, 1:-1]
        of_intervals = [x[:, :-1], y[:, :-1], x[:, 1:] - x[:, :-1], y[:, 1:] - y[:, :-1], slope[:, :-1], slope[:, 1:]]
        if self.is_conditional:
            return _chosen_by_map(values, inner, of_intervals)
        flat = tf.reshape(values, [values.shape[0], -1])
        index = tf.searchsorted(inner, flat, side="right")
        gathered = (tf.gather(part, index, batch_dims=1) for part in of_intervals)
        return [tf.reshape(part, tf.shape(values)) for part in gathered]


def _chosen_by_map(values, inner, of_intervals):
    """The numbers of each pixel's interval where every map has its own knots: `[C, K - 2, N]` inner, `[C, K - 1, N]` others.

    These knots are trained. A sum over all intervals, of which one is not zero, has a gradient of products and sums, which XLA
    fuses; that of a gather adds pixel by pixel.
    """
    pixels = tf.reshape(values, [values.shape[0], 1, -1, tf.shape(values)[-1]])
    is_above = pixels >= inner[:, :, None]
    edge = tf.ones_like(is_above[:, :1])
    is_inside = tf.concat([edge, is_above], axis=1) & ~tf.concat([is_above, ~edge], axis=1)
    zero = tf.zeros([], values.dtype)
    chosen = (tf.reduce_sum(tf.where(is_inside, part[:, :, None], zero), axis=1) for part in of_intervals)
    return [tf.reshape(part, tf.shape(values)) for part in chosen]


def _sum_of_log_slopes(t, mean_slope, low_slope, high_slope):
    between = t * (1.0 - t)
    numerator = high_slope * t**2 + 2.0 * mean_slope * between + low_slope * (1.0 - t) ** 2
    denominator = mean_slope + (low_slope + high_slope - 2.0 * mean_slope) * between
    log_slope = 2.0 * tf.math.log(mean_slope) + tf.math.log(numerator) - 2.0 * tf.math.log(denominator)
    return tf.reduce_sum(log_slope, axis=(0, 1, 2))
