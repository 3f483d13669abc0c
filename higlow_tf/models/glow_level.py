"""One level of the flow: squeeze, K steps, and the conditional Gaussian of what leaves."""

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


class GlowLevel(keras.layers.Layer):
    """Owns the stacked weights of a level, and shows them as one bijector.

    Math, map -> latent:
        squeeze; K times: injector**-1, (activation normalisation**-1,) 1x1 convolution**-1, coupling**-1;
        then, with `use_split_prior`: the half that leaves is standardised given the half that stays and the condition
        (last level: all, given the condition).

    Args:
        num_steps: K.
        channels: Channels after the squeeze.
        width: Hidden channels of the coupling networks.
        num_parameters: P.
        is_last: Whether nothing stays after this level.
        injector: "scalar" (one number a map, the paper) or "channel".
        injector_width: Hidden units of the injectors.
        padding: "periodic" or "zero".
        use_split_prior: Whether what leaves has a learned conditional mean and scale.
        use_act_norm: Whether a step has an activation normalisation.
        max_log_scale: Bound of every log-scale.
        seed: Seed of the start.
    """

    def __init__(
        self,
        num_steps,
        channels,
        width,
        num_parameters,
        *,
        is_last,
        injector,
        injector_width,
        padding,
        use_split_prior,
        use_map_mean,
        use_act_norm,
        max_log_scale,
        seed=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        # -- layers
        shared = {"max_log_scale": max_log_scale, "dtype": self.dtype_policy}
        coupling = {**shared, "width": width, "num_parameters": num_parameters, "use_map_mean": use_map_mean}
        injection = {**shared, "width": injector_width, "num_parameters": num_parameters}
        half = channels // 2
        self.lu_matrix = StackedLUMatrix(num_steps, channels, seed=seed, name="lu_matrix", **shared)
        self.coupling_network = StackedCouplingNetwork(
            num_steps, half, channels - half, seed=seed + 1, name="coupling_network", **coupling
        )
        num_outputs = 1 if injector == "scalar" else channels
        self.injector_network = StackedInjectorNetwork(
            num_steps, num_outputs, seed=seed + 2, name="injector_network", **injection
        )
        self.act_norm_weights = None
        if use_act_norm:
            self.act_norm_weights = StackedActNormWeights(num_steps, channels, name="act_norm_weights", **shared)
        self.end_network = None
        if use_split_prior and is_last:
            self.end_network = StackedInjectorNetwork(1, channels, seed=seed + 3, name="end_network", **injection)
        elif use_split_prior:
            self.end_network = StackedCouplingNetwork(
                1, half, channels - half, seed=seed + 3, name="end_network", **coupling
            )
        # -- bijector wiring
        self.squeeze = Squeeze()
        self.steps = RepeatedSteps(self._make_step, self._stacked_weights, num_steps)
        self.bijector = ConditionalChain([*self._end_bijectors(is_last), self.steps, self.squeeze])
        # -- config
        self.num_steps = num_steps
        self.channels = channels
        self.width = width
        self.num_parameters = num_parameters
        self.is_last = is_last
        self.injector = injector
        self.injector_width = injector_width
        self.padding = padding
        self.use_split_prior = use_split_prior
        self.use_map_mean = use_map_mean
        self.use_act_norm = use_act_norm
        self.max_log_scale = max_log_scale
        self.seed = seed

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
        return ConditionalAffineCoupling(
            lambda a, _: apply_coupling_network(weights, a, self.padding, self.max_log_scale)
        )

    def _end_bijectors(self, is_last):
        """The conditional Gaussian of what leaves, as one more affine bijector, so that the base is N(0, I) everywhere."""
        if self.end_network is None:
            return []

        if is_last:

            def shift_and_log_scale(conditional_input):
                weights = self.end_network(conditional_input)
                return weights["shift"][0], weights["log_scale"][0]

            return [AffineInjector(shift_and_log_scale, name="end_of_last_level")]

        def shift_and_log_scale_of_split(a, conditional_input):
            shared, per_map = self.end_network(conditional_input)
            weights = {name: tensor[0] for name, tensor in {**shared, **per_map}.items()}
            return apply_coupling_network(weights, a, self.padding, self.max_log_scale)

        return [ConditionalAffineCoupling(shift_and_log_scale_of_split, name="split_prior")]

    def initialize(self, y):
        """Starts the level at a principal-component whitening of a batch, and returns what the batch becomes.

        The injectors (or activation normalisations) of the first step remove mean and scale; its 1x1 convolution
        whitens the channels; those of the other steps are random rotations whose product is the identity. Untrained,
        a level so keeps the components that vary most and sends the others out as unit Gaussians.

        Args:
            y: Batch of maps or of what stayed of them, channel-major `[C, H, W, N]`, NumPy.

        Returns:
            The latents of the level, channel-major, NumPy float64.
        """
        x = self.squeeze.inverse_and_log_det(tf.constant(y, tf.float64))[0].numpy()
        channels = len(x)
        shift, scale = x.mean(axis=(1, 2, 3)), x.std(axis=(1, 2, 3))
        if self.injector == "scalar" and self.act_norm_weights is None:
            shift, scale = np.full_like(shift, x.mean()), np.full_like(scale, x.std())
        log_scale = np.clip(np.log(scale), -0.9 * self.max_log_scale, 0.9 * self.max_log_scale)
        owner = self.act_norm_weights or self.injector_network
        width = 1 if owner is self.injector_network and self.injector == "scalar" else channels
        start = np.zeros((2, self.num_steps, width))
        start[0, 0], start[1, 0] = shift[:width], log_scale[:width]
        owner.start_at(*start)
        x = (x - shift[:, None, None, None]) * np.exp(-log_scale)[:, None, None, None]

        matrices = self.lu_matrix.random_rotations()
        flat = x.reshape(channels, -1)
        variances, directions = np.linalg.eigh(flat @ flat.T / flat.shape[1])
        variances, directions = variances[::-1], directions[:, ::-1]
        variances = np.maximum(variances, _SMALLEST_RELATIVE_VARIANCE * variances[0])
        matrices[0] = directions.T / np.sqrt(variances)[:, None]
        if self.num_steps > 1:
            product = np.eye(channels)
            for rotation in matrices[1:-1]:
                product = rotation @ product
            matrices[-1] = product.T
        self.lu_matrix.start_at(matrices)
        return (matrices[0] @ flat).reshape(x.shape)

    def get_config(self):
        return {
            **super().get_config(),
            "num_steps": self.num_steps,
            "channels": self.channels,
            "width": self.width,
            "num_parameters": self.num_parameters,
            "is_last": self.is_last,
            "injector": self.injector,
            "injector_width": self.injector_width,
            "padding": self.padding,
            "use_split_prior": self.use_split_prior,
            "use_map_mean": self.use_map_mean,
            "use_act_norm": self.use_act_norm,
            "max_log_scale": self.max_log_scale,
            "seed": self.seed,
        }
