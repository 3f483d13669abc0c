"""What a conditional flow of maps can do, whatever it is made of: its verbs, its units, its configuration."""

import math
from collections.abc import Mapping

import tensorflow as tf

from higlow_tf.bijectors import ConditionalChain
from higlow_tf.data import parameter_tensors
from higlow_tf.errors import InputError
from higlow_tf.layout import from_channel_major, to_channel_major
from higlow_tf.models.arguments import latents_and_theta, maps_and_theta, theta_rows
from higlow_tf.models.completion import completed_rows
from higlow_tf.models.end_layers import end_layers_bijector
from higlow_tf.models.late_compilation import LateCompilation
from higlow_tf.models.preprocessed_model import PreprocessedModel
from higlow_tf.networks import EndLayerWeights

__all__ = ["MapFlow"]

_LOG_2PI = math.log(2.0 * math.pi)


class MapFlow(PreprocessedModel):
    """Base of normalizing flows of maps given simulation parameters.

    Math:
        u = log10(map), or the map itself with map_transform="identity"
        x = (u - map_shift) / map_scale   (beyond the extremes of training: see `LogarithmicTails`)
        log p(u | theta) = sum over levels of log N(z_level; 0, 1) + log-determinants

    A subclass has the class attributes `title` and `presets`, and a constructor in this order: it hands its own arguments
    to this class, makes its layers (which need nothing but themselves to be built), wires them into one bijector of
    the standardised map, and hands that to `_complete`. It has `latent_shapes` and the graph function
    `_latents_by_level` (standardised map -> list of (z_level, log-determinant)). Its constructor must have the arguments
    `map_size`, `num_channels` and `parameters`; `nuisance`, `map_transform` and `use_end_layers` are as useful to it as to
    `ConditionalGlow`, and have the values below where it lacks them.

    A model uses whole float32 numbers: the constructor switches TensorFloat-32 off, here and when a model is loaded. A
    density sums thousands of products, and the ten bits of TensorFloat-32, the default of recent GPUs, are too few.
    This is a setting of TensorFlow for the whole process: other models in it are then slower and more exact, too.

    Units:
        Maps are physical, in and out, and positive for "log10"; theta is physical. Every density is that of u, in nats;
        losses are nats per pixel.

    Args:
        arguments, **kwargs: See `PreprocessedModel`.

    Attributes:
        split: What the model was trained on: the content of split.json, or None. `load_model` sets it, as the next three.
        calibration: What `higlow calibrate` found for its posteriors: the content of calibration.json, or None.
        typicality: What typical maps look like to it: the content of typicality.json, or None.
        companions: Where the other flows of its ensemble are: `Companions`, or None.
    """

    nuisance = ()
    use_end_layers = False
    # Whether XLA may compile the drawing of maps, and up to how many rows it compiles nothing but training.
    _is_drawing_compiled, _most_rows_of_graph = True, 0

    def __init__(self, arguments, **kwargs):
        super().__init__(arguments, **kwargs)
        tf.config.experimental.enable_tensor_float_32_execution(False)
        self.split = None
        self.calibration = None
        self.typicality = None
        self.companions = None

    def _complete(self, flow):
        """Ends the constructor: `flow` is the bijector between latents and the standardised map."""
        self.end_layers = None
        if self.use_end_layers:
            sizes = self.map_size, self.num_channels, len(self.parameters)
            self.end_layer_weights = EndLayerWeights(*sizes, dtype=self.dtype_policy, name="end_layers")
            self.end_layers = end_layers_bijector(self.end_layer_weights)
        end = [] if self.end_layers is None else [self.end_layers]
        self.bijector = ConditionalChain([flow, *end, self.preprocessing])
        self._make_compiled(jit_compile=True)
        self.build()

    def build(self, input_shape=None):
        if self.built:
            return
        for layer in self.layers:
            layer.build(None)
        self._add_scaler_weights()
        self.built = True

    def initialize(self, train):
        """Fits the scaler of the maps. Call it once, before `fit`.

        Args:
            train: `HIMapDataset` of the training simulations only.

        Returns:
            The model itself.

        Raises:
            InputError: If the model cannot be trained on these maps.
        """
        self._fit_scaler(train)
        return self

    # ---- the flow as plain graph functions: any batch size, under jit or not

    def normalize(self, theta):
        """Theta `[..., P]` -> condition in [-1, 1] over the prior, `[..., P]`."""
        return parameter_tensors.normalize(self.parameters, tf.cast(theta, self.compute_dtype))

    def denormalize(self, condition):
        """The inverse of `normalize`."""
        return parameter_tensors.denormalize(self.parameters, condition)

    @property
    def parameters_of_interest(self):
        """The parameters that one asks for, a `ParameterSpace`: all but the `nuisance`, in order."""
        return self.parameters.without(self.nuisance)

    @property
    def num_dimensions(self):
        """Pixels of a map, over all channels: the D of its density."""
        return self.map_size**2 * self.num_channels

    def density_by_level(self, hi_maps, theta):
        """Log-density of the modelled map by level: `[N, H, W, C]`, `[N, P]` -> `[N, L]` nats. A graph function.

        A map with a pixel that has no log10 or is not finite gives NaN in its own row.
        """
        modelled = self.preprocessing.modelled_map(to_channel_major(hi_maps))
        is_good = tf.reduce_all(tf.math.is_finite(modelled), axis=(0, 1, 2))
        modelled = tf.where(is_good, modelled, tf.zeros_like(modelled))
        x, ildj = self.preprocessing.modelled_part.inverse_and_log_det(modelled)
        condition = self.normalize(theta)
        if self.end_layers is not None:
            x, end_ildj = self.end_layers.inverse_and_log_det(x, condition)
            ildj += end_ildj
        by_level = []
        for z, level_ildj in self._latents_by_level(x, condition):
            size = math.prod(z.shape[:3])
            base = -0.5 * tf.reduce_sum(z * z, axis=(0, 1, 2)) - 0.5 * size * _LOG_2PI
            by_level.append(base + level_ildj + ildj * (size / self.num_dimensions))
        return tf.where(is_good[:, None], tf.stack(by_level, axis=-1), math.nan)

    @property
    def _latent_event(self):
        """Shape of one map's latents on the far side of the bijector."""
        return (self.num_dimensions,)

    def generate(self, z, theta):
        """Latents `[N, D]` and theta `[N, P]` -> maps `[N, H, W, C]`. A graph function."""
        z = tf.reshape(to_channel_major(z), [*self._latent_event, -1])
        maps, log_det = self.bijector.forward_and_log_det(z, self.normalize(theta))
        # The log-determinant is used for XLA's sake: it then evaluates log-scales by themselves, vectorised, and drawing takes a
        # fifth less time than with a hyperbolic tangent inside each concatenation.
        is_good = tf.logical_not(tf.math.is_nan(log_det))
        return from_channel_major(tf.where(is_good, maps, tf.constant(math.nan, maps.dtype)))

    def infer_latents(self, hi_maps, theta):
        """Maps `[N, H, W, C]` and theta `[N, P]` -> latents `[N, D]`. A graph function."""
        z, _ = self.bijector.inverse_and_log_det(to_channel_major(hi_maps), self.normalize(theta))
        return from_channel_major(tf.reshape(z, [self.num_dimensions, -1]))

    def noise(self, row_seeds):
        """Standard normal latents `[N, D]` of stateless seeds `[N, 2]` (Philox): a row depends on its seed alone."""
        shape = [self.num_dimensions]

        def one_row(row_seed):
            return tf.random.stateless_normal(shape, row_seed, dtype=self.compute_dtype, alg="philox")

        signature = tf.TensorSpec(shape, self.compute_dtype)
        return tf.map_fn(one_row, tf.cast(row_seeds, tf.int64), fn_output_signature=signature)

    # ---- the verbs

    def log_prob(self, hi_maps, theta):
        """Log-density of each log10 map, or of each map with map_transform="identity".

        Args:
            hi_maps: Physical maps `[N, H, W]` (or `[N, H, W, C]`); positive for "log10".
            theta: Parameters `[N, P]`, physical; or one row for all maps.

        Returns:
            `[N]`, total nats; NaN for a map with a pixel that is not finite, or for "log10" not positive.

        Raises:
            InputError: If the shapes are not those of the model.
        """
        return tf.reduce_sum(self.log_prob_by_level(hi_maps, theta), axis=-1)

    def log_prob_by_level(self, hi_maps, theta):
        """As `log_prob`, split by the level at which latents leave: `[N, L]`, the finest level first."""
        hi_maps, theta = maps_and_theta(self, hi_maps, theta)
        return self._compiled_density(hi_maps, theta)

    def complete_theta(self, values, count=None, seed=0, first_row=0):
        """Rows of all parameters from the values of some. Those that are not given are drawn from their prior.

        Args:
            values: Numbers, or arrays `[N]`, by the names of parameters.
            count: N, for numbers; None for the length of the arrays, or 1.
            seed: Row i uses the stateless seed (seed, first_row + i), in another way than its map, and nothing else.
            first_row: Number of the first row, as in `sample`.

        Returns:
            Theta, float64 `[N, P]`.

        Raises:
            InputError: If a name is unknown, a value is no finite number, or the lengths differ.
        """
        return completed_rows(self.parameters, values, count, seed, first_row)

    def sample(self, theta, seed=0, temperature=1.0, *, count=None, first_row=0):
        """Draws one map for each row of theta.

        Args:
            theta: Parameters `[N, P]`, physical. Or numbers, or arrays `[N]`, by the names of parameters:
                `{"Omega_m": 0.3}`. The others are drawn from their prior, row by row; see `complete_theta`.
            seed: Row i uses the stateless seed (seed, first_row + i).
            temperature: Factor of the latents' standard deviation.
            first_row: Number of the first row. Where many maps are drawn in parts, each part says here at which row it
                begins, and the parts together are the maps of one call.
            count: N, for numbers by name; None for the length of the arrays, or 1.

        Returns:
            Physical maps `[N, H, W]` (or `[N, H, W, C]`). They are never clipped: look for non-finite ones yourself.
        """
        if isinstance(theta, Mapping):
            theta = self.complete_theta(theta, count, seed, first_row)
        elif count is not None:
            raise InputError(f"count: expected None beside theta with a row a map. Received: {count!r}.")
        theta = theta_rows(self, theta)
        rows = tf.range(tf.shape(theta)[0], dtype=tf.int64) + tf.cast(first_row, tf.int64)
        row_seeds = tf.stack([tf.fill(tf.shape(rows), tf.constant(seed, tf.int64)), rows], axis=-1)
        return self.decode(self._graph_of_noise(row_seeds) * tf.cast(temperature, self.compute_dtype), theta)

    def sample_from_prior(self, n, seed=0):
        """Draws theta from the prior and a map for each: the unconditional maps of the paper's Fig. 2B.

        Returns:
            The pair (theta `[n, P]`, maps `[n, H, W]`).
        """
        theta = self.parameters.sample_uniform(n, seed=seed)
        return theta, self.sample(theta, seed=seed)

    def encode(self, hi_maps, theta):
        """Maps `[N, H, W]` to latents `[N, D]`, level by level, the finest first; differentiable."""
        hi_maps, theta = maps_and_theta(self, hi_maps, theta)
        return self._compiled_latents(hi_maps, theta)

    def decode(self, z, theta):
        """Latents `[N, D]` to maps `[N, H, W]`: the inverse of `encode`; differentiable."""
        z, theta = latents_and_theta(self, z, theta)
        maps = self._compiled_generate(z, theta)
        return maps[..., 0] if self.num_channels == 1 else maps

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
        rows = self._most_rows_of_graph
        self._compiled_density = LateCompilation(self.density_by_level, jit_compile, rows)
        self._compiled_generate = LateCompilation(self.generate, jit_compile and self._is_drawing_compiled, rows)
        self._compiled_latents = LateCompilation(self.infer_latents, jit_compile, rows)
        # Row by row outside a graph, the noise took as long as the flow.
        row_seeds = tf.TensorSpec([None, 2], tf.int64)
        self._graph_of_noise = tf.function(self.noise, input_signature=[row_seeds], autograph=False)
