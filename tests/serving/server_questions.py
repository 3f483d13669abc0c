"""How the tests ask a server, and what they expect: what the SavedModel answers in this process."""

import numpy as np
import tensorflow as tf

from benchmarks.malformed_rpc import predict_request
from benchmarks.server_process import ask_http
from benchmarks.soak.request_strategies import SHAPES, good_request

__all__ = ["JOINED_TOLERANCE", "MODEL", "TOLERANCE", "assert_equal_answers", "check_both_protocols", "in_process",
           "mixed_requests", "over_grpc", "over_rest", "sample_request"]  # fmt: skip

# A request in a batch of the same size: sums in float32 in the same order. Denominator max(1, |value|).
TOLERANCE = 1e-6
# In a batch of another size the order is another: the last digits of log10 differ, and ten to that power by 2e-6.
JOINED_TOLERANCE = 1e-5
MODEL = "tiny"


def sample_request(num_rows=4):
    """A good request for maps, to be damaged."""
    return predict_request(MODEL, "sample", good_request("sample", num_rows))


def over_grpc(stub, signature, inputs):
    response = stub.Predict(predict_request(MODEL, signature, inputs), timeout=300)
    return {name: tf.make_ndarray(value) for name, value in response.outputs.items()}


def over_rest(server, signature, inputs, is_row_form=False):
    content = {"signature_name": signature}
    if is_row_form:
        columns = {name: value.tolist() for name, value in inputs.items()}
        content["instances"] = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    else:
        content["inputs"] = {name: value.tolist() for name, value in inputs.items()}
    status, answer = ask_http(f"{server.rest}/v1/models/{MODEL}:predict", content)
    assert status == 200, answer
    if not is_row_form:
        return {name: np.array(value) for name, value in answer["outputs"].items()}
    return {name: np.array([row[name] for row in answer["predictions"]]) for name in answer["predictions"][0]}


def in_process(served, signature, inputs):
    outputs = served.signatures[signature](**{name: tf.constant(value) for name, value in inputs.items()})
    return {name: value.numpy() for name, value in outputs.items()}


def assert_equal_answers(found, expected, tolerance=TOLERANCE):
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name].shape == value.shape
        scale = np.maximum(1.0, np.abs(np.nan_to_num(value.astype(np.float64))))
        np.testing.assert_allclose(found[name] / scale, value / scale, rtol=0, atol=tolerance)


def mixed_requests(number, seed=0):
    """Good requests of all signatures, of one to six rows."""
    rng = np.random.default_rng(seed)
    for index in range(number):
        signature = sorted(SHAPES)[index % len(SHAPES)]
        inputs = good_request(signature, int(rng.integers(1, 7)), int(rng.integers(1, 6)))
        for name, value in inputs.items():
            inputs[name] = (
                value + rng.integers(0, 9, value.shape) if name == "seed" else value * np.float32(rng.uniform(0.9, 1.0))
            )
        yield signature, inputs


def check_both_protocols(server, stub, requests, answers):
    """Over gRPC the expected answers, over REST exactly those of gRPC."""
    for index, ((signature, inputs), expected) in enumerate(zip(requests, answers, strict=True)):
        of_grpc = over_grpc(stub, signature, inputs)
        of_rest = over_rest(server, signature, inputs, is_row_form=index % 2 == 0)
        assert_equal_answers(of_grpc, expected)
        for name, value in of_grpc.items():
            np.testing.assert_array_equal(of_rest[name].astype(value.dtype), value)
