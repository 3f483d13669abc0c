"""A request that does not fit the model is refused with a sentence, in every process; the next request is answered as ever."""

import numpy as np
import pytest
import tensorflow as tf
from c_api_questions import ask_through_the_c_api
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from higlow_tf.serving.request_checks import MAX_EVALUATIONS, MAX_GRID_POINTS

# Shapes of the inputs of each signature of the model of 16 x 16 pixels and two parameters; None is the number of rows, and
# -1 the number of points.
SHAPES = {
    "log_prob": {"hi_map": (None, 16, 16), "theta": (None, 2)},
    "sample": {"theta": (None, 2), "seed": (None, 2), "temperature": (None,)},
    "posterior": {"hi_map": (None, 16, 16), "theta_grid": (None, -1, 2)},
}
# The signature, the input and its malformed shape, what the sentence says.
MALFORMED = [
    ("log_prob", "hi_map", (2, 32, 32), "Expected hi_map of shape [B, 16, 16]. Received: [2 32 32]."),
    ("log_prob", "hi_map", (2, 8, 32), "Expected hi_map of shape [B, 16, 16]. Received: [2 8 32]."),
    ("log_prob", "hi_map", (2, 16, 16, 1), "Expected hi_map of shape [B, 16, 16]. Received: [2 16 16 1]."),
    ("log_prob", "theta", (2, 3), "Expected theta of shape [B, 2]. Received: [2 3]."),
    ("log_prob", "theta", (4,), "Expected theta of shape [B, 2]. Received: [4]."),
    ("log_prob", "theta", (1, 2), "Expected as many rows of theta as of hi_map. Received: 1 and 2."),
    ("sample", "theta", (2, 6), "Expected theta of shape [B, 2]. Received: [2 6]."),
    ("sample", "seed", (2, 3), "Expected seed of shape [B, 2]. Received: [2 3]."),
    ("sample", "temperature", (2, 1), "Expected temperature of shape [B]. Received: [2 1]."),
    ("sample", "temperature", (1,), "Expected as many rows of temperature as of theta. Received: 1 and 2."),
    ("posterior", "hi_map", (2, 32, 32), "Expected hi_map of shape [B, 16, 16]. Received: [2 32 32]."),
    ("posterior", "hi_map", (2, 16, 16, 2), "Expected hi_map of shape [B, 16, 16]. Received: [2 16 16 2]."),
    ("posterior", "hi_map", (2, 8, 32), "Expected hi_map of shape [B, 16, 16]. Received: [2 8 32]."),
    ("posterior", "hi_map", (), "Expected hi_map of shape [B, 16, 16]. Received: []."),
    ("posterior", "theta_grid", (2, 5, 3), "Expected theta_grid of shape [B, G, 2]. Received: [2 5 3]."),
    ("posterior", "theta_grid", (2, 5, 6), "Expected theta_grid of shape [B, G, 2]. Received: [2 5 6]."),
    ("posterior", "theta_grid", (2, 10), "Expected theta_grid of shape [B, G, 2]. Received: [2 10]."),
    ("posterior", "theta_grid", (1, 5, 2), "Expected as many rows of theta_grid as of hi_map. Received: 1 and 2."),
]
# Float32 sums over 256 pixels in another order.
FLOAT32_TOLERANCE = 1e-5


def values(name, shape):
    """Values that a model of the right shape would answer."""
    rng = np.random.default_rng(len(name))
    if name == "hi_map":
        return (10.0 ** rng.normal(6.8, 0.3, shape)).astype(np.float32)
    if name == "seed":
        return np.arange(np.prod(shape), dtype=np.int64).reshape(shape)
    return np.asarray(rng.uniform(0.61, 0.99, shape), np.float32)


def request(signature, num_rows=2, num_points=5, **shapes):
    """The inputs of a request, of the right shapes but for those that are given."""
    sizes = {None: num_rows, -1: num_points}
    right = {name: tuple(sizes.get(size, size) for size in shape) for name, shape in SHAPES[signature].items()}
    return {name: values(name, shapes.get(name, shape)) for name, shape in right.items()}


