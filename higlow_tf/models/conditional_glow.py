"""The conditional multiscale Glow as a Keras model."""

import math
from dataclasses import fields

import keras
import numpy as np
import tensorflow as tf

from higlow_tf.bijectors import ConditionalChain, MonotoneCurve, Multiscale
from higlow_tf.errors import InputError
from higlow_tf.map_transforms import modelled_map
from higlow_tf.models.architecture import GlowArchitecture
from higlow_tf.models.arguments import per_level, start_batch
from higlow_tf.models.glow_level import GlowLevel
from higlow_tf.models.map_flow import MapFlow
from higlow_tf.models.operations import count_operations
from higlow_tf.models.presets import PRESETS
from higlow_tf.networks import PixelCurveWeights

__all__ = ["ConditionalGlow"]

# Maps that `initialize` looks at: enough for the covariance of the 4 * 2**L channels of the last level.
_NUM_MAPS_OF_START = 1024
# Operations of each level, all rows together, from which on its compilation pays; see docs/performance.md.
_OPERATIONS_WORTH_COMPILING = 2.0e11
# Of the last level, where nothing says how many levels there are; and the most levels then.
_FEWEST_PIXELS, _MOST_LEVELS = 4, 4
_FIELDS = [field.name for field in fields(GlowArchitecture)]


