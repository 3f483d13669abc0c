"""HIFlow, the baseline: a conditional masked autoregressive flow of maps as a Keras model."""

import keras
import numpy as np

from higlow_tf.bijectors import ConditionalChain, MaskedAutoregressive
from higlow_tf.errors import InputError
from higlow_tf.models.map_flow import MapFlow
from higlow_tf.models.presets import HIFLOW_PRESETS
from higlow_tf.networks import MaskedAutoregressiveNetwork
from higlow_tf.networks.defaults import MAX_LOG_SCALE

__all__ = ["HIFlow"]

_ORDERINGS = ("reversed", "random")


@keras.saving.register_keras_serializable(package="higlow_tf")
class HIFlow(MapFlow):
    """Density and emulator of maps given simulation parameters: a conditional masked autoregressive flow.

    Math:
        u = log10(map), or the map itself with map_transform="identity"
        x_0 = (u - map_shift) / map_scale   (beyond the extremes of training: see `LogarithmicTails`)
        each block: x_(b+1) = (x_b - shift(x_b, theta)) * exp(-log_scale(x_b, theta)), both from the pixels before, in an
        order that differs from block to block;  z = x after the last block
        log p(u | theta) = log N(z; 0, 1) + log-determinants

    The networks are fully connected and know nothing of the two dimensions of a map or of its symmetries, as in [1], whose
    code was not published: sizes and orders are ours. The density takes one pass; a map is drawn pixel after pixel.

    Args:
        map_size: Pixels on a side.
        num_channels: Fields in a map.
        parameters: Names of the CAMELS registry, `ParameterSpec`s or their configurations.
        nuisance: Names of those parameters that one does not ask for: they vary and are drawn from their prior where
            they are not given.
        map_transform: "log10" or "identity", as in `ConditionalGlow`.
        num_blocks: Masked autoregressive steps.
        width: Hidden units of a block's network.
        ordering: "random" (each block its own) or "reversed" (row by row, in every second block backwards, as in [2]). A
            network with fewer hidden units than pixels cannot read the last few pixels before each; row by row these are
            its neighbours, and on lognormal maps of 32x32 pixels
            that cost 0.13 nats per pixel after 300 steps.
        max_log_scale: Bound of every log-scale of a block.
        use_end_layers: Whether the flow ends with layers that `fit_end_layers` fits after training.
        seed: Seed of the starting weights and of the random orders.

    Input shape:
        `fit` and `evaluate` take x = theta `[B, P]` and y = maps `[B, H, W]` or `[B, H, W, C]`, and sample weights.

    Units:
        Maps are physical, in and out, and positive for "log10"; theta is physical. Every density is that of u, in nats;
        losses are nats per pixel. Latents are in the order `[C, H, W]`.

    Weights:
        Trainable: all networks. Fixed: `map_shift`, `map_log_scale`, `map_lowest` and `map_highest` (set by
        `initialize`).

    Example:
        >>> model = HIFlow.from_preset("hiflow16", map_size=4, width=8)
        >>> model.sample([[0.3, 0.8]], seed=1).shape
        TensorShape([1, 4, 4])

    References:
        [1] Hassan et al. HIFlow. ApJ 2022. https://arxiv.org/abs/2110.02983
        [2] Papamakarios et al. Masked autoregressive flow. NeurIPS 2017. https://arxiv.org/abs/1705.07057
    """

    title = "HIFlow, a conditional masked autoregressive flow"
    presets = HIFLOW_PRESETS
    # The loop over pixels has no gradient under XLA, and drawing is to have one.
    _is_drawing_compiled = False

    def __init__(
        self,
        map_size=32,
        num_channels=1,
        parameters=("Omega_m", "sigma_8"),
        *,
        nuisance=(),
        map_transform="log10",
        num_blocks=5,
        width=512,
        ordering="random",
        max_log_scale=MAX_LOG_SCALE,
        use_end_layers=False,
        seed=0,
        **kwargs,
    ):
        super().__init__(locals(), **kwargs)
        for name, value in {"map_size": map_size, "num_blocks": num_blocks, "width": width}.items():
            if value < 1:
                raise InputError(f"Expected {name} of at least 1. Received: {value}.")
        if ordering not in _ORDERINGS:
            raise InputError(f"Expected an ordering of {_ORDERINGS}. Received: {ordering!r}.")
        # -- layers
        self.blocks = [
            MaskedAutoregressiveNetwork(
                self.num_dimensions,
                width,
                len(self.parameters),
                order=_order(block, self.num_dimensions, ordering, seed),
                max_log_scale=max_log_scale,
                seed=seed + 10 * block,
                dtype=self.dtype_policy,
                name=f"block_{block}",
            )
            for block in range(num_blocks)
        ]
        # -- bijector wiring: the first block is next to the map
        self.steps = ConditionalChain(
            [MaskedAutoregressive(block, block.pixel_by_pixel) for block in reversed(self.blocks)]
        )
        self._complete(self.steps)

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


def _order(block, num_dimensions, ordering, seed):
    """The order in which a block draws its pixels."""
    if ordering == "random":
        return np.random.default_rng([seed, block]).permutation(num_dimensions)
    return np.arange(num_dimensions)[:: -1 if block % 2 else 1]
