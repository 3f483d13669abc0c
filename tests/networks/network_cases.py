"""A case for every layer of the networks: its shapes, how it is asked, and how many trainable numbers it has."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from higlow_tf import networks

__all__ = ["CASES", "NetworkCase"]

# Large enough that no output is trivial.
WEIGHT_SD = 0.3
K, CHANNELS, HALF, WIDTH, P = 2, 4, 2, 3, 2
NUM_PIXELS = 5


@dataclass(frozen=True)
class NetworkCase:
    """What the contract needs to know of a layer.

    Attributes:
        kind: The class.
        shapes: Its shape arguments, and nothing else.
        others: Values of its other arguments, each unlike its default.
        num_trainable: Trainable numbers.
        inputs: Shapes of the inputs, without the batch, which comes last; () for a layer that is asked nothing.
        call: Layer and inputs -> list of outputs; with inputs, the batch comes last.
    """

    kind: type
    shapes: tuple
    others: dict
    num_trainable: int
    inputs: tuple
    call: Callable

    def build(self, dtype="float64", **arguments):
        """The layer with random weights; the arguments other than shapes have their defaults."""
        layer = self.kind(*self.shapes, **arguments, dtype=dtype)
        if not layer.built:
            layer.build(None)
        rng = np.random.default_rng(1)
        for variable in layer.trainable_variables or layer.weights:
            variable.assign_add(WEIGHT_SD * rng.standard_normal(variable.shape))
        return layer

    def random_inputs(self, dtype="float64", num_rows=3, seed=0):
        rng = np.random.default_rng(seed)
        return [tf.constant(rng.standard_normal((*shape, num_rows)), dtype) for shape in self.inputs]


def _act_norm(layer):
    return list(layer().values())


def _lu_matrix(layer):
    return [output for way in ("inverse", "forward") for output in layer(direction=way).values()]


def _injector(layer, condition):
    return list(layer(tf.transpose(condition)).values())


def _coupling(layer, condition, a):
    """Both steps, each with a share of the same maps."""
    shared, per_map = layer(tf.transpose(condition))
    outputs = []
    for k in range(K):
        step = {name: tensor[k] for name, tensor in {**shared, **per_map}.items()}
        outputs += networks.apply_coupling_network(step, a, "periodic", layer.max_log_scale)
    return outputs


def _pixel_curve(layer):
    return list(layer.knots())


def _end_layers(layer, condition):
    """The shift of the transport, which depends on the condition; the matrix, the filter and the curve do not."""
    return [layer.transport(tf.transpose(condition))[1]]


def _filter(layer, condition):
    return [layer(tf.transpose(condition))]


def _curve(layer, condition):
    """Heights and slopes of the knots; their places are fixed."""
    return list(layer(tf.transpose(condition))[1:])


def _masked(layer, condition, y):
    return list(layer(y, tf.transpose(condition)))


LIMIT = {"max_log_scale": 0.6}

# The numbers of weights are the sums over the arrays of the docstring of the layer.
CASES = {
    "StackedActNormWeights": NetworkCase(
        networks.StackedActNormWeights, (K, CHANNELS), LIMIT, K * 2 * CHANNELS, (), _act_norm
    ),
    "StackedLUMatrix": NetworkCase(
        networks.StackedLUMatrix, (K, CHANNELS), {**LIMIT, "seed": 3}, K * (CHANNELS**2 + CHANNELS), (), _lu_matrix
    ),
    "StackedInjectorNetwork": NetworkCase(
        networks.StackedInjectorNetwork,
        (K, CHANNELS, WIDTH, P),
        {**LIMIT, "seed": 3},
        K * (WIDTH * (P + 1) + 2 * CHANNELS * (WIDTH + 1)),
        ((P,),),
        _injector,
    ),
    "StackedCouplingNetwork": NetworkCase(
        networks.StackedCouplingNetwork,
        (K, HALF, HALF, WIDTH, P),
        {**LIMIT, "use_map_mean": True, "seed": 3},
        K * (WIDTH * (9 * HALF + P + 1) + WIDTH * (WIDTH + 1) + 2 * HALF * (9 * WIDTH + 1)),
        ((P,), (HALF, 4, 4)),
        _coupling,
    ),
    "EndLayerWeights": NetworkCase(networks.EndLayerWeights, (8, CHANNELS, P), {}, 0, ((P,),), _end_layers),
    "PixelCurveWeights": NetworkCase(networks.PixelCurveWeights, (CHANNELS,), {}, 0, (), _pixel_curve),
    "FilterNetwork": NetworkCase(
        networks.FilterNetwork,
        (8, CHANNELS, P, 5, WIDTH),
        {**LIMIT, "seed": 3},
        WIDTH * (P + 1) + CHANNELS * 5 * (WIDTH + 1),
        ((P,),),
        _filter,
    ),
    "CurveNetwork": NetworkCase(
        networks.CurveNetwork,
        (CHANNELS, P, 5, WIDTH),
        {**LIMIT, "seed": 3},
        WIDTH * (P + 1) + CHANNELS * 10 * (WIDTH + 1),
        ((P,),),
        _curve,
    ),
    "MaskedAutoregressiveNetwork": NetworkCase(
        networks.MaskedAutoregressiveNetwork,
        (NUM_PIXELS, WIDTH, P),
        {**LIMIT, "order": [4, 2, 0, 1, 3], "seed": 3},
        WIDTH * (NUM_PIXELS + P + 1) + 2 * NUM_PIXELS * (WIDTH + P + 1),
        ((P,), (NUM_PIXELS,)),
        _masked,
    ),
}
