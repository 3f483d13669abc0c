"""The contract that every flow of maps keeps, as checks of a `FlowCase` that raise `ContractError`."""

import functools
import inspect
import json
import tempfile
from pathlib import Path

import keras
import numpy as np
import scipy.stats
import tensorflow as tf
from flow_cases import MEAN, SD
from requirements import require, require_close, require_equal, require_gradients

from higlow_tf.errors import InputError
from higlow_tf.map_transforms import inverse_map_transform, modelled_map

__all__ = ["CHECKS"]

NUM_ROWS = 3
# Largest |a - b| / max(1, |b|).
EXACT = 1e-9  # float64 through both directions of a whole flow
SAME_ARITHMETIC = 1e-12  # the same float64 operations, in another batch
TRACED = 1e-12  # float64; a graph may add in another order
FLOAT32 = 2e-5  # seven digits, less what the condition number of a flow costs; measured 3e-6
# Draws of the statistical checks: seeds are fixed, and 5 sigma is one false alarm in a million other seeds.
NUM_DRAWS, NUM_PROPOSALS, SIGMAS, SMALLEST_P = 200, 10_000, 5.0, 1e-4


def _theta(model, seed=0, num_rows=NUM_ROWS):
    return model.parameters.sample_uniform(num_rows, seed=seed)


def _maps(model, seed=0, num_rows=NUM_ROWS):
    """Maps about as bright as those that the cases are made for; without a channel axis for one channel."""
    shape = (num_rows, model.map_size, model.map_size, model.num_channels)
    modelled = np.random.default_rng(seed).normal(MEAN[model.map_transform], SD, shape)
    maps = inverse_map_transform(modelled, model.map_transform)
    return maps[..., 0] if model.num_channels == 1 else maps


def _latents(model, seed=0, num_rows=NUM_ROWS):
    return np.random.default_rng(seed).standard_normal((num_rows, model.num_dimensions))


def _modelled(model, maps):
    return modelled_map(np.asarray(maps), model.map_transform)


def _answers(model):
    """What the verbs say to fixed questions."""
    theta = _theta(model)
    maps = _maps(model)
    return {
        "log_prob": model.log_prob(maps, theta),
        "encode": model.encode(maps, theta),
        "sample": model.sample(theta, seed=5),
    }


def _require_same_answers(model, expected, what):
    for verb, answer in _answers(model).items():
        require_equal(answer, expected[verb], f"{verb} of {what}")


def check_number_of_weights(case):
    """As many trainable numbers as the case says."""
    found = sum(int(np.prod(variable.shape)) for variable in case.build().trainable_variables)
    require(found == case.num_trainable, f"trainable numbers: expected {case.num_trainable}. Received: {found}")


def check_inverse(case):
    """`encode` undoes `decode`, and `decode` undoes `encode`."""
    model = case.build()
    theta, z, maps = _theta(model), _latents(model), _maps(model)
    require_close(model.encode(tf.identity(model.decode(z, theta)), theta), z, EXACT, "latents of decoded latents")
    again = model.decode(tf.identity(model.encode(maps, theta)), theta)
    require_close(_modelled(model, again), _modelled(model, maps), EXACT, "maps of encoded maps")


def check_levels(case):
    """The levels of the density add up, and their latents are all there are."""
    model = case.build()
    theta, maps = _theta(model), _maps(model)
    by_level = model.log_prob_by_level(maps, theta)
    sizes = [int(np.prod(shape)) for shape in model.latent_shapes]
    require(by_level.shape == (NUM_ROWS, len(sizes)), f"expected {len(sizes)} levels. Received: shape {by_level.shape}")
    require(
        sum(sizes) == model.num_dimensions, f"latent shapes: expected {model.num_dimensions} in all. Received: {sizes}"
    )
    require_close(np.sum(by_level, axis=1), model.log_prob(maps, theta), SAME_ARITHMETIC, "sum over levels")


