"""TRENF, a second baseline: a flow of isotropic filters and pixel curves as a Keras model."""

import keras
import numpy as np

from higlow_tf.bijectors import ConditionalChain, HartleyTransform, IsotropicFilter, MonotoneCurve
from higlow_tf.errors import InputError
from higlow_tf.map_transforms import modelled_map
from higlow_tf.models.arguments import start_batch
from higlow_tf.models.map_flow import MapFlow
from higlow_tf.models.presets import TRENF_PRESETS
from higlow_tf.networks import CurveNetwork, FilterNetwork, wave_numbers
from higlow_tf.networks.defaults import MAX_LOG_SCALE

__all__ = ["TRENF"]

_SMALLEST = {"map_size": 2, "num_blocks": 1, "width": 1, "num_filter_knots": 2, "num_curve_knots": 3}
_NUM_MAPS_OF_START = 512


@keras.saving.register_keras_serializable(package="higlow_tf")
class TRENF(MapFlow):
    """Density and emulator of maps given simulation parameters: filters and pixel curves in turn.

    Math:
        u = log10(map), or the map itself with map_transform="identity"
        x_0 = (u - map_shift) / map_scale   (beyond the extremes of training: see `LogarithmicTails`)
        each block: y = curve**-1(x_b | theta), pixel by pixel;  x_(b+1) = filter**-1(y | theta), which divides every wave by
        T(|k|, theta);  z = x after the last block
        log p(u | theta) = log N(z; 0, 1) + log-determinants

    Every block commutes with shifts, and with rotations and reflections of the square. The density is therefore exactly that
    of a shifted, rotated or reflected map, which `ConditionalGlow` knows only nearly. The price: with all the waves of
    one length and all the pixels of one value treated alike, few maps can be described. The idea and the two kinds of layers
    are those of [1], sizes and knots are ours. Channels do not mix: fields are independent given theta.

    Args:
        map_size: Pixels on a side, H.
        num_channels: Fields in a map, C.
        parameters: Names of the CAMELS registry, `ParameterSpec`s or their configurations.
        nuisance: Names of those parameters that one does not ask for: they vary and are drawn from their prior where
            they are not given.
        map_transform: "log10" or "identity", as in `ConditionalGlow`.
        num_blocks: Blocks of a curve and a filter.
        width: Hidden units of the two networks of a block.
        num_filter_knots: Knots of a filter in k, see `FilterNetwork`.
        num_curve_knots: Knots of a curve, see `CurveNetwork`.
        max_log_scale: Bound of the logarithm of every factor of a filter and every slope of a curve.
        use_end_layers: Whether the flow ends with layers that `fit_end_layers` fits after training.
        seed: Seed of the starting weights.

    Input shape:
        `fit` and `evaluate` take x = theta `[B, P]` and y = maps `[B, H, W]` or `[B, H, W, C]`, and sample weights.

    Units:
        Maps are physical, in and out, and positive for "log10"; theta is physical. Every density is that of u, in nats;
        losses are nats per pixel. Latents are in the order `[C, H, W]`.

    Weights:
        Trainable: all networks. Fixed: `map_shift`, `map_log_scale`, `map_lowest` and `map_highest` (set by
        `initialize`).

    Example:
        >>> model = TRENF.from_preset("trenf", map_size=4, width=4, num_blocks=1)
        >>> model.sample([[0.3, 0.8]], seed=1).shape
        TensorShape([1, 4, 4])

    References:
        [1] Dai & Seljak. Translation and rotation equivariant normalizing flow (TRENF). 2022. https://arxiv.org/abs/2202.05282
    """

    title = "TRENF, a translation and rotation equivariant flow of filters and pixel curves"
    presets = TRENF_PRESETS

    def __init__(
        self,
        map_size=64,
        num_channels=1,
        parameters=("Omega_m", "sigma_8"),
        *,
        nuisance=(),
        map_transform="log10",
        num_blocks=6,
        width=32,
        num_filter_knots=16,
        num_curve_knots=16,
        max_log_scale=MAX_LOG_SCALE,
        use_end_layers=False,
        seed=0,
        **kwargs,
    ):
        super().__init__(locals(), **kwargs)
        for name, smallest in _SMALLEST.items():
            if getattr(self, name) < smallest:
                raise InputError(f"Expected {name} of at least {smallest}. Received: {getattr(self, name)}.")
        # -- layers
        num_parameters = len(self.parameters)
        shared = {"width": width, "max_log_scale": max_log_scale, "dtype": self.dtype_policy}
        self.filters = [
            FilterNetwork(
                map_size,
                num_channels,
                num_parameters,
                num_filter_knots,
                seed=seed + 20 * i,
                name=f"filter_{i}",
                **shared,
            )
            for i in range(num_blocks)
        ]
        self.curves = [
            CurveNetwork(
                num_channels, num_parameters, num_curve_knots, seed=seed + 20 * i + 10, name=f"curve_{i}", **shared
            )
            for i in range(num_blocks)
        ]
        # -- bijector wiring: the first block is next to the map
        self.steps = ConditionalChain(
            [
                bijector
                for of_filter, of_curve in zip(reversed(self.filters), reversed(self.curves), strict=True)
                for bijector in _block(of_filter, of_curve)
            ]
        )
        self._complete(self.steps)

    def initialize(self, train):
        """As `MapFlow.initialize`. All filters together start at the square root of the training maps' power: a whitening."""
        scaler = self._fit_scaler(train)
        maps = modelled_map(start_batch(train, _NUM_MAPS_OF_START)[0], self.map_transform)
        x = (maps - scaler.shift) / scaler.scale
        waves = np.fft.fft2(x, axes=(1, 2), norm="ortho")
        log_rms = 0.5 * np.log(_mean_of_equal_lengths(np.mean(np.abs(waves) ** 2, axis=0)))
        for of_filter in self.filters:
            of_filter.start_at(np.transpose(log_rms, (2, 0, 1)) / self.num_blocks)
        return self

    # ---- the flow: one level, whose latents have the shape of the map

    @property
    def latent_shapes(self):
        """Shape `(C, H, W)` of the latents, of the one level there is."""
        return [(self.num_channels, self.map_size, self.map_size)]

    @property
    def _latent_event(self):
        return self.latent_shapes[0]

    def _latents_by_level(self, x, conditional_input):
        return [self.steps.inverse_and_log_det(x, conditional_input)]


def _mean_of_equal_lengths(power):
    """Power of each wave `[H, H, C]` -> its mean over all waves of the same length, in their places."""
    lengths = np.rint(wave_numbers(len(power)) ** 2).astype(int)  # squares of lengths are whole numbers
    count = np.bincount(lengths.ravel())
    sums = [np.bincount(lengths.ravel(), channel.ravel()) for channel in np.moveaxis(power, -1, 0)]
    return np.stack([total[lengths] / count[lengths] for total in sums], axis=-1)


def _block(of_filter, of_curve):
    """The bijectors of a block, latent -> map."""
    return [
        HartleyTransform(name="to_waves"),
        IsotropicFilter(of_filter, is_conditional=True),
        HartleyTransform(name="to_pixels"),
        MonotoneCurve(of_curve, is_conditional=True),
    ]
