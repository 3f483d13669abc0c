"""One case for every bijector: how to build it with random weights, and the shapes of what it maps."""

import functools
from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from higlow_tf import bijectors as hb
from higlow_tf.bijectors.check_bijector import BijectorCase, Built
from higlow_tf.models import TRENF, ConditionalGlow, GlowArchitecture, GlowLevel, HIFlow
from higlow_tf.models.end_layers import end_layers_bijector
from higlow_tf.networks import (
    CurveNetwork,
    EndLayerWeights,
    FilterNetwork,
    MaskedAutoregressiveNetwork,
    StackedActNormWeights,
    StackedCouplingNetwork,
    StackedInjectorNetwork,
    StackedLUMatrix,
    apply_coupling_network,
)

__all__ = ["CASES", "BijectorCase", "Built", "CountedCalls", "inverted", "randomise", "stacked_steps"]

EVENT = (4, 4, 4)
# Where an event is drawn pixel after pixel.
SMALL_EVENT = (2, 2, 2)
CONDITION = (2,)
CHANNELS, HALF = 4, 2
NUM_STEPS = 2
MAX_LOG_SCALE = 1.0
# Large enough that no log-scale, shift or matrix is trivial.
WEIGHT_SD = 0.2
# Smaller where eight networks follow one another: a float32 round trip loses the condition number of the whole flow,
# 1e5 at 0.1 and 1e2 here.
WEIGHT_SD_OF_MODEL = 0.05


class CountedCalls:
    """A callable that counts how often it is called."""

    def __init__(self, function):
        self.function = function
        self.num_calls = 0

    def __call__(self, *args, **kwargs):
        self.num_calls += 1
        return self.function(*args, **kwargs)


def inverted(case):
    """The case of `tfb.Invert` of a bijector: its sides are swapped."""

    def build(dtype):
        built = case.built(dtype)
        return replace(built, bijector=tfp.bijectors.Invert(built.bijector))

    return replace(
        case,
        build=build,
        latent_shape=case.map_shape,
        map_shape=case.latent_shape,
        positive={"maps": "latents", "latents": "maps", None: None}[case.positive],
    )


def randomise(variables, seed=0, sd=WEIGHT_SD):
    """Adds Gaussian noise to every variable, and returns the variables as TensorFlow's own."""
    rng = np.random.default_rng(seed)
    for variable in variables:
        variable.assign(variable.numpy() + sd * rng.standard_normal(variable.shape))
    return [variable.value if isinstance(variable, keras.Variable) else variable for variable in variables]


def _randomised(layer, seed=0):
    """A built layer and its variables: trainable ones, randomised, and the others."""
    layer.build(None)
    return layer, randomise(layer.trainable_variables, seed), [v.value for v in layer.non_trainable_variables]


def _variable(values, dtype):
    return tf.Variable(np.asarray(values), dtype=dtype)


# ---- layers of one kind of weight


def _coupling(padding):
    def build(dtype):
        network, weights, frozen = _randomised(StackedCouplingNetwork(1, HALF, HALF, 6, *CONDITION, dtype=dtype))

        def shift_and_log_scale(a, conditional_input):
            shared, per_map = network(conditional_input)
            first = {key: value[0] for key, value in {**shared, **per_map}.items()}
            return apply_coupling_network(first, a, padding, MAX_LOG_SCALE)

        counted = CountedCalls(shift_and_log_scale)
        return Built(hb.ConditionalAffineCoupling(counted), weights, frozen, counted)

    return build


def _injector(num_outputs):
    def build(dtype):
        network, weights, frozen = _randomised(StackedInjectorNetwork(1, num_outputs, 5, *CONDITION, dtype=dtype))

        def shift_and_log_scale(conditional_input):
            output = network(conditional_input)
            return output["shift"][0], output["log_scale"][0]

        counted = CountedCalls(shift_and_log_scale)
        return Built(hb.AffineInjector(counted), weights, frozen, counted)

    return build


