"""gRPC requests that do not fit, by kind."""

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)

from benchmarks.soak.request_strategies import SHAPES, good_request

__all__ = ["CODES", "RPC_KINDS", "predict_request"]

_PREDICTION, _MODEL = "tensorflow.serving.PredictionService", "tensorflow.serving.ModelService"

CODES = {
    "unknown model": {"NOT_FOUND"},
    "unknown version": {"NOT_FOUND"},
    # By gRPC itself, before any code of a server.
    "message too large": {"RESOURCE_EXHAUSTED"},
    "unknown method": {"UNIMPLEMENTED"},
}
"""Codes of the refusals of a kind; those of all others are INVALID_ARGUMENT."""


def predict_request(model, signature, inputs):
    """A `PredictRequest` of arrays by name."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = model, signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def _request(rng, model, signature=None):
    signature = str(signature or rng.choice(sorted(SHAPES)))
    return predict_request(model, signature, good_request(signature, 2, 3))


def _input(rng, request):
    return request.inputs[str(rng.choice(sorted(request.inputs)))]


def _predict(request):
    return f"/{_PREDICTION}/Predict", request


def _bytes(rng, model):
    """What cannot be read as a message: a field that is longer than the message."""
    return f"/{_PREDICTION}/Predict", b"\x0a\x7f" + rng.bytes(rng.integers(1, 60))


def _cut(rng, model):
    whole = _request(rng, model).SerializeToString()
    return f"/{_PREDICTION}/Predict", whole[: rng.integers(len(whole) // 2, len(whole) - 1)]


def _unknown_method(rng, model):
    return f"/{_PREDICTION}/{('Forecast', 'predict', '')[rng.integers(3)]}", _request(rng, model)


def _unknown_model(rng, model):
    name = ("", "other", f"{model} ", "x" * 5000, "../1")[rng.integers(5)]
    which = rng.integers(3)
    if which == 0:
        return _predict(_request(rng, name))
    if which == 1:
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    else:
        request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = name
    method = f"/{_PREDICTION}/GetModelMetadata" if which == 1 else f"/{_MODEL}/GetModelStatus"
    return method, request


def _unknown_version(rng, model):
    request = _request(rng, model)
    if rng.integers(3):
        request.model_spec.version.value = (0, 2, -1, 2**62)[rng.integers(4)]
    else:
        request.model_spec.version_label = ("stable", "x" * 5000)[rng.integers(2)]
    return _predict(request)


def _signature(rng, model):
    request = _request(rng, model)
    request.model_spec.signature_name = ("none", "LOG_PROB", " ", "x" * 5000)[rng.integers(4)]
    return _predict(request)


def _names(rng, model):
    request = _request(rng, model)
    name = str(rng.choice(sorted(request.inputs)))
    which = rng.integers(4)
    if which == 3:
        request.ClearField("inputs")
    else:
        request.inputs[("more", f"{name}_", "")[which]].CopyFrom(request.inputs[name])
        if which:
            del request.inputs[name]
    return _predict(request)


def _dtype(rng, model):
    request = _request(rng, model)
    tensor = _input(rng, request)
    types = [np.float64, np.float16, np.int32, np.uint8, np.complex64, np.bool_]
    array = tf.make_ndarray(tensor)
    tensor.CopyFrom(tf.make_tensor_proto(array.astype(types[rng.integers(len(types))])))
    return _predict(request)


def _no_dtype(rng, model):
    """Only the number of the type is another: none, one that does not exist, text, a resource, a reference."""
    request = _request(rng, model)
    _input(rng, request).dtype = (0, 77, -1, 7, 20, 21, 101)[rng.integers(7)]
    return _predict(request)


def _text(rng, model):
    request = _request(rng, model)
    tensor = _input(rng, request)
    tensor.CopyFrom(tf.make_tensor_proto(["1.0", "2.0"]))
    return _predict(request)


def _content(rng, model):
    """Bytes of the tensor that are too few, too many or none at all."""
    request = _request(rng, model)
    tensor = _input(rng, request)
    whole = tf.make_ndarray(tensor).tobytes()
    cut = whole[: rng.integers(1, len(whole))]
    tensor.tensor_content = (cut, whole + b"12345678", whole * 3)[rng.integers(3)]
    return _predict(request)


def _values(rng, model):
    """Numbers one by one in the place of bytes, and more than the shape says; fewer would mean: the last one again."""
    request = _request(rng, model, "sample")
    tensor = request.inputs["theta"]
    tensor.tensor_content = b""
    del tensor.float_val[:]
    tensor.float_val.extend([0.3] * int(rng.choice([5, 6, 100])))
    return _predict(request)


def _shape(rng, model):
    """A shape that is negative, unknown, or too large for any memory."""
    request = _request(rng, model)
    shape = _input(rng, request).tensor_shape
    which = rng.integers(4)
    if which == 0:
        shape.unknown_rank = True
    elif which == 1:
        shape.dim[rng.integers(len(shape.dim))].size = int(rng.choice([-1, -2, -(2**62)]))
    else:
        shape.dim[rng.integers(len(shape.dim))].size = int(rng.choice([2**31, 2**40, 2**62]))
    return _predict(request)


def _rank(rng, model):
    request = _request(rng, model)
    for _ in range(rng.integers(1, 300)):
        _input(rng, request).tensor_shape.dim.add(size=1)
    return _predict(request)


def _many_rows(rng, model):
    return _predict(predict_request(model, "sample", good_request("sample", int(rng.integers(101, 2000)))))


def _filter(rng, model):
    request = _request(rng, model)
    request.output_filter.append(("other", "", "hi_map:0", "x" * 5000)[rng.integers(4)])
    return _predict(request)


def _metadata(rng, model):
    fields = ([], ["other"], ["signature_def", "other"], ["x" * 5000])[rng.integers(4)]
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
    request.model_spec.name = model
    return f"/{_PREDICTION}/GetModelMetadata", request


def _other_method(rng, model):
    method, request = (
        ("Classify", classification_pb2.ClassificationRequest()),
        ("Regress", regression_pb2.RegressionRequest()),
        ("MultiInference", inference_pb2.MultiInferenceRequest()),
    )[rng.integers(3)]
    if method != "MultiInference":
        request.model_spec.name = model
    return f"/{_PREDICTION}/{method}", request


def _large_message(rng, model):
    request = _request(rng, model)
    request.inputs["more"].string_val.append(b" " * int(rng.integers(17, 30)) * 2**20)
    return _predict(request)


RPC_KINDS = {
    "no message": _bytes,
    "message cut short": _cut,
    "unknown method": _unknown_method,
    "unknown model": _unknown_model,
    "unknown version": _unknown_version,
    "unknown signature": _signature,
    "names of inputs": _names,
    "wrong dtype": _dtype,
    "no dtype": _no_dtype,
    "text": _text,
    "bytes of a tensor": _content,
    "numbers of a tensor": _values,
    "impossible shape": _shape,
    "wrong rank": _rank,
    "too many rows": _many_rows,
    "unknown output": _filter,
    "unknown metadata": _metadata,
    "other methods": _other_method,
    "message too large": _large_message,
}
"""Name of a kind -> function (NumPy generator, name of the model) -> (full name of the method, message or bytes)."""