def ask(served, signature, inputs):
    outputs = served.signatures[signature](**{name: tf.constant(value) for name, value in inputs.items()})
    return {name: value.numpy() for name, value in outputs.items()}


def test_the_c_api_refuses_what_does_not_fit_and_answers_the_rest(served, tmp_path):
    """Nothing but the graph checks the shapes there; a good request goes before and after each malformed one."""
    good = {signature: request(signature) for signature in SHAPES}
    requests = list(good.items())
    for signature, name, shape, _ in MALFORMED:
        requests += [(signature, request(signature, **{name: shape})), (signature, good[signature])]
    answers = ask_through_the_c_api(served, requests, tmp_path)
    before = dict(zip(good, answers, strict=False))
    malformed, after = answers[len(good) :: 2], answers[len(good) + 1 :: 2]
    for (signature, _, _, sentence), message, answer in zip(MALFORMED, malformed, after, strict=True):
        assert sentence in message
        for name, value in before[signature].items():
            np.testing.assert_array_equal(answer[name], value)
    for signature, inputs in good.items():
        for name, in_python in ask(served, signature, inputs).items():
            np.testing.assert_allclose(before[signature][name], in_python, rtol=FLOAT32_TOLERANCE, err_msg=name)


@pytest.mark.parametrize(("signature", "name", "shape", "sentence"), MALFORMED)
def test_python_refuses_it_too(served, signature, name, shape, sentence):
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        ask(served, signature, request(signature, **{name: shape}))
    assert sentence in str(error.value)


def test_the_grid_has_a_largest_size(served):
    inputs = request("posterior", num_rows=1, num_points=MAX_GRID_POINTS + 1)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"at most 16384 points in theta_grid. Received: 16385\."):
        ask(served, "posterior", inputs)


def test_all_grids_together_have_a_largest_size(served):
    num_points = 8192
    inputs = request("posterior", num_rows=MAX_EVALUATIONS // num_points + 1, num_points=num_points)
    sentence = r"at most 1048576 points in all rows of theta_grid. Received: 129 rows of 8192 points\."
    with pytest.raises(tf.errors.InvalidArgumentError, match=sentence):
        ask(served, "posterior", inputs)


def test_the_largest_size_counts_the_models_own_grid(served):
    inputs = request("posterior", num_rows=MAX_EVALUATIONS // 81 + 1, num_points=0)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Received: 12946 rows of 81 points\."):
        ask(served, "posterior", inputs)


SIZES = st.sampled_from([0, 1, 2, 3, 4, 8, 16, 32])


@st.composite
def any_shapes(draw):
    """A signature, and shapes of its inputs, which fit by chance alone."""
    signature = draw(st.sampled_from(sorted(SHAPES)))
    shapes = {}
    for name, right in SHAPES[signature].items():
        fitting = tuple(2 if size is None else 3 if size == -1 else size for size in right)
        changed = list(fitting)
        if fitting and draw(st.booleans()):
            changed[draw(st.integers(0, len(fitting) - 1))] = draw(SIZES)
        wrong = st.lists(SIZES, max_size=5).map(tuple).filter(lambda shape: np.prod(shape) < 1e5)
        shapes[name] = draw(st.one_of(st.just(fitting), st.just(tuple(changed)), wrong))
    return signature, shapes


def fits(signature, shapes):
    """Whether shapes are those of a request to the signature; any number of points will do."""
    num_rows = {shape[0] if shape else None for shape in shapes.values()}
    return len(num_rows) == 1 and all(
        len(shape) == len(right)
        and all(
            size == expected
            for size, expected in zip(shape, right, strict=True)
            if expected is not None and expected >= 0
        )
        for shape, right in zip(shapes.values(), SHAPES[signature].values(), strict=True)
    )


@settings(max_examples=40, deadline=None)
@given(case=any_shapes())
def test_any_shape_that_does_not_fit_is_an_error(served, case):
    signature, shapes = case
    assume(not fits(signature, shapes))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Expected (as many rows|\w+ of shape \[B).*Received: "):
        ask(served, signature, request(signature, **shapes))
