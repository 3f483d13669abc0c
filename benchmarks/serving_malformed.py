"""Malformed requests of every kind to a server: each is refused with a sentence, and the next good one is answered as ever.

    python -m benchmarks.serving_malformed [--requests 1000] [--seed 0]

A quarter of them are shapes, rows and grids that do not fit the model, found by Hypothesis and sent over both protocols; the
others are malformations of the messages themselves (`malformed_http.py`, `malformed_rpc.py`), kind by kind. Refused is: over
HTTP 400 to 499, over gRPC INVALID_ARGUMENT (or what `malformed_rpc.CODES` says), each with what was expected and what was
received. After each, a good request over the same protocol must be answered as at the start, bit for bit. Prints a table,
and exits with 1 if anything else happened.
"""

import argparse
import http.client
import json
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import grpc
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as hypothesis_seed
from tensorflow_serving.apis import predict_pb2

from benchmarks.malformed_http import HTTP_KINDS, OF_HTTP_ITSELF, HttpRequest
from benchmarks.malformed_rpc import CODES, RPC_KINDS, predict_request
from benchmarks.server_process import ServerProcess
from benchmarks.soak.request_strategies import SHAPES, good_request, malformed_requests
from benchmarks.tiny_model import tiny_model
from higlow_tf.serving import export_model

__all__ = ["OPTIONS", "Doors", "send_kind", "send_shapes"]

MODEL = "tiny"
# Small limits, so that what is beyond them is quickly sent.
OPTIONS = ("--max-request-mib", "16", "--max-rows", "100")
_PREDICT = "/tensorflow.serving.PredictionService/Predict"
_SECONDS = 300