def check_change_of_variables(case):
    """The density is that of the base and the autodiff Jacobian of the whole map.

    One backward pass: of latents that are repeated once for each pixel, copy i is differentiated for pixel i.
    """
    model = case.build()
    size, theta, z = model.num_dimensions, _theta(model), _latents(model)
    rows = np.repeat(np.arange(NUM_ROWS), size)
    copies = tf.constant(z[rows])
    with tf.GradientTape() as tape:
        tape.watch(copies)
        modelled = model.generate(copies, tf.constant(theta[rows]))
        if model.map_transform == "log10":
            modelled = tf.math.log(modelled) / np.log(10.0)
        outputs = tf.linalg.diag_part(tf.reshape(modelled, [NUM_ROWS, size, size]))
    jacobians = tf.reshape(tape.gradient(outputs, copies), [NUM_ROWS, size, size])
    expected = np.sum(scipy.stats.norm.logpdf(z), axis=1) - np.linalg.slogdet(jacobians)[1]
    log_prob = model.log_prob(tf.identity(model.decode(z, theta)), theta)
    require_close(log_prob, expected, EXACT, "log_prob against base and autodiff")


def check_integral(case):
    """exp(log_prob) integrates to one over the modelled maps: importance sampling from a wide Gaussian."""
    model = case.build(**case.smallest)
    theta = np.repeat(_theta(model, num_rows=1), NUM_PROPOSALS, axis=0)
    maps = model.generate(tf.constant(_latents(model, num_rows=NUM_DRAWS)), tf.constant(theta[:NUM_DRAWS]))
    drawn = _modelled(model, maps).reshape(NUM_DRAWS, -1)
    proposal = scipy.stats.multivariate_normal(drawn.mean(axis=0), 1.5 * np.cov(drawn.T), seed=1)
    modelled = proposal.rvs(NUM_PROPOSALS)
    shape = (NUM_PROPOSALS, model.map_size, model.map_size, model.num_channels)
    proposed = tf.constant(inverse_map_transform(modelled.reshape(shape), model.map_transform))
    weights = np.exp(np.sum(model.density_by_level(proposed, theta), axis=1) - proposal.logpdf(modelled))
    error = weights.std() / np.sqrt(NUM_PROPOSALS)
    require(error < 0.05, f"integral: expected an error below 0.05. Received: {error:.2f}")
    require(
        abs(weights.mean() - 1.0) < SIGMAS * error,
        f"integral: expected 1. Received: {weights.mean():.3f} +- {error:.3f}",
    )


def check_base(case):
    """Samples are drawn from the base of the density, N(0, I), and `temperature` is a factor of it."""
    model = case.build()
    theta = np.repeat(_theta(model, num_rows=1), NUM_DRAWS, axis=0)
    z = np.asarray(model.encode(model.sample(theta, seed=3), theta))
    p_value = scipy.stats.kstest(z.ravel(), "norm").pvalue
    require(p_value > SMALLEST_P, f"latents of samples: expected N(0, 1). Received: p = {p_value:.1e}")
    is_unit = abs(z.var() - 1.0) < SIGMAS * np.sqrt(2.0 / z.size)
    require(is_unit, f"latents of samples: expected N(0, 1). Received: a variance of {z.var():.2f}")
    cold = model.encode(model.sample(theta[:NUM_ROWS], seed=3, temperature=0.5), theta[:NUM_ROWS])
    require_close(cold, 0.5 * z[:NUM_ROWS], EXACT, "latents of samples at half the temperature")


