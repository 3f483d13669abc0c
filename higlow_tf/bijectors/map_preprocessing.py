"""From physical maps to what the flow sees, their standardised logarithms or pixels, and back, with log-determinants."""

import math

import tensorflow as tf

from higlow_tf.bijectors.act_norm import ActNorm
from higlow_tf.bijectors.conditional_chain import ConditionalChain
from higlow_tf.bijectors.logarithmic_tails import LogarithmicTails
from higlow_tf.bijectors.one_pass import OnePassBijector

__all__ = ["Exp10", "MapPreprocessing"]

_LN10 = math.log(10.0)
# Of the tails, by map transform: dex, and standard deviations of the pixels. The log10 maps that 0.3 dex was chosen for have a
# standard deviation of 0.3 to 0.5 dex.
_TAIL_WIDTHS = {"log10": 0.3, "identity": 1.0}


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
    """Standardised map <-> physical map, of which the flow sees log10, or the pixels as they are.

    Type:     [..., H, W, C] -> [..., H, W, C]

    Forward:  y = 10**tails(x * exp(log_scale) + shift)    # latent -> map
    Inverse:  x = (tails**-1(log10(y)) - shift) * exp(-log_scale)
    fldj:     sum(log_scale + ln y + ln ln 10) + that of the tails
    ildj:     -fldj
    where     shift, log_scale = shift_and_log_scale_fn(), fitted on training maps, and `tails` is `LogarithmicTails`
              beyond the extremes of the training maps

    With map_transform="identity" there is no power of ten, pixels may be negative, and the tails act before the shift:

    Forward:  y = tails(x) * exp(log_scale) + shift
    fldj:     sum(log_scale) + that of the tails

    The densities that this package quotes are those of the modelled map: the log10 map, or the map itself. They use
    `modelled_part`, without the log-determinant of `exp10`. At 4096 pixels that term would cost four digits of a float32.

    Args:
        shift_and_log_scale_fn: Callable `() -> (shift [C], log_scale [C])` of the modelled map.
        bounds_fn: Callable `() -> (low [C], high [C])`, the extremes of the modelled training maps.
        tail_width: Width of the tails: dex for "log10", standard deviations of the pixels for "identity"; None for 0.3
            and 1.
        map_transform: "log10" or "identity".
        name: Name of this bijector.

    Raises:
        ValueError: If the map transform is unknown.

    Example:
        >>> extremes = lambda: (tf.constant([1.0]), tf.constant([5.0]))
        >>> preprocessing = MapPreprocessing(lambda: (tf.constant([2.0]), tf.zeros([1])), extremes)
        >>> preprocessing.inverse(tf.constant([1000.0], shape=[1, 1, 1])).numpy().ravel().round(3).tolist()
        [1.0]
    """

    def __init__(
        self, shift_and_log_scale_fn, bounds_fn, tail_width=None, map_transform="log10", name="map_preprocessing"
    ):
        parameters = dict(locals())
        if map_transform not in _TAIL_WIDTHS:
            raise ValueError(f"Expected a map transform of {tuple(_TAIL_WIDTHS)}. Received: {map_transform!r}.")
        tail_width = _TAIL_WIDTHS[map_transform] if tail_width is None else tail_width
        standardisation = ActNorm(shift_and_log_scale_fn, name="standardisation")
        if map_transform == "log10":
            self.exp10 = Exp10()
            children = [standardisation, LogarithmicTails(bounds_fn, tail_width)]
        else:
            self.exp10 = None
            bounds_fn = _standardised_bounds(bounds_fn, shift_and_log_scale_fn)
            children = [LogarithmicTails(bounds_fn, tail_width), standardisation]
        self.modelled_part = ConditionalChain(children)
        children = [self.modelled_part] if self.exp10 is None else [self.modelled_part, self.exp10]
        super().__init__(children, name=name, parameters=parameters)

    def modelled_map(self, hi_maps):
        """What the density is of: log10 of physical maps, or the maps; a pixel that has none is not finite."""
        return hi_maps if self.exp10 is None else self.exp10.inverse_and_log_det(hi_maps)[0]


def _standardised_bounds(bounds_fn, shift_and_log_scale_fn):
    """The bounds in standard deviations from the mean, in which the width of the tails has a meaning for any units."""

    def bounds():
        shift, log_scale = shift_and_log_scale_fn()
        return tuple((bound - shift) * tf.exp(-log_scale) for bound in bounds_fn())

    return bounds