@keras.saving.register_keras_serializable(package="higlow_tf")
class ConditionalGlow(MapFlow):
    """Density and emulator of maps given simulation parameters: a conditional multiscale Glow.

    Math:
        u = log10(map), or the map itself with map_transform="identity"
        x_0 = (u - map_shift) / map_scale   (beyond the extremes of training: see `LogarithmicTails`),
              and with `use_pixel_curve` curve**-1 of it
        each level: squeeze, K steps (injector, 1x1 convolution, coupling), half of the channels leave as z_level
        log p(u | theta) = sum over levels of log N(z_level; 0, 1) + log-determinants

    Args:
        map_size: Pixels on a side; 2**num_levels divides it.
        num_channels: Fields in a map.
        parameters: Names of the CAMELS registry, `ParameterSpec`s or their configurations.
        nuisance: Names of those parameters that one does not ask for: they vary and are drawn from their prior where
            they are not given.
        map_transform: "log10" for positive maps whose logarithm is modelled; "identity" for maps that are modelled as they
            are, whose pixels may be negative. The unit of the density is then that of the map.
        num_levels: Glow's L; None for as many, up to 4, as leave the last level at least 4 pixels a side.
        num_steps_per_level: Glow's K.
        width: Hidden channels of the coupling networks; one number, or one a level.
        injector: "channel" (one number a channel) or "scalar" (one a map, as in the paper).
        injector_width: Hidden units of the injectors.
        padding: "periodic" (the maps are) or "zero".
        use_split_prior: Whether what leaves a level has a mean and a scale learned from what stays and from theta.
        use_map_mean: Whether the networks see means over the whole map (see `StackedCouplingNetwork`).
        use_act_norm: Whether steps have an activation normalisation beside the injector.
        max_log_scale: Bound of every log-scale of a step.
        keep_activations: Whether training keeps hidden activations instead of evaluating them again: quicker, for more memory.
        use_pixel_curve: Whether the flow sees pixels through a curve that gives those of a training simulation a normal
            distribution.
        use_end_layers: Whether the flow ends with layers that `fit_end_layers` fits after training.
        seed: Seed of the starting weights.

    Input shape:
        `fit` and `evaluate` take x = theta `[B, P]` and y = maps `[B, H, W]` or `[B, H, W, C]`, and sample weights.

    Units:
        Maps are physical, in and out, and positive for "log10"; theta is physical. Every density is that of u, in nats;
        losses are nats per pixel.

    Weights:
        Trainable: all networks. Fixed: `map_shift`, `map_log_scale`, `map_lowest`, `map_highest` and the pixel curve (set
        by `initialize`), permutations and signs of the 1x1 convolutions.

    Example:
        >>> model = ConditionalGlow.from_preset("tiny")
        >>> model.sample([[0.3, 0.8]], seed=1).shape
        TensorShape([1, 16, 16])

    References:
        [1] Friedman & Hassan. HIGlow. 2022. https://arxiv.org/abs/2211.12724
        [2] Kingma & Dhariwal. Glow. NeurIPS 2018. https://arxiv.org/abs/1807.03039
    """

    title = "Conditional Glow"
    presets = PRESETS

    def __init__(
        self,
        map_size=64,
        num_channels=1,
        parameters=("Omega_m", "sigma_8"),
        *,
        nuisance=(),
        map_transform="log10",
        num_levels=None,
        num_steps_per_level=GlowArchitecture.num_steps,
        width=GlowArchitecture.width,
        injector=GlowArchitecture.injector,
        injector_width=GlowArchitecture.injector_width,
        padding=GlowArchitecture.padding,
        use_split_prior=GlowArchitecture.use_split_prior,
        use_map_mean=GlowArchitecture.use_map_mean,
        use_act_norm=GlowArchitecture.use_act_norm,
        max_log_scale=GlowArchitecture.max_log_scale,
        keep_activations=GlowArchitecture.keep_activations,
        use_pixel_curve=False,
        use_end_layers=False,
        seed=0,
        **kwargs,
    ):
        super().__init__(locals(), **kwargs)
        num_levels = self.num_levels
        if map_size % 2**num_levels or map_size < 2**num_levels:
            raise InputError(
                f"Expected a map size that {2**num_levels} divides, for {num_levels} levels. Received: {map_size}."
            )
        # -- layers
        self.levels = [
            GlowLevel(
                architecture,
                4 * num_channels * 2**level,
                is_last=level + 1 == num_levels,
                seed=seed + 10 * level,
                dtype=self.dtype_policy,
                name=f"level_{level}",
            )
            for level, architecture in enumerate(self._architectures())
        ]
        # -- bijector wiring
        self.multiscale = Multiscale([level.bijector for level in self.levels], (map_size, map_size, num_channels))
        self.pixel_curve, flow = None, self.multiscale
        if use_pixel_curve:
            self.pixel_curve_weights = PixelCurveWeights(num_channels, dtype=self.dtype_policy, name="pixel_curve")
            self.pixel_curve = MonotoneCurve(self.pixel_curve_weights.knots)
            flow = ConditionalChain([self.multiscale, self.pixel_curve])
        self._complete(flow)

    def _checked(self, key, value):
        value = super()._checked(key, value)
        return _default_num_levels(self.map_size) if key == "num_levels" and value is None else value

    def _architectures(self):
        """The architecture of each level: all are alike but for their widths."""
        shared = {"num_steps": self.num_steps_per_level, "num_parameters": len(self.parameters)}
        # The other fields have the names of arguments of this model.
        shared |= {name: getattr(self, name) for name in _FIELDS if name not in ("width", *shared)}
        widths = per_level(self.width, self.num_levels, "width")
        return [GlowArchitecture(width=width, **shared) for width in widths]

    # ---- the flow

    @property
    def latent_shapes(self):
        """Shapes `(C, H, W)` of the latents of each level, the finest first."""
        sides = [self.map_size // 2 ** (level + 1) for level in range(self.num_levels)]
        return [(size // side**2, side, side) for size, side in zip(self.multiscale.latent_sizes, sides, strict=True)]

    @property
    def _most_rows_of_graph(self):
        return int(_OPERATIONS_WORTH_COMPILING * self.num_levels / count_operations(self).per_map)

    def _latents_by_level(self, x, conditional_input):
        if self.pixel_curve is None:
            return self.multiscale.inverse_by_level(x, conditional_input)
        x, ildj = self.pixel_curve.inverse_and_log_det(x)
        by_level = self.multiscale.inverse_by_level(x, conditional_input)
        # Each level has the share of its latents.
        shares = (math.prod(z.shape[:3]) / self.num_dimensions for z, _ in by_level)
        return [(z, level_ildj + ildj * share) for (z, level_ildj), share in zip(by_level, shares, strict=True)]

    # ---- data-dependent start

    def initialize(self, train):
        """As `MapFlow.initialize`, fits the pixel curve, and starts every level at a whitening of the training maps.

        These are `[N, H, W]`, or with channels.
        """
        scaler = self._fit_scaler(train)
        maps, simulation = start_batch(train, _NUM_MAPS_OF_START)
        maps = modelled_map(maps, self.map_transform)
        x = (maps - scaler.shift) / scaler.scale
        x = np.transpose(x, (3, 1, 2, 0))
        if self.pixel_curve is not None:
            self.pixel_curve_weights.start_at(_standardized_by_simulation(x, simulation).reshape(len(x), -1))
            x = self.pixel_curve.inverse_and_log_det(tf.constant(x))[0].numpy()
        for level in self.levels:
            x = level.initialize(x)
            x = x[: len(x) // 2]
        return self


def _standardized_by_simulation(x, simulation):
    """Maps `[C, H, W, N]` with mean zero and variance one over each simulation.

    One curve for all maps is to have the shape of the distribution of pixels at fixed parameters. All maps together have another
    one: a mixture of normal distributions is not normal.
    """
    _, position, count = np.unique(simulation, return_inverse=True, return_counts=True)

    def mean_over_simulation(of_maps):
        return np.stack([np.bincount(position, row) / count for row in of_maps])[:, position]

    mean = mean_over_simulation(x.mean(axis=(1, 2)))
    variance = mean_over_simulation(np.mean(x**2, axis=(1, 2))) - mean**2
    sd = np.sqrt(np.where(variance > 0.0, variance, 1.0))
    return (x - mean[:, None, None]) / sd[:, None, None]


def _default_num_levels(map_size):
    """As many squeezes as the map size allows, without levels of very few pixels."""
    fitting = [level for level in range(1, _MOST_LEVELS + 1) if map_size % 2**level == 0]
    return max([level for level in fitting if map_size // 2**level >= _FEWEST_PIXELS], default=1)
