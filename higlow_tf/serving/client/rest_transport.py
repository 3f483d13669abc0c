"""Questions over HTTP, with nothing but the standard library and NumPy."""

import contextlib
import http.client
import json
import urllib.parse
from collections import deque

import numpy as np

from higlow_tf.errors import InputError
from higlow_tf.serving.client.errors import ServerError

__all__ = ["RestTransport"]

_CODES = {
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_DTYPES = {
    "DT_FLOAT": np.float32,
    "DT_DOUBLE": np.float64,
    "DT_INT64": np.int64,
    "DT_INT32": np.int32,
    "DT_BOOL": np.bool_,
}


class RestTransport:
    """TensorFlow Serving's REST interface.

    Args:
        address: URL, http or https; a path in front of /v1 is kept.
        model: Name of the model.
        version: Number of the version, or None for the newest.
        timeout_s: Time after which a request is given up.

    Raises:
        InputError: If the address is no such URL.
    """

    can_send_empty = False
    """JSON has no word for an array of shape [B, 0, P]."""

    def __init__(self, address, model, version, timeout_s):
        parts = urllib.parse.urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise InputError(f"address: expected a URL such as http://localhost:8501. Received: {address!r}.")
        self.address = address
        self._make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        try:
            self._where = parts.hostname, parts.port
        except ValueError as error:
            raise InputError(f"address: expected a URL with a number as its port. Received: {address!r}.") from error
        at = "" if version is None else f"/versions/{version}"
        self._path = f"{parts.path.rstrip('/')}/v1/models/{urllib.parse.quote(model, safe='')}{at}"
        self._timeout_s = timeout_s
        self._free = deque()  # connections that no thread uses

    def predict(self, signature, inputs, output_names):
        """Outputs by name, as arrays of float64, int64 or bool: JSON knows no others.

        An only output comes without its name.

        Raises:
            ServerError: If there is no result.
        """
        content = {"signature_name": signature, "inputs": {name: value.tolist() for name, value in inputs.items()}}
        outputs = self._ask("POST", ":predict", json.dumps(content).encode())["outputs"]
        if len(output_names) == 1:
            outputs = dict.fromkeys(output_names, outputs)
        return {name: np.asarray(value) for name, value in outputs.items()}

    def signatures(self):
        """Signatures by name: {"inputs": {name: (dtype, shape)}, "outputs": ...}; None is an axis of any length."""
        described = self._ask("GET", "/metadata")["metadata"]["signature_def"]["signature_def"]
        return {
            name: {side: _specs(definition.get(side, {})) for side in ("inputs", "outputs")}
            for name, definition in described.items()
        }

    def close(self):
        """Closes the connections."""
        while self._free:
            self._free.pop().close()

    def _ask(self, method, rest, body=None):
        try:
            status, answer = self._exchange(method, self._path + rest, body)
        except TimeoutError as error:
            raise ServerError(
                f"{self.address}: expected an answer within {self._timeout_s:g} s. Received: none.", "DEADLINE_EXCEEDED"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise ServerError(f"{self.address}: expected a server. Received: {reason}.", "UNAVAILABLE") from error
        if status != 200:
            sentence, is_of_model_server = _sentence(status, answer)
            # A 500 without its reason is of a proxy that has lost the process behind it: another one may answer.
            code = _CODES.get(status, "INTERNAL" if is_of_model_server else "UNAVAILABLE")
            raise ServerError(f"{self.address}: {sentence}", code)
        try:
            return json.loads(answer)
        except ValueError as error:
            raise ServerError(
                f"{self.address}: expected JSON, as TensorFlow Serving answers. Received: {answer[:40]!r}.", "INTERNAL"
            ) from error

    def _exchange(self, method, path, body):
        """Status and body. Connections are kept; if the server has closed one meanwhile, a new one is tried."""
        if self._free:
            with contextlib.suppress(ConnectionError, http.client.BadStatusLine):
                return self._exchange_over(self._free.pop(), method, path, body)
        return self._exchange_over(self._make(*self._where, timeout=self._timeout_s), method, path, body)

    def _exchange_over(self, connection, method, path, body):
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            answer = response.status, response.read()
        except BaseException:
            connection.close()
            raise
        self._free.append(connection)
        return answer


def _specs(tensors):
    return {
        name: (
            np.dtype(_DTYPES.get(info["dtype"], object)),
            tuple(None if int(dim["size"]) < 0 else int(dim["size"]) for dim in info["tensor_shape"].get("dim", [])),
        )
        for name, info in tensors.items()
    }


def _sentence(status, answer):
    """The sentence of {"error": sentence}, and whether it is one: other servers (proxies) say other things."""
    try:
        sentence, is_of_model_server = json.loads(answer)["error"], True
    except (ValueError, KeyError, TypeError):
        sentence = answer[:200].decode("utf-8", "replace").strip() or http.client.responses.get(status, "no reason")
        is_of_model_server = False
    return f"{' '.join(str(sentence).split())} (HTTP {status})", is_of_model_server
