"""From physical maps to standardised logarithms and back, with log-determinants."""

import math

import tensorflow as tf

from higlow_tf.bijectors.act_norm import ActNorm
from higlow_tf.bijectors.conditional_chain import ConditionalChain
from higlow_tf.bijectors.logarithmic_tails import LogarithmicTails
from higlow_tf.bijectors.one_pass import OnePassBijector

__all__ = ["Exp10", "MapPreprocessing"]

_LN10 = math.log(10.0)


class Exp10(OnePassBijector):
    """Ten to the power of every pixel.

    Type:     [..., H, W, C] -> [..., H, W, C]

    Forward:  y = 10**x                               # log10 map -> physical map
    Inverse:  x = log10(y)
    fldj:     sum(x ln 10 + ln ln 10)
    ildj:     -sum(ln y + ln ln 10)

    A zero or negative pixel gives a non-finite latent. A floor for exact zeros is not invertible. Therefore it is a step of
    the data, never of the flow.

    Args:
        name: Name of this bijector.

    Example:
        >>> Exp10().inverse(tf.constant([1000.0], shape=[1, 1, 1])).numpy().ravel().round(3).tolist()
        [3.0]
    """

    def __init__(self, name="exp10"):
        parameters = dict(locals())
        super().__init__(is_conditional=False, parameters=parameters, name=name)

    def forward_and_log_det(self, x, conditional_input=None):
        return tf.exp(_LN10 * x), tf.reduce_sum(_LN10 * x + math.log(_LN10), axis=(0, 1, 2))

    def inverse_and_log_det(self, y, conditional_input=None):
        ln_y = tf.math.log(y)
        return ln_y / _LN10, -tf.reduce_sum(ln_y + math.log(_LN10), axis=(0, 1, 2))


class MapPreprocessing(ConditionalChain):
    """Standardised log10 map <-> physical map.

    Type:     [..., H, W, C] -> [..., H, W, C]

    Forward:  y = 10**tails(x * exp(log_scale) + shift)    # latent -> map
    Inverse:  x = (tails**-1(log10(y)) - shift) * exp(-log_scale)
    fldj:     sum(log_scale + ln y + ln ln 10) + that of the tails
    ildj:     -fldj
    where     shift, log_scale = shift_and_log_scale_fn(), fitted on training maps, and `tails` is `LogarithmicTails`
              beyond the extremes of the training maps

    The densities that this package quotes are those of the log10 map. They use `log10_part`, without the log-determinant of
    `exp10`. At 4096 pixels that term would cost four digits of a float32.

    Args:
        shift_and_log_scale_fn: Callable `() -> (shift [C], log_scale [C])` of the log10 map.
        bounds_fn: Callable `() -> (low [C], high [C])`, the extremes of log10 of the training maps.
        tail_width_dex: Width of the tails.
        name: Name of this bijector.

    Example:
        >>> extremes = lambda: (tf.constant([1.0]), tf.constant([5.0]))
        >>> preprocessing = MapPreprocessing(lambda: (tf.constant([2.0]), tf.zeros([1])), extremes)
        >>> preprocessing.inverse(tf.constant([1000.0], shape=[1, 1, 1])).numpy().ravel().round(3).tolist()
        [1.0]
    """

    def __init__(self, shift_and_log_scale_fn, bounds_fn, tail_width_dex=0.3, name="map_preprocessing"):
        parameters = dict(locals())
        standardisation = ActNorm(shift_and_log_scale_fn, name="standardisation")
        self.log10_part = ConditionalChain([standardisation, LogarithmicTails(bounds_fn, tail_width_dex)])
        self.exp10 = Exp10()
        super().__init__([self.log10_part, self.exp10], name=name, parameters=parameters)
