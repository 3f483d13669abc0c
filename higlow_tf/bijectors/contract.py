"""The contract that every bijector keeps, as checks of a `BijectorCase` that raise `ContractError`; see `check_bijector`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from higlow_tf.bijectors.requirements import ContractError, require, require_close

__all__ = ["CHECKS"]

BATCH = 3
BATCH_SHAPES = ((), (BATCH,), (2, BATCH))
DTYPES = ("float64", "float32")

# Largest |a - b| / max(1, |b|).
ROUND_TRIP = {
    "float64": 1e-9,  # the house limit; scales and matrices of two levels cost some of the sixteen digits
    "float32": 2e-4,  # the same loss from seven digits; measured 3e-5
}
AUTODIFF = 1e-9  # slogdet of a float64 Jacobian of 64 x 64
SAME_ARITHMETIC = 1e-12  # the same float64 operations, in batches of another size or shape
COMPILED = 1e-4  # float32 operations in another order: log-dets are sums of up to 64 terms


@dataclass(frozen=True)
class Direction:
    """One direction of a bijector through TFP's public methods, with inputs `x` and keywords of the call."""

    name: str
    value: Callable
    log_det: Callable
    back: Callable
    shape_in: tuple
    shape_out: tuple
    x: Any
    keywords: dict

    def both(self, x, **keywords):
        """Value and log-det."""
        return self.value(x, **keywords), self.log_det(x, **keywords)


def _condition(case, dtype, batch, seed):
    """The keywords of a call: a condition in [-1, 1] for a conditional case, else none."""
    if case.conditional_shape is None:
        return {}
    values = np.random.default_rng(100 + seed).uniform(-1.0, 1.0, (*batch, *case.conditional_shape))
    return {"conditional_input": tf.constant(values, dtype)}


def _events(case, side, dtype, batch, seed):
    shape = case.latent_shape if side == "latents" else case.map_shape
    values = np.random.default_rng(seed).standard_normal((*batch, *shape))
    return tf.constant(np.exp(values) if side == case.positive else values, dtype)


def _directions(case, dtype, batch=(BATCH,), seed=0):
    """Forward and inverse, with random inputs and conditions of a batch shape."""
    bijector, keywords = case.built(dtype).bijector, _condition(case, dtype, batch, seed)
    forward, inverse = bijector.forward, bijector.inverse
    fldj, ildj = bijector.forward_log_det_jacobian, bijector.inverse_log_det_jacobian
    latents, maps = (_events(case, side, dtype, batch, seed) for side in ("latents", "maps"))
    return (
        Direction("forward", forward, fldj, inverse, case.latent_shape, case.map_shape, latents, keywords),
        Direction("inverse", inverse, ildj, forward, case.map_shape, case.latent_shape, maps, keywords),
    )


def _rows(index, x, keywords):
    """Rows of a batch and of its conditions."""
    return tf.gather(x, index), {key: tf.gather(value, index) for key, value in keywords.items()}


def check_round_trips(case):
    """inverse(forward(x)) and forward(inverse(y)) give x and y; `tf.identity` keeps TFP's cache from answering."""
    for dtype in DTYPES:
        for way in _directions(case, dtype):
            returned = way.back(tf.identity(way.value(way.x, **way.keywords)), **way.keywords)
            require_close(returned, way.x, ROUND_TRIP[dtype], f"round trip, {way.name} first, {dtype}")


def check_log_dets(case):
    """Log-dets are those of the autodiff Jacobian of the whole event.

    One backward pass: of an event that is repeated once for each of its outputs, copy i is differentiated for output i.
    """
    for way in _directions(case, "float64"):
        size = int(np.prod(way.shape_in))
        x, keywords = _rows(np.repeat(np.arange(BATCH), size), way.x, way.keywords)
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = tf.linalg.diag_part(tf.reshape(way.value(x, **keywords), [BATCH, size, size]))
        jacobians = tf.reshape(tape.gradient(outputs, x), [BATCH, size, size])
        log_dets = way.log_det(tf.identity(way.x), **way.keywords)
        require_close(log_dets, np.linalg.slogdet(jacobians)[1], AUTODIFF, f"{way.name} log-det against autodiff")


