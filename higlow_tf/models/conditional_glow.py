"""The conditional multiscale Glow as a Keras model."""

import difflib
import math

import keras
import numpy as np
import tensorflow as tf

from higlow_tf.bijectors import ConditionalChain, MapPreprocessing, Multiscale
from higlow_tf.data.parameters import ParameterSpace
from higlow_tf.data.scalers import log10_extremes
from higlow_tf.errors import InputError
from higlow_tf.layout import from_channel_major, to_channel_major
from higlow_tf.models import arguments
from higlow_tf.models.glow_level import GlowLevel
from higlow_tf.models.likelihood_model import LikelihoodModel, compiled
from higlow_tf.models.presets import preset
from higlow_tf.models.row_batches import in_batches
from higlow_tf.networks import PADDINGS

__all__ = ["ConditionalGlow"]

_INJECTORS = ("scalar", "channel")
_LOG_2PI = math.log(2.0 * math.pi)
# Maps that `initialize` looks at: enough for the covariance of the 4 * 2**L channels of the last level.
_NUM_MAPS_OF_START = 1024
# log10 of a pixel beyond what a float32 can hold: until `initialize` sets them, the tails begin nowhere.
_NO_BOUND = 100.0


@keras.saving.register_keras_serializable(package="higlow_tf")
class ConditionalGlow(LikelihoodModel):
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
        self.preprocessing = MapPreprocessing(
            lambda: (self.map_shift.value, self.map_log_scale.value),
            lambda: (self.log10_lowest.value, self.log10_highest.value),
        )
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

    @classmethod
    def from_preset(cls, name, *, map_size=None, num_channels=1, parameters=None, dtype=None, **overrides):
        """Builds a preset: "paper", "higlow", "compact" or "tiny" (see `higlow_tf.models.PRESETS`).

        Args:
            name: Name of the preset.
            map_size: Pixels on a side, if other than the preset's.
            num_channels: Fields in a map.
            parameters: Names or `ParameterSpec`s; None for Omega_m and sigma_8.
            dtype: "float32" (default) or "float64".
            **overrides: Other arguments of `ConditionalGlow`.

        Raises:
            InputError: If the preset or an override does not exist.
        """
        known = [key for key in cls._config_keys() if key not in ("map_size", "num_channels", "parameters")]
        for key in overrides:
            if key not in [*known, "name"]:
                nearest = difflib.get_close_matches(key, known, n=1)
                hint = f" (did you mean {nearest[0]}?)" if nearest else ""
                raise InputError(f"Expected overrides among {', '.join(known)}{hint}. Received: {key}.")
        config = {**preset(name), "num_channels": num_channels, "dtype": dtype, **overrides}
        if map_size is not None:
            config["map_size"] = map_size
        if parameters is not None:
            config["parameters"] = parameters
        return cls(**config)

    def build(self, input_shape=None):
        if self.built:
            return
        for level in self.levels:
            level.build(None)
        shape = (self.num_channels,)
        self.map_shift = self.add_weight(name="map_shift", shape=shape, initializer="zeros", trainable=False)
        self.map_log_scale = self.add_weight(name="map_log_scale", shape=shape, initializer="zeros", trainable=False)
        self.log10_lowest = self.add_weight(
            name="log10_lowest", shape=shape, initializer=keras.initializers.Constant(-_NO_BOUND), trainable=False
        )
        self.log10_highest = self.add_weight(
            name="log10_highest", shape=shape, initializer=keras.initializers.Constant(_NO_BOUND), trainable=False
        )
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
        config = {key: getattr(self, key) for key in self._config_keys()}
        config["parameters"] = self.parameters.to_config()
        config["width"] = list(self.width) if isinstance(self.width, (list, tuple)) else self.width
        return {**super().get_config(), **config}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)

    # ---- the flow as plain graph functions: any batch size, under jit or not

    def normalize(self, theta):
        """Theta `[..., P]` -> condition in [-1, 1] over the prior, `[..., P]`."""
        theta = tf.cast(theta, self.compute_dtype)
        columns = []
        for index, spec in enumerate(self.parameters):
            value, low, high = theta[..., index], spec.low, spec.high
            if spec.transform == "log":
                value, low, high = tf.math.log(value), math.log(low), math.log(high)
            columns.append((value - low) * (2.0 / (high - low)) - 1.0)
        return tf.stack(columns, axis=-1)

    def denormalize(self, condition):
        """The inverse of `normalize`."""
        columns = []
        for index, spec in enumerate(self.parameters):
            is_log = spec.transform == "log"
            low, high = (math.log(edge) if is_log else edge for edge in (spec.low, spec.high))
            value = low + (condition[..., index] + 1.0) * (0.5 * (high - low))
            columns.append(tf.exp(value) if is_log else value)
        return tf.stack(columns, axis=-1)

    @property
    def num_dimensions(self):
        """Pixels of a map, over all channels: the D of its density."""
        return sum(self.multiscale.latent_sizes)

    def density_by_level(self, hi_maps, theta):
        """Log-density of the log10 map by level: `[N, H, W, C]`, `[N, P]` -> `[N, L]` nats. A graph function.

        A map with a pixel that is not positive and finite gives NaN in its own row.
        """
        log10_maps = self.preprocessing.exp10.inverse_and_log_det(to_channel_major(hi_maps))[0]
        is_good = tf.reduce_all(tf.math.is_finite(log10_maps), axis=(0, 1, 2))
        log10_maps = tf.where(is_good, log10_maps, tf.zeros_like(log10_maps))
        x, ildj = self.preprocessing.log10_part.inverse_and_log_det(log10_maps)
        by_level = []
        for z, level_ildj in self.multiscale.inverse_by_level(x, self.normalize(theta)):
            size = math.prod(z.shape[:3])
            base = -0.5 * tf.reduce_sum(z * z, axis=(0, 1, 2)) - 0.5 * size * _LOG_2PI
            by_level.append(base + level_ildj + ildj * (size / self.num_dimensions))
        return tf.where(is_good[:, None], tf.stack(by_level, axis=-1), math.nan)

    def generate(self, z, theta):
        """Latents `[N, D]` and theta `[N, P]` -> maps `[N, H, W, C]`. A graph function."""
        maps, _ = self.bijector.forward_and_log_det(to_channel_major(z), self.normalize(theta))
        return from_channel_major(maps)

    def infer_latents(self, hi_maps, theta):
        """Maps `[N, H, W, C]` and theta `[N, P]` -> latents `[N, D]`. A graph function."""
        z, _ = self.bijector.inverse_and_log_det(to_channel_major(hi_maps), self.normalize(theta))
        return from_channel_major(z)

    def noise(self, row_seeds):
        """Standard normal latents `[N, D]` of stateless seeds `[N, 2]` (Philox): a row depends on its seed alone."""
        shape = [self.num_dimensions]

        def one_row(row_seed):
            return tf.random.stateless_normal(shape, row_seed, dtype=self.compute_dtype, alg="philox")

        signature = tf.TensorSpec(shape, self.compute_dtype)
        return tf.map_fn(one_row, tf.cast(row_seeds, tf.int64), fn_output_signature=signature)

    # ---- the verbs

    def log_prob(self, hi_maps, theta):
        """Log-density of each log10 map.

        Args:
            hi_maps: Physical maps `[N, H, W]` (or `[N, H, W, C]`), positive.
            theta: Parameters `[N, P]`, physical; or one row for all maps.

        Returns:
            `[N]`, total nats; NaN for a map with a pixel that is not positive and finite.

        Raises:
            InputError: If the shapes are not those of the model.
        """
        return tf.reduce_sum(self.log_prob_by_level(hi_maps, theta), axis=-1)

    def log_prob_by_level(self, hi_maps, theta):
        """As `log_prob`, split by the level at which latents leave: `[N, L]`, the finest level first."""
        hi_maps, theta = arguments.maps_and_theta(self, hi_maps, theta)
        return self._run(self._compiled_density, self.density_by_level, hi_maps, theta)

    def sample(self, theta, seed=0, temperature=1.0):
        """Draws one map for each row of theta.

        Args:
            theta: Parameters `[N, P]`, physical.
            seed: Row i uses the stateless seed (seed, i).
            temperature: Factor of the latents' standard deviation.

        Returns:
            Physical maps `[N, H, W]` (or `[N, H, W, C]`). Never clipped: look for non-finite ones yourself.
        """
        theta = arguments.theta_rows(self, theta)
        rows = tf.range(tf.shape(theta)[0], dtype=tf.int64)
        row_seeds = tf.stack([tf.fill(tf.shape(rows), tf.constant(seed, tf.int64)), rows], axis=-1)
        return self.decode(self.noise(row_seeds) * tf.cast(temperature, self.compute_dtype), theta)

    def sample_from_prior(self, n, seed=0):
        """Draws theta from the prior and a map for each: the unconditional maps of the paper's Fig. 2B.

        Returns:
            The pair (theta `[n, P]`, maps `[n, H, W]`).
        """
        theta = self.parameters.sample_uniform(n, seed=seed)
        return theta, self.sample(theta, seed=seed)

    def encode(self, hi_maps, theta):
        """Maps `[N, H, W]` to latents `[N, D]`, level by level, the finest first; differentiable."""
        hi_maps, theta = arguments.maps_and_theta(self, hi_maps, theta)
        return self._run(self._compiled_latents, self.infer_latents, hi_maps, theta)

    def decode(self, z, theta):
        """Latents `[N, D]` to maps `[N, H, W]`: the inverse of `encode`; differentiable."""
        theta = arguments.theta_rows(self, theta)
        maps = self._run(self._compiled_generate, self.generate, tf.cast(z, self.compute_dtype), theta)
        return maps[..., 0] if self.num_channels == 1 else maps

    def _run(self, compiled, plain, *inputs):
        """Inside a tf.function the caller decides on batches and compilation; outside, we do."""
        return plain(*inputs) if tf.inside_function() else in_batches(compiled, *inputs)

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
        lowest, highest = log10_extremes(train)
        self.log10_lowest.assign(lowest)
        self.log10_highest.assign(highest)
        self.map_shift.assign(scaler.shift)
        self.map_log_scale.assign(np.log(scaler.scale))
        x = (np.log10(maps) - scaler.shift) / scaler.scale
        x = np.transpose(x, (3, 1, 2, 0))
        for level in self.levels:
            x = level.initialize(x)
            x = x[: len(x) // 2]
        return self

    # ---- Keras

    def call(self, inputs):
        """Maps drawn at theta `[B, P]`; row i of a batch uses the seed (0, i)."""
        return self.sample(inputs)

    def nll_per_pixel(self, theta, hi_maps):
        """Negative log-density a pixel: `[N, P]`, `[N, H, W, C]` -> `[N]`. A graph function."""
        log_prob = tf.reduce_sum(self.density_by_level(hi_maps, theta), axis=-1)
        return -log_prob / self.num_dimensions

    def _make_compiled(self, jit_compile):
        super()._make_compiled(jit_compile)
        self._compiled_density = compiled(self.density_by_level, jit_compile)
        self._compiled_generate = compiled(self.generate, jit_compile)
        self._compiled_latents = compiled(self.infer_latents, jit_compile)
