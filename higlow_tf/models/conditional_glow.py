"""The conditional multiscale Glow as a Keras model."""

import keras
import numpy as np

from higlow_tf.bijectors import ConditionalChain, Multiscale
from higlow_tf.data.parameters import ParameterSpace
from higlow_tf.errors import InputError
from higlow_tf.layout import from_channel_major, to_channel_major
from higlow_tf.models import arguments
from higlow_tf.models.glow_level import GlowLevel
from higlow_tf.models.map_flow import MapFlow
from higlow_tf.models.presets import PRESETS
from higlow_tf.networks import PADDINGS

__all__ = ["ConditionalGlow"]

_INJECTORS = ("scalar", "channel")
# Maps that `initialize` looks at: enough for the covariance of the 4 * 2**L channels of the last level.
_NUM_MAPS_OF_START = 1024


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
        num_levels=4,
        num_steps_per_level=8,
        width=32,
        injector="channel",
        injector_width=16,
        padding="periodic",
        use_split_prior=True,
        use_map_mean=False,
        use_act_norm=False,
        max_log_scale=1.0,
        seed=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if map_size % 2**num_levels or map_size < 2**num_levels:
            raise InputError(
                f"Expected a map size that {2**num_levels} divides, for {num_levels} levels. Received: {map_size}."
            )
        if injector not in _INJECTORS:
            raise InputError(f"Expected an injector of {_INJECTORS}. Received: {injector!r}.")
        if padding not in PADDINGS:
            raise InputError(f"Expected a padding of {PADDINGS}. Received: {padding!r}.")
        space = parameters if isinstance(parameters, ParameterSpace) else arguments.parameter_space(parameters)
        widths = arguments.per_level(width, num_levels, "width")
        # -- layers
        self.levels = [
            GlowLevel(
                num_steps_per_level,
                4 * num_channels * 2**level,
                widths[level],
                len(space),
                is_last=level + 1 == num_levels,
                injector=injector,
                injector_width=injector_width,
                padding=padding,
                use_split_prior=use_split_prior,
                use_map_mean=use_map_mean,
                use_act_norm=use_act_norm,
                max_log_scale=max_log_scale,
                seed=seed + 10 * level,
                dtype=self.dtype_policy,
                name=f"level_{level}",
            )
            for level in range(num_levels)
        ]
        # -- bijector wiring
        self.multiscale = Multiscale([level.bijector for level in self.levels], (map_size, map_size, num_channels))
        self.bijector = ConditionalChain([self.multiscale, self.preprocessing])
        # -- config
        self.map_size = map_size
        self.num_channels = num_channels
        self.parameters = space
        self.num_levels = num_levels
        self.num_steps_per_level = num_steps_per_level
        self.width = width
        self.injector = injector
        self.injector_width = injector_width
        self.padding = padding
        self.use_split_prior = use_split_prior
        self.use_map_mean = use_map_mean
        self.use_act_norm = use_act_norm
        self.max_log_scale = max_log_scale
        self.seed = seed
        self._make_compiled(jit_compile=True)
        self.build()

    def build(self, input_shape=None):
        if self.built:
            return
        for level in self.levels:
            level.build(None)
        self._add_scaler_weights()
        self.built = True

    # ---- configuration

    @staticmethod
    def _config_keys():
        return (
            "map_size",
            "num_channels",
            "parameters",
            "num_levels",
            "num_steps_per_level",
            "width",
            "injector",
            "injector_width",
            "padding",
            "use_split_prior",
            "use_map_mean",
            "use_act_norm",
            "max_log_scale",
            "seed",
        )

    def get_config(self):
        width = list(self.width) if isinstance(self.width, (list, tuple)) else self.width
        return {**super().get_config(), "width": width}

    # ---- the flow

    @property
    def latent_shapes(self):
        """Shapes `(C, H, W)` of the latents of each level, the finest first."""
        sides = [self.map_size // 2 ** (level + 1) for level in range(self.num_levels)]
        return [(size // side**2, side, side) for size, side in zip(self.multiscale.latent_sizes, sides, strict=True)]

    def _latents_by_level(self, x, conditional_input):
        return self.multiscale.inverse_by_level(x, conditional_input)

    def generate(self, z, theta):
        """Latents `[N, D]` and theta `[N, P]` -> maps `[N, H, W, C]`. A graph function."""
        maps, _ = self.bijector.forward_and_log_det(to_channel_major(z), self.normalize(theta))
        return from_channel_major(maps)

    def infer_latents(self, hi_maps, theta):
        """Maps `[N, H, W, C]` and theta `[N, P]` -> latents `[N, D]`. A graph function."""
        z, _ = self.bijector.inverse_and_log_det(to_channel_major(hi_maps), self.normalize(theta))
        return from_channel_major(z)

    # ---- data-dependent start

    def initialize(self, train):
        """Fits the map scaler and starts every level at a whitening of the training maps. Call once, before `fit`.

        Args:
            train: `HIMapDataset` of the training simulations only.

        Returns:
            The model itself.
        """
        arguments.check_training_data(self, train)
        maps, scaler = arguments.start_batch(train, _NUM_MAPS_OF_START)
        self._set_scaler(train, scaler)
        x = (np.log10(maps) - scaler.shift) / scaler.scale
        x = np.transpose(x, (3, 1, 2, 0))
        for level in self.levels:
            x = level.initialize(x)
            x = x[: len(x) // 2]
        return self