def _conv1x1(given):
    def build(dtype):
        rotation = np.linalg.qr(np.random.default_rng(1).standard_normal((CHANNELS, CHANNELS)))[0]
        matrix = _variable(rotation, dtype)
        randomise([matrix])
        sign = 1.0 if given == "weight" else -1.0

        def kernel():
            # Not slogdet, which XLA lacks.
            log_abs_det = 0.5 * tf.linalg.logdet(tf.matmul(matrix, matrix, transpose_a=True))
            return hb.Conv1x1Kernel(sign * log_abs_det, **{given: tf.convert_to_tensor(matrix)})

        counted = CountedCalls(kernel)
        return Built(hb.InvertibleConv1x1(counted), [matrix], [], counted)

    return build


def _conv1x1_of_lu_matrix(dtype):
    layer, weights, frozen = _randomised(StackedLUMatrix(1, CHANNELS, dtype=dtype))

    def kernel():
        return hb.Conv1x1Kernel(**{key: value[0] for key, value in layer(direction="inverse").items()})

    counted = CountedCalls(kernel)
    return Built(hb.InvertibleConv1x1(counted), weights, frozen, counted)


def _act_norm(dtype):
    layer, weights, frozen = _randomised(StackedActNormWeights(1, CHANNELS, dtype=dtype))

    def constants():
        output = layer()
        return output["shift"][0], output["log_scale"][0]

    counted = CountedCalls(constants)
    return Built(hb.ActNorm(counted), weights, frozen, counted)


def _map_preprocessing(dtype, map_transform="log10"):
    shift, log_scale = _variable(np.full(CHANNELS, 1.5), dtype), _variable(np.full(CHANNELS, -0.9), dtype)
    weights = randomise([shift, log_scale])
    counted = CountedCalls(lambda: (tf.convert_to_tensor(shift), tf.convert_to_tensor(log_scale)))
    bounds = tf.constant([[0.5] * CHANNELS, [1.6] * CHANNELS], dtype)
    preprocessing = hb.MapPreprocessing(counted, lambda: (bounds[0], bounds[1]), map_transform=map_transform)
    return Built(preprocessing, weights, [], counted)


def _logarithmic_tails(dtype):
    low, high = _variable(np.full(CHANNELS, -0.7), dtype), _variable(np.full(CHANNELS, 0.4), dtype)
    counted = CountedCalls(lambda: (tf.convert_to_tensor(low), tf.convert_to_tensor(high)))
    return Built(hb.LogarithmicTails(counted, width=0.3), [low, high], [], counted)


def _isotropic_filter(dtype):
    log_transfer = _variable(np.zeros((EVENT[2], *EVENT[:2])), dtype)
    weights = randomise([log_transfer])
    return Built(hb.IsotropicFilter(CountedCalls(lambda: tf.convert_to_tensor(log_transfer))), weights)


def _filter_of_condition(dtype):
    network, weights, frozen = _randomised(FilterNetwork(EVENT[0], CHANNELS, *CONDITION, 5, 4, dtype=dtype))
    counted = CountedCalls(network)
    return Built(hb.IsotropicFilter(counted, is_conditional=True), weights, frozen, counted)


def _curve_of_condition(dtype):
    network, weights, frozen = _randomised(CurveNetwork(CHANNELS, *CONDITION, 7, 4, dtype=dtype))
    counted = CountedCalls(network)
    return Built(hb.MonotoneCurve(counted, is_conditional=True), weights, frozen, counted)


def _band_powers(dtype):
    bands = np.array([[0, 0, 1, 0], [0, 1, 1, 1], [1, 1, 1, 1], [0, 1, 1, 1]])
    num_summaries = 3 * CHANNELS
    matrix = _variable(np.eye(num_summaries), dtype)
    slopes = _variable(np.zeros((num_summaries, *CONDITION)), dtype)
    weights = randomise([matrix, slopes])
    counted = CountedCalls(lambda c: (tf.convert_to_tensor(matrix), tf.matmul(slopes, c, transpose_b=True)))
    return Built(hb.BandPowers(bands, counted), weights, [], counted)