def check_rows(case):
    """A row of each verb depends on nothing but itself."""
    model = case.build()
    theta, maps, z = _theta(model), _maps(model), _latents(model)
    others = _theta(model, seed=1), _maps(model, seed=1), _latents(model, seed=1)
    beside = [np.concatenate([own[:1], other[1:]]) for own, other in zip((theta, maps, z), others, strict=True)]
    verbs = {
        "log_prob": lambda theta, maps, z: model.log_prob(maps, theta),
        "encode": lambda theta, maps, z: model.encode(maps, theta),
        "decode": lambda theta, maps, z: _modelled(model, model.decode(z, theta)),
        "sample": lambda theta, maps, z: _modelled(model, model.sample(theta, seed=2)),
    }
    for name, verb in verbs.items():
        together = verb(theta, maps, z)
        require_close(verb(*beside)[0], together[0], SAME_ARITHMETIC, f"{name} beside other rows")
        alone = verb(theta[:1], maps[:1], z[:1])
        require_close(alone[0], together[0], SAME_ARITHMETIC, f"{name} without other rows")


def check_seeds(case):
    """A sample is a function of theta, of the seed and of the number of its row, also where it is drawn in parts."""
    model = case.build()
    theta = np.repeat(_theta(model, num_rows=1), NUM_ROWS, axis=0)
    maps = np.asarray(model.sample(theta, seed=4))
    require_equal(model.sample(theta, seed=4), maps, "samples of the same seed")
    require_equal(model.sample(theta[1:], seed=4, first_row=1), maps[1:], "samples in parts")
    require(len(np.unique(maps, axis=0)) == NUM_ROWS, "expected another map in every row")
    require(np.all(np.asarray(model.sample(theta, seed=5)) != maps), "expected other maps of another seed")


def check_names(case):
    """Samples by name are those at the completed rows; what is not given is drawn, row by row, whatever is given beside."""
    model = case.build()
    names = model.parameters.names
    given = {name: float(model.parameters.middle[names.index(name)]) for name in model.parameters_of_interest.names}
    if len(given) == len(names):
        given.popitem()  # else nothing is drawn
    is_given = np.isin(names, list(given))
    theta = model.complete_theta(given, NUM_ROWS, 4)
    require(theta.shape == (NUM_ROWS, len(names)), f"completed rows: expected one a map. Received: {theta.shape}")
    require(not model.parameters.outside(theta).any(), "completed rows: expected them inside the prior")
    require_equal(theta[:, is_given], np.tile(list(given.values()), (NUM_ROWS, 1)), "what is given, in completed rows")
    drawn = theta[:, ~is_given]
    require(len(np.unique(drawn)) == drawn.size, "completed rows: expected a draw of its own for each")
    require(
        np.all(model.complete_theta(given, NUM_ROWS, 5)[:, ~is_given] != drawn), "expected other draws of another seed"
    )
    in_parts = model.complete_theta({name: [value] * 2 for name, value in given.items()}, None, 4, 1)
    require_equal(in_parts, theta[1:], "completed rows in parts")
    require_equal(model.complete_theta({}, NUM_ROWS, 4)[:, ~is_given], drawn, "draws where nothing is given")
    maps = model.sample(given, seed=4, count=NUM_ROWS)
    require_equal(maps, model.sample(theta, seed=4), "samples by name")
    require_equal(model.sample(given, seed=4, count=2, first_row=1), maps[1:], "samples by name in parts")


def check_bad_maps(case):
    """A pixel that is not finite, or has no log10 that is modelled, makes its own row NaN, and no other."""
    model = case.build("float32")
    has_density = model.map_transform == "identity"
    values = {0.0: has_density, -1.0: has_density, np.nan: False, np.inf: False}
    theta, maps = (x.astype("f4") for x in (_theta(model, num_rows=6), _maps(model, num_rows=6)))
    good = np.asarray(model.log_prob(maps, theta))
    maps[1:5, 1, 1] = np.reshape(list(values), (4,) + (1,) * (maps.ndim - 3))
    found = np.asarray(model.log_prob(maps, theta))
    for (value, is_finite), log_prob in zip(values.items(), found[1:5], strict=True):
        expected = "a number" if is_finite else "NaN"
        is_right = np.isfinite(log_prob) if is_finite else np.isnan(log_prob)
        require(is_right, f"a map with a pixel of {value}: expected {expected}. Received: {log_prob}")
    require_equal(found[[0, 5]], good[[0, 5]], "log_prob beside bad maps")


