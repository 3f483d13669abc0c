"""JSON in the two forms of TensorFlow Serving; what does not fit is refused with a sentence."""

import json

import numpy as np
import pytest

from higlow_tf.serving.server.json_tensors import json_answer, read_json_request
from higlow_tf.serving.server.limits import Limits
from higlow_tf.serving.server.refusals import Code, Refusal

SPECS = {"theta": (np.dtype(np.float32), (None, 2)), "seed": (np.dtype(np.int64), (None, 2))}
ONE = {"flag": (np.dtype(np.bool_), (None,))}


def tensors(content, specs=SPECS, limits=None):
    return read_json_request(json.dumps(content)).tensors(specs, limits or Limits())


def test_rows_and_columns_say_the_same():
    rows = tensors({"instances": [{"theta": [0.3, 0.8], "seed": [0, 1]}, {"theta": [1, 2], "seed": [2**40, -1]}]})
    columns = tensors({"inputs": {"theta": [[0.3, 0.8], [1, 2]], "seed": [[0, 1], [2**40, -1]]}})
    for name, (dtype, _) in SPECS.items():
        assert rows[name].dtype == columns[name].dtype == dtype
        np.testing.assert_array_equal(rows[name], columns[name])


def test_an_only_input_needs_no_name():
    for content in ({"instances": [True, False]}, {"inputs": [True, False]}, {"inputs": {"flag": [True, False]}}):
        np.testing.assert_array_equal(tensors(content, ONE)["flag"], [True, False])


def test_numbers_that_are_not_finite_have_bare_words():
    body = '{"inputs": {"theta": [[NaN, Infinity], [-Infinity, 1]], "seed": [[0, 0], [0, 0]]}}'
    theta = read_json_request(body).tensors(SPECS, Limits())["theta"]
    np.testing.assert_array_equal(theta, [[np.nan, np.inf], [-np.inf, 1.0]])
    answer = json_answer({"theta": theta}, is_row_form=False)
    assert answer == b'{"outputs":[[NaN,Infinity],[-Infinity,1.0]]}'


def test_answers_have_both_forms():
    outputs = {"a": np.array([0.1, 2e20], np.float32), "b": np.array([True, False])}
    assert json_answer(outputs, is_row_form=False) == b'{"outputs":{"a":[0.1,2e+20],"b":[true,false]}}'
    assert json_answer(outputs, True) == b'{"predictions":[{"a":0.1,"b":true},{"a":2e+20,"b":false}]}'
    assert json_answer({"a": outputs["a"]}, True) == b'{"predictions":[0.1,2e+20]}'


def test_every_float32_survives(rng):
    values = rng.integers(0, 2**32, 10_000, dtype=np.uint32).view(np.float32)
    answer = json.loads(json_answer({"x": values}, is_row_form=False))["outputs"]
    np.testing.assert_array_equal(np.array(answer, np.float32), values)


def test_outputs_without_common_rows_have_no_row_form():
    with pytest.raises(Refusal, match="for the row form"):
        json_answer({"a": np.zeros(2), "b": np.zeros(3)}, is_row_form=True)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("", "Expected a body of JSON"),
        ('{"inputs"', "Expected a body of JSON"),
        ("[" * 100_000, "Expected a body of JSON"),
        (b"\xff\xfe\x00", "Expected a body of JSON"),
        ("[1, 2]", r"Expected a JSON object\. Received: \[1, 2\]"),
        ("{}", "Expected one of 'instances' and 'inputs'. Received: neither"),
        ('{"inputs": 1, "instances": []}', "Received: instances and inputs"),
        ('{"inputs": 1, "signature_name": 3}', "Expected 'signature_name' to be a string. Received: 3"),
    ],
)
def test_bodies_that_are_none_are_refused(body, sentence):
    with pytest.raises(Refusal, match=sentence) as refusal:
        read_json_request(body)
    assert refusal.value.code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"instances": []}, "at least one row"),
        ({"instances": {"theta": 1}}, "to be a list"),
        ({"instances": [{"theta": [1, 2]}]}, "row 0 of 'instances' to have seed, theta. Received: theta"),
        ({"instances": [[1, 2]]}, "an object of seed, theta. Received: values without names"),
        ({"instances": [[1, 2], {"theta": 1}]}, "rows of one form"),
        ({"inputs": [[1, 2]]}, "an object of seed, theta"),
        ({"inputs": {"theta": [[1, 2]], "seed": [[1, 2]], "more": 1}}, "Received: more, seed, theta"),
        ({"inputs": {"theta": [[1, 2], [3]], "seed": [[0, 0]]}}, "theta to be a full array"),
        ({"inputs": {"theta": [["a", "b"]], "seed": [[0, 0]]}}, "theta to hold numbers"),
        ({"inputs": {"theta": [[None, 1]], "seed": [[0, 0]]}}, "theta to hold numbers"),
        ({"inputs": {"theta": [[{}, 1]], "seed": [[0, 0]]}}, "theta to hold numbers"),
        ({"inputs": {"theta": [[True, False]], "seed": [[0, 0]]}}, "theta to hold numbers"),
        ({"inputs": {"theta": [[1e39, 1]], "seed": [[0, 0]]}}, "numbers that float32 can hold. Received: 1e\\+39"),
        ({"inputs": {"theta": [[1, 1]], "seed": [[0.5, 0]]}}, "seed to hold whole numbers"),
        ({"inputs": {"theta": [[1, 1]], "seed": [[2**63, 0]]}}, "can hold|whole numbers"),
        ({"inputs": {"theta": [[1, 1]], "seed": [[2**70, 0]]}}, "whole numbers"),
    ],
)
def test_values_that_do_not_fit_are_refused(content, sentence):
    with pytest.raises(Refusal, match=sentence) as refusal:
        tensors(content)
    assert refusal.value.code is Code.INVALID_ARGUMENT
    assert "Received: " in str(refusal.value)


def test_large_requests_are_refused():
    content = {"inputs": {"theta": [[1.0, 2.0]] * 5, "seed": [[0, 0]] * 5}}
    with pytest.raises(Refusal, match="at most 4 rows; send them in several requests. Received: 5"):
        tensors(content, limits=Limits(max_rows=4))
    with pytest.raises(Refusal, match=r"at most 39 bytes. Received: theta of shape \[5, 2\]"):
        tensors(content, limits=Limits(max_bytes=39))