def _monotone_curve(dtype):
    rng = np.random.default_rng(4)
    x, y = (np.cumsum(rng.uniform(0.2, 0.6, (CHANNELS, 7)), axis=1) - 1.5 for _ in range(2))
    knots = [_variable(part, dtype) for part in (x, y, rng.uniform(0.4, 2.0, x.shape))]
    counted = CountedCalls(lambda: tuple(tf.convert_to_tensor(part) for part in knots))
    return Built(hb.MonotoneCurve(counted), knots, [], counted)


def _masked_autoregressive(dtype):
    order = np.random.default_rng(2).permutation(SMALL_EVENT[0] * SMALL_EVENT[1] * SMALL_EVENT[2])
    network = MaskedAutoregressiveNetwork(len(order), 5, *CONDITION, order=order, dtype=dtype)
    _, weights, frozen = _randomised(network)
    counted = network._prepare = CountedCalls(network._prepare)
    return Built(hb.MaskedAutoregressive(network, network.pixel_by_pixel), weights, frozen, counted)


# ---- compositions


def _chain(dtype):
    children = [_coupling("periodic")(dtype), _conv1x1("weight")(dtype), _injector(1)(dtype)]
    weights = [weight for child in children for weight in child.weights]
    return Built(hb.ConditionalChain([child.bijector for child in children]), weights, [], children[0].network)


def stacked_steps(dtype, num_steps=NUM_STEPS, width=6):
    """The ingredients of K Glow steps.

    A step also uses the condition itself, so that its gradient must flow by the weights and directly.

    Returns:
        The tuple (make_step, stacked_weights_fn, weights, frozen, network).
    """
    layers = [
        StackedCouplingNetwork(num_steps, HALF, HALF, width, *CONDITION, dtype=dtype),
        StackedLUMatrix(num_steps, CHANNELS, dtype=dtype),
        StackedInjectorNetwork(num_steps, CHANNELS, 5, *CONDITION, dtype=dtype),
    ]
    weights, frozen = [], []
    for seed, layer in enumerate(layers):
        weights += _randomised(layer, seed)[1]
        frozen += [variable.value for variable in layer.non_trainable_variables]
    coupling, lu_matrix, injector = layers
    network = CountedCalls(lambda a, step: apply_coupling_network(step, a, "periodic", MAX_LOG_SCALE))

    def stacked_weights(conditional_input, direction):
        shared, per_map = coupling(conditional_input)
        return (
            {"coupling": shared, "conv": lu_matrix(direction=direction)},
            {"coupling": per_map, "injector": injector(conditional_input)},
        )

    def make_step(shared, per_map):
        def shift_and_log_scale(a, conditional_input):
            shift, log_scale = network(a, {**shared["coupling"], **per_map["coupling"]})
            return shift + tf.reduce_sum(conditional_input, axis=1) * a, log_scale

        return hb.ConditionalChain(
            [
                hb.ConditionalAffineCoupling(shift_and_log_scale),
                hb.InvertibleConv1x1(lambda: hb.Conv1x1Kernel(**shared["conv"])),
                hb.AffineInjector(lambda _: (per_map["injector"]["shift"], per_map["injector"]["log_scale"])),
            ]
        )

    return make_step, stacked_weights, weights, frozen, network


def _repeated_steps(dtype):
    make_step, stacked_weights, weights, frozen, network = stacked_steps(dtype)
    return Built(hb.RepeatedSteps(make_step, stacked_weights, NUM_STEPS), weights, frozen, network)


def _multiscale(dtype):
    fine, coarse = _injector(16)(dtype), _injector(32)(dtype)
    levels = [hb.ConditionalChain([built.bijector, hb.Squeeze()]) for built in (fine, coarse)]
    return Built(hb.Multiscale(levels, EVENT), fine.weights + coarse.weights, [], coarse.network)


