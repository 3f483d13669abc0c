"""The conditional multiscale Glow as a Keras model."""

from dataclasses import fields

import keras
import numpy as np

from higlow_tf.bijectors import Multiscale
from higlow_tf.errors import InputError
from higlow_tf.models.architecture import GlowArchitecture
from higlow_tf.models.arguments import per_level, start_batch
from higlow_tf.models.glow_level import GlowLevel
from higlow_tf.models.map_flow import MapFlow
from higlow_tf.models.operations import count_operations
from higlow_tf.models.presets import PRESETS

__all__ = ["ConditionalGlow"]

# Maps that `initialize` looks at: enough for the covariance of the 4 * 2**L channels of the last level.
_NUM_MAPS_OF_START = 1024
# Operations of each level, all rows together, from which on its compilation has been worth its time; see docs/performance.md.
_OPERATIONS_BEFORE_COMPILING = 4.0e9
# But at most so many rows: a graph of small operations takes longer than these.
_MOST_ROWS_BEFORE_COMPILING = 200
_FIELDS = [field.name for field in fields(GlowArchitecture)]


@keras.saving.register_keras_serializable(package="higlow_tf")
class ConditionalGlow(MapFlow):
    """Density and emulator of maps given simulation parameters: a conditional multiscale Glow.

    Math:
        u = log10(map);  x_0 = (u - map_shift) / map_scale   (beyond the extremes of training: see `LogarithmicTails`)
        each level: squeeze, K steps (injector, 1x1 convolution, coupling), half of the channels leave as z_level
        log p(u | theta) = sum over levels of log N(z_level; 0, 1) + log-determinants

    Args:
        map_size: Pixels on a side; 2**num_levels divides it.
        num_channels: Fields in a map.
        parameters: Names of the CAMELS registry, `ParameterSpec`s or their configurations.
        nuisance: Names of those parameters that one does not ask for: they vary and are drawn from their prior where
            they are not given.
        num_levels: Glow's L.
        num_steps_per_level: Glow's K.
        width: Hidden channels of the coupling networks; one number, or one a level.
        injector: "channel" (one number a channel) or "scalar" (one a map, as in the paper).
        injector_width: Hidden units of the injectors.
        padding: "periodic" (the maps are) or "zero".
        use_split_prior: Whether what leaves a level has a mean and a scale learned from what stays and from theta.
        use_map_mean: Whether the networks see means over the whole map (see `StackedCouplingNetwork`).
        use_act_norm: Whether steps have an activation normalisation beside the injector.
        max_log_scale: Bound of every log-scale of a step.
        use_end_layers: Whether the flow ends with layers that `fit_end_layers` fits after training.
        seed: Seed of the starting weights.

    Input shape:
        `fit` and `evaluate` take x = theta `[B, P]` and y = maps `[B, H, W]` or `[B, H, W, C]`, and sample weights.

    Units:
        Maps are positive and physical, in and out; theta is physical. Every density is that of the log10 map, in nats;
        losses are nats per pixel.

    Weights:
        Trainable: all networks. Fixed: `map_shift`, `map_log_scale`, `log10_lowest` and `log10_highest` (set by
        `initialize`), permutations and signs of the 1x1 convolutions.

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
        num_levels=4,
        num_steps_per_level=GlowArchitecture.num_steps,
        width=GlowArchitecture.width,
        injector=GlowArchitecture.injector,
        injector_width=GlowArchitecture.injector_width,
        padding=GlowArchitecture.padding,
        use_split_prior=GlowArchitecture.use_split_prior,
        use_map_mean=GlowArchitecture.use_map_mean,
        use_act_norm=GlowArchitecture.use_act_norm,
        max_log_scale=GlowArchitecture.max_log_scale,
        use_end_layers=False,
        seed=0,
        **kwargs,
    ):
        super().__init__(locals(), **kwargs)
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
        self._complete(self.multiscale)

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
    def _rows_before_compiling(self):
        rows = int(_OPERATIONS_BEFORE_COMPILING * self.num_levels / count_operations(self).per_map)
        return min(rows, _MOST_ROWS_BEFORE_COMPILING)

    def _latents_by_level(self, x, conditional_input):
        return self.multiscale.inverse_by_level(x, conditional_input)

    # ---- data-dependent start

    def initialize(self, train):
        """As `MapFlow.initialize`, and starts every level at a whitening of the training maps (`[N, H, W]`, or with channels)."""
        scaler = self._fit_scaler(train)
        x = (np.log10(start_batch(train, _NUM_MAPS_OF_START)) - scaler.shift) / scaler.scale
        x = np.transpose(x, (3, 1, 2, 0))
        for level in self.levels:
            x = level.initialize(x)
            x = x[: len(x) // 2]
        return self
