"""Messages of gRPC become arrays, or a refusal that says what does not fit."""

import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("tensorflow_serving")

from benchmarks.malformed_rpc import predict_request  # noqa: E402
from benchmarks.soak.request_strategies import good_request  # noqa: E402
from higlow_tf.serving.server.limits import Limits  # noqa: E402
from higlow_tf.serving.server.proto_tensors import predict_response, request_tensors  # noqa: E402
from higlow_tf.serving.server.refusals import Code, Refusal  # noqa: E402

SPECS = {
    "theta": (np.dtype(np.float32), (None, 2)),
    "seed": (np.dtype(np.int64), (None, 2)),
    "temperature": (np.dtype(np.float32), (None,)),
}
GOOD = good_request("sample")


def _of_dtype(dtype):
    return lambda request: request.inputs["theta"].CopyFrom(tf.make_tensor_proto(np.zeros((4, 2), dtype)))


def _with_few_values(request):
    request.inputs["theta"].tensor_content = b"123"


def _of_unknown_rank(request):
    request.inputs["theta"].tensor_shape.unknown_rank = True


def _of_many_axes(request):
    for _ in range(300):
        request.inputs["theta"].tensor_shape.dim.add(size=1)


def _of_negative_size(request):
    request.inputs["theta"].tensor_shape.dim[0].size = -1


def _of_type(number):
    return lambda request: setattr(request.inputs["theta"], "dtype", number)


def test_a_good_request_is_read():
    found = request_tensors(predict_request("tiny", "sample", GOOD), SPECS, Limits())
    assert set(found) == set(GOOD)
    for name, value in GOOD.items():
        np.testing.assert_array_equal(found[name], value)
        assert found[name].dtype == value.dtype


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_of_dtype(np.float64), "Expected theta of float32. Received: float64."),
        (_of_dtype(np.int64), "Expected theta of float32. Received: int64."),
        (_with_few_values, "as many values as its shape says"),
        (_of_unknown_rank, "Received: one of unknown rank."),
        (_of_many_axes, "Expected theta of at most 16 axes. Received: 302."),
        (_of_negative_size, "not negative"),
        (_of_type(77), "Received: type number 77."),
        (_of_type(20), "Expected theta of float32. Received: resource."),
        (_of_type(101), "Expected theta of float32. Received: float32_ref."),
        (lambda request: request.inputs.pop("seed"), "Expected the inputs seed, temperature, theta. Received:"),
        (lambda request: request.inputs["more"].CopyFrom(request.inputs["theta"]), "Expected the inputs"),
    ],
)
def test_damaged_tensors_are_refused(damage, sentence):
    request = predict_request("tiny", "sample", GOOD)
    damage(request)
    with pytest.raises(Refusal) as error:
        request_tensors(request, SPECS, Limits())
    assert error.value.code is Code.INVALID_ARGUMENT
    assert sentence in error.value.sentence


def test_an_output_filter_of_other_names_is_refused():
    outputs = {"hi_map": np.zeros((1, 4)), "inside_prior": np.ones(1, bool)}
    assert list(predict_response("tiny", 1, "sample", outputs, ["inside_prior"]).outputs) == ["inside_prior"]
    with pytest.raises(Refusal, match="Expected an output_filter of hi_map, inside_prior. Received: other."):
        predict_response("tiny", 1, "sample", outputs, ["other"])