def check_batch_shapes(case):
    """Any batch shape, also of the condition alone, gives what a flat batch gives."""
    for batch in BATCH_SHAPES:
        for way in _directions(case, "float64", batch):
            flat_x = tf.reshape(way.x, (-1, *way.shape_in))
            flat_keywords = {key: tf.reshape(c, (-1, *case.conditional_shape)) for key, c in way.keywords.items()}
            flat_value, flat_log_det = way.both(flat_x, **flat_keywords)
            value, log_det = way.both(way.x, **way.keywords)
            what = f"batch shape {batch}, {way.name}"
            require(log_det.shape == batch, f"{what} log-det: expected shape {batch}. Received: {log_det.shape}")
            require_close(value, tf.reshape(flat_value, (*batch, *way.shape_out)), SAME_ARITHMETIC, f"{what} value")
            require_close(log_det, tf.reshape(flat_log_det, batch), SAME_ARITHMETIC, f"{what} log-det")
            if case.conditional_shape is None or not batch:
                continue
            one = tf.reshape(flat_x, (-1, *way.shape_in))[0]
            actual = way.both(one, **way.keywords)
            expected = way.both(tf.broadcast_to(one, way.x.shape), **way.keywords)
            for a, b in zip(actual, expected, strict=True):
                require_close(a, b, SAME_ARITHMETIC, f"one event and conditions of {what}")


def check_dtypes(case):
    """The dtype of the input is that of both outputs."""
    for dtype in DTYPES:
        for way in _directions(case, dtype):
            found = [output.dtype.name for output in way.both(way.x, **way.keywords)]
            require(found == [dtype, dtype], f"output dtypes of {way.name}: expected {dtype}. Received: {found}")


def check_graph(case):
    """One trace, for any batch size, gives what eager execution gives, again and again."""
    traces = []
    shapes = [case.latent_shape, case.map_shape] + [case.conditional_shape] * (case.conditional_shape is not None)

    @tf.function(autograph=False, input_signature=[tf.TensorSpec((None, *shape)) for shape in shapes])
    def both_ways(latents, maps, *condition):
        traces.append(1)
        forward, inverse = _directions(case, "float32")
        keywords = dict(zip(forward.keywords, condition, strict=True))
        return *forward.both(latents, **keywords), *inverse.both(maps, **keywords)

    for seed in range(2):
        forward, inverse = _directions(case, "float32", seed=seed)
        outputs = both_ways(forward.x, inverse.x, *forward.keywords.values())
    eager = *forward.both(forward.x, **forward.keywords), *inverse.both(inverse.x, **inverse.keywords)
    for actual, expected in zip(outputs, eager, strict=True):
        require_close(actual, expected, COMPILED, "traced for an unknown batch size")
    require(len(traces) == 1, f"expected one trace for equal specs. Received: {len(traces)} traces")


def check_jit(case):
    """Under XLA the results are those of eager execution."""
    forward, inverse = _directions(case, "float32")

    @tf.function(jit_compile=True, autograph=False)
    def both_ways(latents, maps, **keywords):
        return *forward.both(latents, **keywords), *inverse.both(maps, **keywords)

    eager = *forward.both(forward.x, **forward.keywords), *inverse.both(inverse.x, **inverse.keywords)
    for actual, expected in zip(both_ways(forward.x, inverse.x, **forward.keywords), eager, strict=True):
        require_close(actual, expected, COMPILED, "compiled by XLA")


def check_condition(case):
    """Without the condition a call raises; another condition changes value and log-det of the same tensor."""
    for way in _directions(case, "float64"):
        for method in (way.value, way.log_det):
            try:
                method(way.x)
            except TypeError as error:
                require("conditional_input" in str(error), f"expected conditional_input named. Received: {error}")
            else:
                raise ContractError(f"expected a TypeError of {way.name} without the condition. Received: an answer")
        other = _condition(case, "float64", (BATCH,), seed=1)
        for what, one, two in zip(
            ("value", "log-det"), way.both(way.x, **way.keywords), way.both(way.x, **other), strict=True
        ):
            changed = np.any(np.asarray(one) != np.asarray(two), axis=tuple(range(1, one.shape.rank)))
            require(changed.all(), f"expected another condition to change the {what} of {way.name}")


def check_neighbours(case):
    """An example does not depend on the others in its batch, nor on whether there are any."""
    for way, other in zip(_directions(case, "float64"), _directions(case, "float64", seed=1), strict=True):
        together = way.both(way.x, **way.keywords)
        first_x, first_keywords = _rows([0], way.x, way.keywords)
        alone = way.both(first_x, **first_keywords)
        x = tf.concat([way.x[:1], other.x[1:]], axis=0)
        keywords = {key: tf.concat([c[:1], other.keywords[key][1:]], axis=0) for key, c in way.keywords.items()}
        for reference, single, exchanged in zip(together, alone, way.both(x, **keywords), strict=True):
            require_close(exchanged[0], reference[0], SAME_ARITHMETIC, f"{way.name} beside other neighbours")
            require_close(single[0], reference[0], SAME_ARITHMETIC, f"{way.name} without neighbours")


def _distribution(case, dtype):
    """The distribution of maps over a standard normal base."""
    bijector = case.built(dtype).bijector
    normal = tfp.distributions.Normal(tf.zeros([], dtype), tf.ones([], dtype))
    return tfp.distributions.TransformedDistribution(tfp.distributions.Sample(normal, case.latent_shape), bijector)