def check_parameters(case):
    """Each parameter alone changes the density of a map, and what is drawn."""
    model = case.build()
    theta, maps = _theta(model), _maps(model)
    log_prob, samples = np.asarray(model.log_prob(maps, theta)), np.asarray(model.sample(theta))
    for index, name in enumerate(model.parameters.names):
        other = theta.copy()
        other[:, index] = _theta(model, seed=1)[:, index]
        require(np.all(np.asarray(model.log_prob(maps, other)) != log_prob), f"expected {name} to change log_prob")
        require(
            np.all(np.any(np.asarray(model.sample(other)) != samples, axis=(1, 2))),
            f"expected {name} to change samples",
        )


def check_gradients(case):
    """The gradient of log_prob reaches every trainable weight and every parameter."""
    model = case.build()
    theta, maps = tf.constant(_theta(model)), _maps(model)
    require_gradients(lambda: tf.reduce_sum(model.log_prob(maps, theta)), model.trainable_variables, "log_prob")
    with tf.GradientTape() as tape:
        tape.watch(theta)
        log_prob = model.log_prob(maps, theta)
    gradient = tape.gradient(log_prob, theta)
    require(gradient is not None, "gradient of log_prob for theta: None")
    require(np.isfinite(gradient).all(), "gradient of log_prob for theta: not finite")
    require(np.all(gradient != 0.0), "gradient of log_prob for theta: zero")


def check_weights_unchanged(case):
    """No verb changes a weight."""
    model = case.build()
    before = [weight.numpy() for weight in model.weights]
    _answers(model)
    model.decode(_latents(model), _theta(model))
    for weight, old in zip(model.weights, before, strict=True):
        require_equal(weight.numpy(), old, f"weight {weight.path} after a call")


def check_configuration(case):
    """The configuration is JSON, has every argument, and makes a model that answers the same with the same weights."""
    model = case.build()
    config = json.loads(json.dumps(model.get_config()))
    arguments = list(inspect.signature(case.kind.__init__).parameters)[1:-1]  # without self and kwargs
    missing = set(arguments) - set(config)
    require(not missing, f"expected every argument in the configuration. Missing: {sorted(missing)}")
    again = case.kind.from_config(config)
    require(again.get_config() == model.get_config(), "expected the same configuration of the model made from it")
    for target, source in zip(again.weights, model.weights, strict=True):
        target.assign(source.numpy())
    again._make_compiled(jit_compile=False)  # as the model: XLA has other roundings
    _require_same_answers(again, _answers(model), "the model made from the configuration")


def check_saving(case):
    """Keras saves and loads the model exactly, and no two weights have the same path."""
    model = case.build()
    require(len({weight.path for weight in model.weights}) == len(model.weights), "expected a path for each weight")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        loaded = keras.saving.load_model(path, compile=False)
    require(loaded.get_config() == model.get_config(), "expected the configuration of the saved model")
    for weight, saved in zip(loaded.weights, model.weights, strict=True):
        require_equal(weight.numpy(), saved.numpy(), f"loaded weight {weight.path}")
    loaded._make_compiled(jit_compile=False)
    _require_same_answers(loaded, _answers(model), "the loaded model")


def check_precisions(case):
    """Answers have the dtype of the model, and float32 is near to float64."""
    model, single = case.build(), case.build("float32")
    for target, source in zip(single.weights, model.weights, strict=True):
        target.assign(source.numpy())
    for (verb, exact), rounded in zip(_answers(model).items(), _answers(single).values(), strict=True):
        dtypes = [exact.dtype.name, rounded.dtype.name]
        require(dtypes == ["float64", "float32"], f"{verb}: expected float64 and float32. Received: {dtypes}")
        if verb != "sample":  # the random numbers of the two are different
            require_close(rounded, exact, FLOAT32, f"{verb} in float32")
    exact, rounded = (_modelled(each, each.decode(_latents(each), _theta(each))) for each in (model, single))
    require_close(rounded, exact, FLOAT32, "decode in float32")