def _built_of_model(bijector, layer, network_layer):
    """A model's bijector. What is counted are the calls of a layer that makes the weights of all steps, once a pass."""
    counted = network_layer.call = CountedCalls(network_layer.call)
    frozen = [variable.value for variable in layer.non_trainable_variables]
    return Built(bijector, randomise(layer.trainable_variables, sd=WEIGHT_SD_OF_MODEL), frozen, counted)


def _make_level(dtype, is_last):
    architecture = GlowArchitecture(
        NUM_STEPS,
        width=6,
        injector="scalar" if is_last else "channel",
        injector_width=5,
        padding="zero" if is_last else "periodic",
        use_map_mean=True,
        use_act_norm=is_last,
    )
    level = GlowLevel(architecture, channels=16, is_last=is_last, dtype=dtype)
    level.build(None)
    return level


def _glow_level(is_last):
    def build(dtype):
        level = _make_level(dtype, is_last)
        return _built_of_model(level.bijector, level, level.coupling_network)

    return build


def _split_prior(dtype):
    level = _make_level(dtype, is_last=False)
    split_prior = level.bijector.bijectors[0]
    return _built_of_model(split_prior, level.end_network, level.end_network)


def _conditional_glow(dtype):
    model = ConditionalGlow.from_preset("tiny", map_size=4, num_channels=4, dtype=dtype)
    model.map_log_scale.assign(tf.fill([4], -1.5))  # else ten to the power of a pixel leaves the range of float32
    return _built_of_model(model.bijector, model, model.levels[0].coupling_network)


def _end_layers(dtype):
    weights = EndLayerWeights(4, CHANNELS, *CONDITION, dtype=dtype)
    weights.build(None)
    rng = np.random.default_rng(3)
    for variable in weights.weights:
        # Less for the knots, which are near together and must increase.
        variable.assign(
            variable.numpy() + (0.005 if "knots" in variable.name else 0.02) * rng.standard_normal(variable.shape)
        )
    counted = weights.transport = CountedCalls(weights.transport)
    return Built(end_layers_bijector(weights), [], [variable.value for variable in weights.weights], counted)


def _hiflow(dtype):
    model = HIFlow(2, 2, num_blocks=2, width=5, dtype=dtype)
    model.map_log_scale.assign(tf.fill([2], -1.5))
    counted = model.blocks[0]._prepare = CountedCalls(model.blocks[0]._prepare)
    frozen = [variable.value for variable in model.non_trainable_variables]
    return Built(model.bijector, randomise(model.trainable_variables, sd=WEIGHT_SD_OF_MODEL), frozen, counted)


def _trenf(dtype):
    model = TRENF(4, 2, num_blocks=2, width=4, num_filter_knots=5, num_curve_knots=5, dtype=dtype)
    model.map_log_scale.assign(tf.fill([2], -1.5))
    counted = model.filters[0].output = CountedCalls(model.filters[0].output)
    frozen = [variable.value for variable in model.non_trainable_variables]
    return Built(model.bijector, randomise(model.trainable_variables, sd=WEIGHT_SD_OF_MODEL), frozen, counted)