def check_distribution(case):
    """TFP knows the shapes of the events, and its density and samples are those of the bijector."""
    forward, inverse = _directions(case, "float64")
    bijector, distribution = case.built("float64").bijector, _distribution(case, "float64")
    shapes = {
        "forward_event_shape": (bijector.forward_event_shape(forward.shape_in), forward.shape_out),
        "forward_event_shape_tensor": (bijector.forward_event_shape_tensor(forward.shape_in), forward.shape_out),
        "inverse_event_shape": (bijector.inverse_event_shape(inverse.shape_in), inverse.shape_out),
        "inverse_event_shape_tensor": (bijector.inverse_event_shape_tensor(inverse.shape_in), inverse.shape_out),
    }
    for name, (found, expected) in shapes.items():
        found = tuple(np.asarray(found))
        require(found == expected, f"{name}: expected {expected}. Received: {found}")
    log_prob = distribution.log_prob(inverse.x, bijector_kwargs=inverse.keywords)
    z, ildj = inverse.both(tf.identity(inverse.x), **inverse.keywords)
    expected = distribution.distribution.log_prob(z) + ildj
    require_close(log_prob, expected, SAME_ARITHMETIC, "log_prob of TransformedDistribution")
    samples = distribution.sample(BATCH, seed=(0, 1), bijector_kwargs=forward.keywords)
    require(samples.shape == (BATCH, *case.map_shape), f"samples of shape {samples.shape}")


def check_copy(case):
    """`copy` makes the same bijector anew from its `parameters`."""
    copied = case.built("float64").bijector.copy()
    for way in _directions(case, "float64"):
        value = getattr(copied, way.name)(way.x, **way.keywords)
        require_close(value, way.value(tf.identity(way.x), **way.keywords), 0.0, f"{way.name} of a copy")


def check_gradients(case):
    """The gradient of log_prob reaches every weight, finite and not all zero."""
    weights, distribution = case.built("float64").weights, _distribution(case, "float64")
    inverse = _directions(case, "float64")[1]
    with tf.GradientTape() as tape:
        log_prob = distribution.log_prob(inverse.x, bijector_kwargs=inverse.keywords)
    for weight, gradient in zip(weights, tape.gradient(log_prob, weights), strict=True):
        what = f"gradient of log_prob for {weight.name} {tuple(weight.shape)}"
        require(gradient is not None, f"{what}: None")
        require(np.isfinite(gradient).all(), f"{what}: not finite")
        require(np.any(gradient != 0.0), f"{what}: zero")


def check_permutation(case):
    """The log-det is zero, and the entries are the same in another order."""
    for way in _directions(case, "float64"):
        value, log_det = way.both(way.x, **way.keywords)
        require(np.all(log_det == 0.0), f"expected a zero log-det of {way.name}. Received: {log_det}")
        before, after = (np.sort(np.reshape(x, (BATCH, -1)), axis=-1) for x in (way.x, value))
        require(np.array_equal(before, after), f"expected {way.name} to permute the entries")


def check_variables_unchanged(case):
    """No call changes a variable: data-dependent starts happen elsewhere."""
    built = case.built("float64")
    variables = [*built.weights, *built.frozen]
    before = [variable.numpy() for variable in variables]
    for way in _directions(case, "float64"):
        way.both(way.x, **way.keywords)
    for variable, old in zip(variables, before, strict=True):
        require(np.array_equal(variable.numpy(), old), f"a call changed the variable {variable.name}")


def check_one_evaluation(case):
    """Value and log-det of one tensor, and log_prob, evaluate the network once."""
    network = case.built("float64").network
    for way in _directions(case, "float64"):
        before = network.num_calls
        way.both(way.x, **way.keywords)
        found = network.num_calls - before
        require(found == case.calls_per_pass, f"network calls of {way.name} and its log-det: {found}")
    before = network.num_calls
    _distribution(case, "float64").log_prob(tf.identity(way.x), bijector_kwargs=way.keywords)
    found = network.num_calls - before
    require(found == case.calls_per_pass, f"network calls of log_prob: {found}")


CHECKS = {
    "round trips": check_round_trips,
    "log-dets": check_log_dets,
    "batch shapes": check_batch_shapes,
    "dtypes": check_dtypes,
    "graph": check_graph,
    "jit": check_jit,
    "condition": check_condition,
    "neighbours": check_neighbours,
    "distribution": check_distribution,
    "copy": check_copy,
    "gradients": check_gradients,
    "permutation": check_permutation,
    "variables unchanged": check_variables_unchanged,
    "one evaluation": check_one_evaluation,
}