def check_shapes(case):
    """Wrong shapes are one sentence that says what was received."""
    model = case.build()
    theta, maps, z = _theta(model), _maps(model), _latents(model)
    wrong = {
        "maps of half the rows": lambda: model.log_prob(maps[:, ::2], theta),
        "maps without a batch": lambda: model.encode(maps[0], theta),
        "theta without a column": lambda: model.log_prob(maps, theta[:, :-1]),
        "theta without a batch": lambda: model.sample(theta[0]),
        "fewer theta than maps": lambda: model.log_prob(maps, theta[:2]),
        "too few latents": lambda: model.decode(z[:, :-1], theta),
        "fewer theta than latents": lambda: model.decode(z, theta[:2]),
    }
    for what, call in wrong.items():
        try:
            call()
        except InputError as error:
            require("Received" in str(error), f"{what}: expected what was received. Received: {error}")
        except Exception as error:
            require(False, f"{what}: expected an InputError. Received: {type(error).__name__}")
        else:
            require(False, f"{what}: expected an InputError. Received: an answer")


def check_graph(case):
    """One trace serves every batch size, and gives what eager execution gives."""
    model = case.build()
    maps = tf.TensorSpec([None, *_maps(model).shape[1:]], tf.float64)
    theta = tf.TensorSpec([None, len(model.parameters)], tf.float64)
    latents = tf.TensorSpec([None, model.num_dimensions], tf.float64)
    traces = []

    @tf.function(autograph=False, input_signature=[maps, theta, latents])
    def both_ways(maps, theta, z):
        traces.append(1)
        return model.log_prob(maps, theta), model.decode(z, theta)

    for num_rows in (2, NUM_ROWS):
        arguments = (
            _maps(model, num_rows=num_rows),
            _theta(model, num_rows=num_rows),
            _latents(model, num_rows=num_rows),
        )
        log_prob, drawn = both_ways(*arguments)
    require(len(traces) == 1, f"expected one trace for every batch size. Received: {len(traces)}")
    eager = _eagerly(lambda maps, theta, z: (model.log_prob(maps, theta), model.decode(z, theta)))(*arguments)
    require_close(log_prob, eager[0], TRACED, "log_prob of a graph")
    require_close(_modelled(model, drawn), _modelled(model, eager[1]), TRACED, "maps of a graph")


def _eagerly(function):
    """Runs without graphs: a model is asked few questions here, and tracing would take most of the time."""

    @functools.wraps(function)
    def run(*arguments):
        tf.config.run_functions_eagerly(True)
        try:
            return function(*arguments)
        finally:
            tf.config.run_functions_eagerly(False)

    return run


CHECKS = {
    "number of weights": _eagerly(check_number_of_weights),
    "inverse": _eagerly(check_inverse),
    "levels": _eagerly(check_levels),
    "change of variables": _eagerly(check_change_of_variables),
    "integral": _eagerly(check_integral),
    "base": _eagerly(check_base),
    "rows": _eagerly(check_rows),
    "seeds": _eagerly(check_seeds),
    "names": _eagerly(check_names),
    "bad maps": _eagerly(check_bad_maps),
    "parameters": _eagerly(check_parameters),
    "gradients": _eagerly(check_gradients),
    "weights unchanged": _eagerly(check_weights_unchanged),
    "configuration": _eagerly(check_configuration),
    "saving": _eagerly(check_saving),
    "precisions": _eagerly(check_precisions),
    "shapes": _eagerly(check_shapes),
    "graph": check_graph,
}