CASES = {
    "Squeeze": BijectorCase(hb.Squeeze, lambda _: Built(hb.Squeeze()), latent_shape=(2, 2, 16), is_permutation=True),
    "ActNorm": BijectorCase(hb.ActNorm, _act_norm),
    "InvertibleConv1x1 of weight": BijectorCase(hb.InvertibleConv1x1, _conv1x1("weight")),
    "InvertibleConv1x1 of inverse_weight": BijectorCase(hb.InvertibleConv1x1, _conv1x1("inverse_weight")),
    "InvertibleConv1x1 of LU factors": BijectorCase(hb.InvertibleConv1x1, _conv1x1_of_lu_matrix),
    "AffineInjector, scalar": BijectorCase(hb.AffineInjector, _injector(1), conditional_shape=CONDITION),
    "AffineInjector, per channel": BijectorCase(hb.AffineInjector, _injector(CHANNELS), conditional_shape=CONDITION),
    "ConditionalAffineCoupling, periodic": BijectorCase(
        hb.ConditionalAffineCoupling, _coupling("periodic"), conditional_shape=CONDITION
    ),
    "ConditionalAffineCoupling, zero": BijectorCase(
        hb.ConditionalAffineCoupling, _coupling("zero"), conditional_shape=CONDITION
    ),
    "split prior": BijectorCase(
        hb.ConditionalAffineCoupling,
        _split_prior,
        latent_shape=(2, 2, 16),
        map_shape=(2, 2, 16),
        conditional_shape=CONDITION,
    ),
    "Exp10": BijectorCase(hb.Exp10, lambda _: Built(hb.Exp10()), positive="maps"),
    "LogarithmicTails": BijectorCase(hb.LogarithmicTails, _logarithmic_tails),
    "MapPreprocessing": BijectorCase(hb.MapPreprocessing, _map_preprocessing, positive="maps"),
    # The bounds of the tails are standardised, too.
    "MapPreprocessing, identity": BijectorCase(
        hb.MapPreprocessing, functools.partial(_map_preprocessing, map_transform="identity"), calls_per_pass=2
    ),
    "HartleyTransform": BijectorCase(hb.HartleyTransform, lambda _: Built(hb.HartleyTransform())),
    "IsotropicFilter": BijectorCase(hb.IsotropicFilter, _isotropic_filter),
    "IsotropicFilter of a condition": BijectorCase(
        hb.IsotropicFilter, _filter_of_condition, conditional_shape=CONDITION
    ),
    "BandPowers": BijectorCase(hb.BandPowers, _band_powers, conditional_shape=CONDITION),
    "MonotoneCurve": BijectorCase(hb.MonotoneCurve, _monotone_curve),
    "MonotoneCurve of a condition": BijectorCase(hb.MonotoneCurve, _curve_of_condition, conditional_shape=CONDITION),
    "MaskedAutoregressive": BijectorCase(
        hb.MaskedAutoregressive,
        _masked_autoregressive,
        latent_shape=SMALL_EVENT,
        map_shape=SMALL_EVENT,
        conditional_shape=CONDITION,
    ),
    "ConditionalChain": BijectorCase(hb.ConditionalChain, _chain, conditional_shape=CONDITION, is_jitted=False),
    "RepeatedSteps": BijectorCase(
        hb.RepeatedSteps, _repeated_steps, conditional_shape=CONDITION, calls_per_pass=NUM_STEPS
    ),
    "Multiscale": BijectorCase(hb.Multiscale, _multiscale, latent_shape=(64,), conditional_shape=CONDITION),
    "GlowLevel": BijectorCase(
        hb.ConditionalChain, _glow_level(False), latent_shape=(2, 2, 16), conditional_shape=CONDITION, is_jitted=False
    ),
    "GlowLevel, last": BijectorCase(
        hb.ConditionalChain, _glow_level(True), latent_shape=(2, 2, 16), conditional_shape=CONDITION, is_jitted=False
    ),
    "ConditionalGlow": BijectorCase(
        hb.ConditionalChain,
        _conditional_glow,
        latent_shape=(64,),
        conditional_shape=CONDITION,
        positive="maps",
        is_jitted=False,
    ),
    "end layers": BijectorCase(hb.ConditionalChain, _end_layers, conditional_shape=CONDITION),
    "HIFlow": BijectorCase(
        hb.ConditionalChain,
        _hiflow,
        latent_shape=SMALL_EVENT,
        map_shape=SMALL_EVENT,
        conditional_shape=CONDITION,
        positive="maps",
        is_jitted=False,
    ),
    "TRENF": BijectorCase(
        hb.ConditionalChain,
        _trenf,
        latent_shape=(4, 4, 2),
        map_shape=(4, 4, 2),
        conditional_shape=CONDITION,
        positive="maps",
        is_jitted=False,
    ),
}
