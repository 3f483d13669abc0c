"""One level of the flow: squeeze, K steps, and the conditional Gaussian of what leaves."""

from dataclasses import asdict

import keras
import numpy as np
import tensorflow as tf

from higlow_tf.bijectors import (
    ActNorm,
    AffineInjector,
    ConditionalAffineCoupling,
    ConditionalChain,
    Conv1x1Kernel,
    InvertibleConv1x1,
    RepeatedSteps,
    Squeeze,
)
from higlow_tf.models.architecture import GlowArchitecture
from higlow_tf.networks import (
    StackedActNormWeights,
    StackedCouplingNetwork,
    StackedInjectorNetwork,
    StackedLUMatrix,
    apply_coupling_network,
)

__all__ = ["GlowLevel"]

# Directions in which training maps vary by less than this share of the largest are not stretched any further at the start.
_SMALLEST_RELATIVE_VARIANCE = 1e-6


@keras.saving.register_keras_serializable(package="higlow_tf")
class GlowLevel(keras.layers.Layer):
    """Owns the stacked weights of a level, and shows them as one bijector.

    Math, map -> latent:
        squeeze; K times: injector**-1, (activation normalisation**-1,) 1x1 convolution**-1, coupling**-1;
        then, with `use_split_prior`: the half that leaves is standardised, given the half that stays and the condition
        (last level: all of it, given the condition).

    Args:
        architecture: `GlowArchitecture` of the steps.
        channels: Channels after the squeeze.
        is_last: Whether nothing stays after this level.
        seed: Seed of the start.

    Example:
        >>> level = GlowLevel(GlowArchitecture(), channels=4)
        >>> level.bijector.inverse(tf.zeros([3, 8, 8, 1]), conditional_input=tf.zeros([3, 2])).shape
        TensorShape([3, 4, 4, 4])
    """

    def __init__(self, architecture, channels, *, is_last=False, seed=0, **kwargs):
        super().__init__(**kwargs)
        # -- config
        self.architecture = architecture
        self.channels = channels
        self.is_last = is_last
        self.seed = seed
        # -- layers
        self._make_layers()
        # -- bijector wiring
        self.squeeze = Squeeze()
        kept = self.coupling_network.kept_channels if architecture.keep_activations else ()
        self.steps = RepeatedSteps(self._make_step, self._stacked_weights, architecture.num_steps, kept)
        self.bijector = ConditionalChain([*self._end_bijectors(), self.steps, self.squeeze])

    def _make_layers(self):
        of, channels, seed, half = self.architecture, self.channels, self.seed, self.channels // 2
        shared = {"max_log_scale": of.max_log_scale, "dtype": self.dtype_policy}
        conditional = {**shared, "num_parameters": of.num_parameters}
        coupling = {**conditional, "width": of.width, "use_map_mean": of.use_map_mean}
        injection = {**conditional, "width": of.injector_width}
        self.lu_matrix = StackedLUMatrix(of.num_steps, channels, seed=seed, name="lu_matrix", **shared)
        self.coupling_network = StackedCouplingNetwork(
            of.num_steps, half, channels - half, seed=seed + 1, name="coupling_network", **coupling
        )
        num_outputs = 1 if of.injector == "scalar" else channels
        self.injector_network = StackedInjectorNetwork(
            of.num_steps, num_outputs, seed=seed + 2, name="injector_network", **injection
        )
        self.act_norm_weights = None
        if of.use_act_norm:
            self.act_norm_weights = StackedActNormWeights(of.num_steps, channels, name="act_norm_weights", **shared)
        self.end_network = None
        if of.use_split_prior and self.is_last:
            self.end_network = StackedInjectorNetwork(1, channels, seed=seed + 3, name="end_network", **injection)
        elif of.use_split_prior:
            self.end_network = StackedCouplingNetwork(
                1, half, channels - half, seed=seed + 3, name="end_network", **coupling
            )

    def build(self, input_shape=None):
        for layer in (
            self.lu_matrix,
            self.coupling_network,
            self.injector_network,
            self.act_norm_weights,
            self.end_network,
        ):
            if layer is not None:
                layer.build(None)

    def _stacked_weights(self, conditional_input, direction):
        """All that the steps need beside the map, for all K at once: what serves all maps, and what differs from map to map."""
        coupling, coupling_per_map = self.coupling_network(conditional_input)
        shared = {"coupling": coupling, "conv": self.lu_matrix(direction=direction)}
        if self.act_norm_weights is not None:
            shared["act_norm"] = self.act_norm_weights()
        return shared, {"coupling": coupling_per_map, "injector": self.injector_network(conditional_input)}

    def _make_step(self, shared, per_map):
        """The bijectors of one step: views on one slice of the stacked weights, in the order of the forward direction."""
        step = [
            self._coupling_view({**shared["coupling"], **per_map["coupling"]}),
            InvertibleConv1x1(lambda: Conv1x1Kernel(**shared["conv"])),
        ]
        if "act_norm" in shared:
            step.append(ActNorm(lambda: (shared["act_norm"]["shift"], shared["act_norm"]["log_scale"])))
        step.append(AffineInjector(lambda _: (per_map["injector"]["shift"], per_map["injector"]["log_scale"])))
        return ConditionalChain(step)

    def _coupling_view(self, weights):
        return ConditionalAffineCoupling(lambda a, _: self._apply_coupling(weights, a))

    def _apply_coupling(self, weights, a):
        return apply_coupling_network(weights, a, self.architecture.padding, self.architecture.max_log_scale)

    def _end_bijectors(self):
        """The conditional Gaussian of what leaves, as one more affine bijector, so that the base is N(0, I) everywhere."""
        if self.end_network is None:
            return []

        if self.is_last:

            def shift_and_log_scale(conditional_input):
                weights = self.end_network(conditional_input)
                return weights["shift"][0], weights["log_scale"][0]

            return [AffineInjector(shift_and_log_scale, name="end_of_last_level")]

        def shift_and_log_scale_of_split(a, conditional_input):
            shared, per_map = self.end_network(conditional_input)
            weights = {name: tensor[0] for name, tensor in {**shared, **per_map}.items()}
            return self._apply_coupling(weights, a)

        return [ConditionalAffineCoupling(shift_and_log_scale_of_split, name="split_prior")]

    def initialize(self, y):
        """Starts the level at a principal-component whitening of a batch, and returns what the batch becomes.

        The injector (or the activation normalisation) of the first step removes mean and scale. The 1x1 convolution of
        the first step whitens the channels. Those of the other steps are random rotations whose product is the identity.
        So an untrained level keeps the components that vary most, and sends the others out as unit Gaussians.

        Args:
            y: Batch of maps or of what stayed of them, channel-major `[C, H, W, N]`, NumPy.

        Returns:
            The latents of the level, channel-major, NumPy float64.
        """
        x = self.squeeze.inverse_and_log_det(tf.constant(y, tf.float64))[0].numpy()
        of = self.architecture
        shift, scale = x.mean(axis=(1, 2, 3)), x.std(axis=(1, 2, 3))
        is_scalar = of.injector == "scalar" and self.act_norm_weights is None
        if is_scalar:
            shift, scale = np.full_like(shift, x.mean()), np.full_like(scale, x.std())
        log_scale = np.clip(np.log(scale), -0.9 * of.max_log_scale, 0.9 * of.max_log_scale)
        num_outputs = 1 if is_scalar else len(x)
        start = np.zeros((2, of.num_steps, num_outputs))
        start[0, 0], start[1, 0] = shift[:num_outputs], log_scale[:num_outputs]
        (self.act_norm_weights or self.injector_network).start_at(*start)
        x = (x - shift[:, None, None, None]) * np.exp(-log_scale)[:, None, None, None]
        flat = x.reshape(len(x), -1)
        matrices = _whitening_first(flat, self.lu_matrix.random_rotations())
        self.lu_matrix.start_at(matrices)
        return (matrices[0] @ flat).reshape(x.shape)

    def get_config(self):
        return {
            **super().get_config(),
            "architecture": asdict(self.architecture),
            "channels": self.channels,
            "is_last": self.is_last,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config):
        return super().from_config({**config, "architecture": GlowArchitecture(**config["architecture"])})


def _whitening_first(flat, rotations):
    """K matrices: the first whitens the channels of `flat` `[C, M]`, the product of the others is the identity."""
    matrices = rotations.copy()
    variances, directions = np.linalg.eigh(flat @ flat.T / flat.shape[1])
    variances, directions = variances[::-1], directions[:, ::-1]
    variances = np.maximum(variances, _SMALLEST_RELATIVE_VARIANCE * variances[0])
    matrices[0] = directions.T / np.sqrt(variances)[:, None]
    if len(matrices) > 1:
        product = np.eye(len(flat))
        for rotation in rotations[1:-1]:
            product = rotation @ product
        matrices[-1] = product.T
    return matrices