class Doors:
    """Both doors of a server, and what was refused there.

    Args:
        server: `ServerProcess` with a model of 16 x 16 pixels and two parameters, started with `OPTIONS`.
        model: Name of the model.

    Attributes:
        refused: (door, kind) -> how often each code was given.
        faults: Sentences.
    """

    def __init__(self, server, model=MODEL):
        self.model = model
        self.refused, self.faults = defaultdict(Counter), []
        self._host, _, self._port = server.rest.removeprefix("http://").rpartition(":")
        self._channel = grpc.insecure_channel(server.grpc, options=[("grpc.max_send_message_length", -1)])
        self._first = {}
        for door in ("HTTP", "gRPC"):
            for signature in SHAPES:
                self._first[door, signature] = self._good(door, signature)
        self._next = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._channel.close()

    def over_http(self, kind, request):
        """Sends an `HttpRequest`, and notes what becomes of it."""
        try:
            status, body = self._http(request)
        except (OSError, http.client.HTTPException) as error:
            self._note("HTTP", kind, f"no answer: {error!r}", False)
            return
        text = body.decode("utf-8", "replace")
        is_sentence = bool(text.strip()) if kind in OF_HTTP_ITSELF else _is_sentence(_error_of(text))
        self._note("HTTP", kind, status, 400 <= status < 500 and is_sentence, text)

    def over_grpc(self, kind, method, message):
        """Sends a message, or bytes in its place, and notes what becomes of it."""
        try:
            self._rpc(method, message)
        except grpc.RpcError as error:
            code, details = error.code().name, error.details() or ""
            expected = CODES.get(kind, {"INVALID_ARGUMENT"})
            is_of_grpc = bool(expected - {"INVALID_ARGUMENT", "NOT_FOUND"})
            is_sentence = bool(details) if is_of_grpc else _is_sentence(details)
            self._note("gRPC", kind, code, code in expected and is_sentence, details)
        else:
            self._note("gRPC", kind, "OK", False, "an answer")

    @property
    def num_sent(self):
        return sum(sum(codes.values()) for codes in self.refused.values())

    def _note(self, door, kind, code, is_refused, text=""):
        """Counts a refusal; what is none, and a good request that is answered otherwise after it, are faults."""
        self.refused[door, kind][code] += 1
        if not is_refused:
            self.faults.append(f"{door}, {kind}: {code} {text[:300]}")
        signature = sorted(SHAPES)[self._next % len(SHAPES)]
        self._next += 1
        try:
            answer = self._good(door, signature)
        except (OSError, http.client.HTTPException, grpc.RpcError) as error:
            self.faults.append(f"{door}, good request after {kind}: {error!r}"[:300])
            return
        if answer != self._first[door, signature]:
            self.faults.append(f"{door}, good request after {kind}: another answer of {signature}")

    def _good(self, door, signature):
        """The answer to a good request, in one order: that of the names differs from process to process."""
        inputs = good_request(signature, 2, 3)
        if door == "gRPC":
            message = self._rpc(_PREDICT, predict_request(self.model, signature, inputs))
            outputs = predict_pb2.PredictResponse.FromString(message).outputs
            return {name: tensor.SerializeToString(deterministic=True) for name, tensor in outputs.items()}
        content = {"signature_name": signature, "inputs": {name: value.tolist() for name, value in inputs.items()}}
        request = HttpRequest("POST", f"/v1/models/{self.model}:predict", json.dumps(content).encode())
        status, body = self._http(request)
        return status, json.dumps(json.loads(body), sort_keys=True)

    def _http(self, request):
        connection = http.client.HTTPConnection(self._host, int(self._port), timeout=_SECONDS)
        try:
            connection.request(request.method, request.path, request.body, request.headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _rpc(self, method, message):
        content = message if isinstance(message, bytes) else message.SerializeToString()
        return self._channel.unary_unary(method)(content, timeout=_SECONDS)


def send_kind(doors, door, kind, rng):
    """Sends a malformation of a kind over the door ("HTTP" or "gRPC") that it is of."""
    if door == "HTTP":
        doors.over_http(kind, HTTP_KINDS[kind](rng, doors.model))
    else:
        doors.over_grpc(kind, *RPC_KINDS[kind](rng, doors.model))


def send_shapes(doors, number, seed):
    """Sends about so many requests whose shapes do not fit, over both doors each."""
    for signature in SHAPES:
        _send_shapes_of(doors, signature, max(1, number // (2 * len(SHAPES))), seed)


def _send_shapes_of(doors, signature, number, seed):
    kind, path = f"shapes of {signature}", f"/v1/models/{doors.model}:predict"

    @hypothesis_seed(seed)
    @settings(max_examples=number, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=malformed_requests(signature).filter(lambda case: case[2] is None))
    def send(case):
        _, inputs, _ = case
        content = {"signature_name": signature, "inputs": {name: value.tolist() for name, value in inputs.items()}}
        doors.over_http(kind, HttpRequest("POST", path, json.dumps(content).encode()))
        doors.over_grpc(kind, _PREDICT, predict_request(doors.model, signature, inputs))

    send()


def table_of(doors):
    """The requests by kind, as Markdown."""
    lines = ["| door | kind | sent | answers |", "|---|---|---|---|"]
    for (door, kind), codes in sorted(doors.refused.items()):
        found = ", ".join(f"{number} {code}" for code, number in codes.most_common())
        lines.append(f"| {door} | {kind} | {sum(codes.values())} | {found} |")
    return "\n".join([*lines, "", f"{doors.num_sent} malformed requests, {len(doors.faults)} faults."])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    kinds = [("HTTP", kind) for kind in HTTP_KINDS] + [("gRPC", kind) for kind in RPC_KINDS]
    with tempfile.TemporaryDirectory() as folder:
        calibration = {"tempering": 0.5, "widening": [0.0, 0.0], "num_symmetries": 2}
        export_model(tiny_model(rng), Path(folder) / MODEL, calibration=calibration)
        with (
            ServerProcess([Path(folder) / MODEL], Path(folder) / "log", *OPTIONS) as server,
            Doors(server) as doors,
        ):
            send_shapes(doors, arguments.requests // 4, arguments.seed)
            while doors.num_sent < arguments.requests:
                send_kind(doors, *kinds[doors.num_sent % len(kinds)], rng)
    print(table_of(doors))
    print("\n".join(f"- {fault}" for fault in doors.faults))
    sys.exit(1 if doors.faults else 0)


def _error_of(text):
    """The sentence of {"error": sentence}, or nothing."""
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return ""


def _is_sentence(text):
    return "Expected " in text and "Received: " in text and len(text) < 1000


if __name__ == "__main__":
    main()
