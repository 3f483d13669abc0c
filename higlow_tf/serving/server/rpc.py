"""TensorFlow Serving's gRPC interface over a `ModelServer`: PredictionService and ModelService."""

import asyncio

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, predict_pb2

from higlow_tf.serving.server.loaded_version import DEFAULT_SIGNATURE
from higlow_tf.serving.server.proto_tensors import metadata_message, predict_response, request_tensors, status_message
from higlow_tf.serving.server.refusals import Code, Refusal, refusal_of

__all__ = ["answer_rpc"]


async def answer_rpc(server, method, request, context):
    """Answers one RPC.

    Args:
        server: `ModelServer`.
        method: Its name.
        request: Its message as bytes.
        context: gRPC's context; of a request without a result it gets the status code and the sentence.

    Returns:
        The message of the answer; an empty one in the place of a result.
    """
    answer, message, response = _METHODS[method]
    try:
        return await answer(server, await asyncio.to_thread(_read, message, request))
    except Refusal as refusal:
        found = refusal
    except Exception as error:
        found = refusal_of(error)
    context.set_code(grpc.StatusCode[found.code.name])
    context.set_details(found.sentence)
    return response()


def _read(message, content):
    try:
        return message.FromString(content)
    except DecodeError:
        found = f"{len(content)} bytes that are none"
        raise Refusal(Code.INVALID_ARGUMENT, f"Expected a message {message.__name__}. Received: {found}.") from None


async def _predict(server, request):
    spec = request.model_spec
    loaded = _version(server, spec)
    outputs = await server.predict(
        loaded, spec.signature_name, lambda specs, limits: request_tensors(request, specs, limits)
    )
    signature = spec.signature_name or DEFAULT_SIGNATURE
    return await asyncio.to_thread(
        predict_response, spec.name, loaded.version, signature, outputs, request.output_filter
    )


async def _metadata(server, request):
    fields = list(request.metadata_field)
    if fields != ["signature_def"]:
        found = f"{', '.join(fields) or 'none'}"
        raise Refusal(Code.INVALID_ARGUMENT, f"Expected the metadata_field 'signature_def'. Received: {found:.80}.")
    return metadata_message(request.model_spec.name, _version(server, request.model_spec))


async def _status(server, request):
    spec = request.model_spec
    statuses = server.model(spec.name).statuses()
    if spec.WhichOneof("version_choice"):
        wanted = _version(server, spec).version
        statuses = [status for status in statuses if status[0] == wanted]
    return status_message(statuses)


async def _other(server, request):
    raise Refusal(
        Code.INVALID_ARGUMENT, "Expected Predict, GetModelMetadata or GetModelStatus. Received: another method."
    )


def _version(server, spec):
    version = spec.version.value if spec.HasField("version") else None
    return server.model(spec.name).at(version, spec.version_label)


_METHODS = {
    "Predict": (_predict, predict_pb2.PredictRequest, predict_pb2.PredictResponse),
    "GetModelMetadata": (
        _metadata,
        get_model_metadata_pb2.GetModelMetadataRequest,
        get_model_metadata_pb2.GetModelMetadataResponse,
    ),
    "GetModelStatus": (
        _status,
        get_model_status_pb2.GetModelStatusRequest,
        get_model_status_pb2.GetModelStatusResponse,
    ),
    # The others have a message of their own each, and no answer: nobody reads it.
    "other": (_other, Empty, Empty),
}
