"""Requests and answers as the messages of TensorFlow Serving's gRPC interface."""

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import error_codes_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, predict_pb2

from higlow_tf.serving.server.refusals import Code, Refusal

__all__ = [
    "fill_model_spec",
    "metadata_message",
    "predict_response",
    "request_tensors",
    "signature_map",
    "status_message",
]


def request_tensors(request, specs, limits):
    """The inputs of a `PredictRequest`.

    Args:
        request: The message.
        specs: `LoadedVersion.input_specs` of its signature.
        limits: `Limits`.

    Returns:
        Arrays by name.

    Raises:
        Refusal: If names, dtypes or sizes do not fit.
    """
    if set(request.inputs) != set(specs):
        found = ", ".join(sorted(request.inputs)) or "nothing"
        raise _wrong(f"Expected the inputs {', '.join(sorted(specs))}. Received: {found:.200}.")
    return {name: _array(name, request.inputs[name], specs[name][0], limits) for name in specs}


def _array(name, tensor, dtype, limits):
    try:
        found = tf.as_dtype(tensor.dtype)
    except TypeError:
        raise _wrong(f"Expected {name} of {dtype.name}. Received: type number {tensor.dtype}.") from None
    if found != tf.as_dtype(dtype):
        raise _wrong(f"Expected {name} of {dtype.name}. Received: {found.name}.")
    if tensor.tensor_shape.unknown_rank:
        raise _wrong(f"Expected {name} with a shape. Received: one of unknown rank.")
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    limits.check_shape(name, shape, dtype.itemsize)
    try:
        array = tf.make_ndarray(tensor)
    except (TypeError, ValueError, IndexError) as error:
        raise _wrong(f"Expected {name} with as many values as its shape says. Received: others ({error}).") from None
    return np.ascontiguousarray(array).reshape(shape)


def predict_response(name, version, signature, outputs, output_filter=()):
    """A `PredictResponse` with outputs by name, all of them or those of the filter.

    Raises:
        Refusal: If the filter has other names.
    """
    response = predict_pb2.PredictResponse()
    fill_model_spec(response.model_spec, name, version, signature)
    unknown = [wanted for wanted in output_filter if wanted not in outputs]
    if unknown:
        raise _wrong(f"Expected an output_filter of {', '.join(sorted(outputs))}. Received: {unknown[0]:.80}.")
    for output in output_filter or outputs:
        response.outputs[output].CopyFrom(tf.make_tensor_proto(outputs[output]))
    return response


def fill_model_spec(spec, name, version, signature=""):
    """Says in a `ModelSpec` which model answers."""
    spec.name, spec.version.value, spec.signature_name = name, version, signature


def signature_map(signature_defs):
    """A `SignatureDefMap`."""
    message = get_model_metadata_pb2.SignatureDefMap()
    for name, definition in signature_defs.items():
        message.signature_def[name].CopyFrom(definition)
    return message


def metadata_message(name, loaded):
    """A `GetModelMetadataResponse` of a `LoadedVersion`."""
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    fill_model_spec(response.model_spec, name, loaded.version)
    response.metadata["signature_def"].Pack(signature_map(loaded.signature_defs))
    return response


def status_message(versions):
    """A `GetModelStatusResponse`.

    Args:
        versions: Triples (number, name of the state, message of the error or "").
    """
    response = get_model_status_pb2.GetModelStatusResponse()
    for number, state, error in versions:
        status = response.model_version_status.add(version=number, state=state).status
        status.SetInParent()  # shown as OK, too
        if error:
            status.error_code, status.error_message = error_codes_pb2.UNKNOWN, error
    return response


def _wrong(sentence):
    return Refusal(Code.INVALID_ARGUMENT, sentence)
