"""TensorFlow Serving's REST interface over a `ModelServer`.

    POST /v1/models/NAME[/versions/V]:predict
    GET  /v1/models/NAME[/versions/V]              status
    GET  /v1/models/NAME[/versions/V]/metadata     signatures

Errors are {"error": sentence} with the HTTP status of TensorFlow Serving.
"""

import asyncio
import json
import re

from google.protobuf.json_format import MessageToDict

from higlow_tf.serving.server.json_tensors import json_answer, read_json_request
from higlow_tf.serving.server.proto_tensors import signature_map, status_message
from higlow_tf.serving.server.refusals import Code, Refusal, refusal_of

__all__ = ["answer_http"]

_PATH = re.compile(
    r"/v1/models/(?P<name>[^/:]+)(/versions/(?P<version>\d{1,18})|/labels/(?P<label>[^/:]+))?(?P<rest>|/metadata|:\w+)"
)


async def answer_http(server, method, path, read_body):
    """Answers one HTTP request.

    Args:
        server: `ModelServer`.
        method: "GET" or "POST".
        path: Path of the URL.
        read_body: Coroutine function that gives the body; it raises `Refusal` for one that is too large.

    Returns:
        The pair (HTTP status, body as JSON bytes).
    """
    try:
        return 200, await _result(server, method, path, read_body)
    except Refusal as refusal:
        return refusal.code.value, _dump({"error": refusal.sentence})
    except Exception as error:
        refusal = refusal_of(error)
        return refusal.code.value, _dump({"error": refusal.sentence})


async def _result(server, method, path, read_body):
    match = _PATH.fullmatch(path)
    verb = match["rest"] if match else None
    is_known = (method, verb) in (("GET", ""), ("GET", "/metadata")) or (method == "POST" and verb and verb[0] == ":")
    if not is_known:
        raise Refusal(
            Code.INVALID_ARGUMENT,
            "Expected GET /v1/models/NAME, GET /v1/models/NAME/metadata or POST /v1/models/NAME:predict. "
            f"Received: {method} {path:.120}.",
        )
    model = server.model(match["name"])
    version = None if match["version"] is None else int(match["version"])
    if verb == "":
        return _status(model, version, match["label"])
    loaded = model.at(version, match["label"])
    if verb == "/metadata":
        return _metadata(model.name, loaded)
    if verb != ":predict":
        raise Refusal(
            Code.INVALID_ARGUMENT, f"Expected :predict; the models have no other signatures. Received: {verb:.80}."
        )
    request = await asyncio.to_thread(read_json_request, await read_body())
    outputs = await server.predict(loaded, request.signature, request.tensors)
    return await asyncio.to_thread(json_answer, outputs, request.is_row_form)


def _status(model, version, label):
    if label:
        model.at(None, label)
    statuses = model.statuses()
    if version is not None:
        statuses = [status for status in statuses if status[0] == version]
        if not statuses:
            model.at(version)
    message = status_message(statuses)
    return _dump(MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True))


def _metadata(name, loaded):
    signatures = MessageToDict(
        signature_map(loaded.signature_defs),
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
    )
    spec = {"name": name, "signature_name": "", "version": str(loaded.version)}
    return _dump({"model_spec": spec, "metadata": {"signature_def": signatures}})


def _dump(content):
    return json.dumps(content, indent=1).encode()
