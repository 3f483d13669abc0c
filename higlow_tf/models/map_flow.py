"""What a conditional flow of maps can do, whatever it is made of: its verbs, its units, its configuration."""

import difflib
import math

import keras
import numpy as np
import tensorflow as tf

from higlow_tf.bijectors import MapPreprocessing
from higlow_tf.data import parameter_tensors
from higlow_tf.data.scalers import log10_extremes
from higlow_tf.errors import InputError
from higlow_tf.layout import to_channel_major
from higlow_tf.models import arguments
from higlow_tf.models.likelihood_model import LikelihoodModel, compiled
from higlow_tf.models.presets import preset
from higlow_tf.models.row_batches import in_batches

__all__ = ["MapFlow"]

_LOG_2PI = math.log(2.0 * math.pi)
# log10 of a pixel beyond what a float32 can hold: until `initialize` sets them, the tails begin nowhere.
_NO_BOUND = 100.0


class MapFlow(LikelihoodModel):
    """Base of normalizing flows of maps given simulation parameters.

    Math:
        u = log10(map);  x = (u - map_shift) / map_scale   (beyond the extremes of training: see `LogarithmicTails`)
        log p(u | theta) = sum over levels of log N(z_level; 0, 1) + log-determinants

    A subclass has the attributes `map_size`, `num_channels` and `parameters`; the class attributes `title` and `presets`; the
    graph functions `_latents_by_level` (map after the preprocessing -> list of (z_level, log-determinant)), `generate`
    and `infer_latents`; `latent_shapes`, `_config_keys` and `initialize(train)`. It calls `_add_scaler_weights` when it is
    built and `_make_compiled` when its constructor is done.

    Units:
        Maps are positive and physical, in and out; theta is physical. Every density is that of the log10 map, in nats;
        losses are nats per pixel.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.preprocessing = MapPreprocessing(
            lambda: (self.map_shift.value, self.map_log_scale.value),
            lambda: (self.log10_lowest.value, self.log10_highest.value),
        )

    @classmethod
    def from_preset(cls, name, *, map_size=None, num_channels=1, parameters=None, dtype=None, **overrides):
        """Builds one of the class's `presets`.

        Args:
            name: Name of the preset.
            map_size: Pixels on a side, if other than the preset's.
            num_channels: Fields in a map.
            parameters: Names or `ParameterSpec`s; None for Omega_m and sigma_8.
            dtype: "float32" (default) or "float64".
            **overrides: Other arguments of the constructor.

        Raises:
            InputError: If the preset or an override does not exist.
        """
        known = [key for key in cls._config_keys() if key not in ("map_size", "num_channels", "parameters")]
        for key in overrides:
            if key not in [*known, "name"]:
                nearest = difflib.get_close_matches(key, known, n=1)
                hint = f" (did you mean {nearest[0]}?)" if nearest else ""
                raise InputError(f"Expected overrides among {', '.join(known)}{hint}. Received: {key}.")
        config = {**preset(name, cls.presets), "num_channels": num_channels, "dtype": dtype, **overrides}
        if map_size is not None:
            config["map_size"] = map_size
        if parameters is not None:
            config["parameters"] = parameters
        return cls(**config)

    # ---- configuration

    def get_config(self):
        config = {key: getattr(self, key) for key in self._config_keys()}
        config["parameters"] = self.parameters.to_config()
        return {**super().get_config(), **config}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)

    # ---- the scaler of the maps

    def _add_scaler_weights(self):
        shape = (self.num_channels,)
        self.map_shift = self.add_weight(name="map_shift", shape=shape, initializer="zeros", trainable=False)
        self.map_log_scale = self.add_weight(name="map_log_scale", shape=shape, initializer="zeros", trainable=False)
        self.log10_lowest = self.add_weight(
            name="log10_lowest", shape=shape, initializer=keras.initializers.Constant(-_NO_BOUND), trainable=False
        )
        self.log10_highest = self.add_weight(
            name="log10_highest", shape=shape, initializer=keras.initializers.Constant(_NO_BOUND), trainable=False
        )

    def _set_scaler(self, train, scaler):
        """Sets the scaler and the bounds of the tails to those of the training maps."""
        lowest, highest = log10_extremes(train)
        self.log10_lowest.assign(lowest)
        self.log10_highest.assign(highest)
        self.map_shift.assign(scaler.shift)
        self.map_log_scale.assign(np.log(scaler.scale))

    # ---- the flow as plain graph functions: any batch size, under jit or not

    def normalize(self, theta):
        """Theta `[..., P]` -> condition in [-1, 1] over the prior, `[..., P]`."""
        return parameter_tensors.normalize(self.parameters, tf.cast(theta, self.compute_dtype))

    def denormalize(self, condition):
        """The inverse of `normalize`."""
        return parameter_tensors.denormalize(self.parameters, condition)

    @property
    def num_dimensions(self):
        """Pixels of a map, over all channels: the D of its density."""
        return self.map_size**2 * self.num_channels

    def density_by_level(self, hi_maps, theta):
        """Log-density of the log10 map by level: `[N, H, W, C]`, `[N, P]` -> `[N, L]` nats. A graph function.

        A map with a pixel that is not positive and finite gives NaN in its own row.
        """
        log10_maps = self.preprocessing.exp10.inverse_and_log_det(to_channel_major(hi_maps))[0]
        is_good = tf.reduce_all(tf.math.is_finite(log10_maps), axis=(0, 1, 2))
        log10_maps = tf.where(is_good, log10_maps, tf.zeros_like(log10_maps))
        x, ildj = self.preprocessing.log10_part.inverse_and_log_det(log10_maps)
        by_level = []
        for z, level_ildj in self._latents_by_level(x, self.normalize(theta)):
            size = math.prod(z.shape[:3])
            base = -0.5 * tf.reduce_sum(z * z, axis=(0, 1, 2)) - 0.5 * size * _LOG_2PI
            by_level.append(base + level_ildj + ildj * (size / self.num_dimensions))
        return tf.where(is_good[:, None], tf.stack(by_level, axis=-1), math.nan)

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
