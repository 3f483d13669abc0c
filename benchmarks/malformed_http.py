"""HTTP requests that do not fit, by kind: what no well-behaved client sends, and every server gets."""

import json
from dataclasses import dataclass, field

from benchmarks.soak.request_strategies import SHAPES, good_request

__all__ = ["HTTP_KINDS", "OF_HTTP_ITSELF", "HttpRequest"]

OF_HTTP_ITSELF = frozenset({"no HTTP length", "no HTTP method"})
"""Kinds that no server program sees: its HTTP library refuses them in a sentence of its own."""


@dataclass(frozen=True)
class HttpRequest:
    """One request.

    Args:
        method, path: Of its first line.
        body: Bytes.
        headers: By name.
    """

    method: str
    path: str
    body: bytes = b""
    headers: dict = field(default_factory=dict)


def _predict(model, content):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return HttpRequest("POST", f"/v1/models/{model}:predict", body)


def _content(rng, signature=None):
    """A good request as JSON values."""
    signature = signature or rng.choice(sorted(SHAPES))
    return {
        "signature_name": str(signature),
        "inputs": {name: value.tolist() for name, value in good_request(signature, 2, 3).items()},
    }


def _rows(rng):
    content = _content(rng)
    columns = content.pop("inputs")
    content["instances"] = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return content


def _with_value(rng, values):
    """A good request in which one number is another value."""
    content = _content(rng)
    at = content["inputs"][str(rng.choice(sorted(content["inputs"])))]
    while isinstance(at[0], list):
        at = at[rng.integers(len(at))]
    at[rng.integers(len(at))] = values[rng.integers(len(values))]
    return content


def _cut(rng, model):
    body = json.dumps(_content(rng)).encode()
    return _predict(model, body[: rng.integers(1, len(body))])


def _bytes(rng, model):
    return _predict(model, rng.bytes(rng.integers(1, 500)))


def _not_utf8(rng, model):
    body = json.dumps(_content(rng)).encode()
    at = body.index(b"signature_name") + rng.integers(14)
    return _predict(model, body[:at] + b"\xff\xfe" + body[at:])


def _empty(rng, model):
    return _predict(model, (b"", b" ", b"{}", b"\n\n")[rng.integers(4)])


def _no_object(rng, model):
    return _predict(model, (b"[]", b"3", b'"text"', b"null", b"true", b"NaN", b"[[1, 2]]")[rng.integers(7)])


def _deep(rng, model):
    depth = int(rng.integers(1_000, 200_000))
    return _predict(model, b'{"inputs": ' + b"[" * depth + b"]" * depth + b"}")


def _forms(rng, model):
    content = _content(rng)
    inputs = content.pop("inputs")
    more = ({}, {"inputs": inputs, "instances": [1]}, {"input": inputs}, {"predictions": inputs})
    return _predict(model, content | more[rng.integers(4)])


def _signature(rng, model):
    names = ("none", "LOG_PROB", "log_prob ", 3, ["sample"], {"a": 1}, True, "x" * 5000, "\u0000")
    return _predict(model, _content(rng) | {"signature_name": names[rng.integers(len(names))]})


def _unknown(rng, model):
    names = ("other", model.upper(), f"{model}2", "..", "%00", f"{model}/versions/2", f"{model}/labels/stable")
    name = names[rng.integers(len(names))]
    paths = (f"/v1/models/{name}:predict", f"/v1/models/{name}", f"/v1/models/{name}/metadata")
    which = int(rng.integers(3))
    return HttpRequest("GET" if which else "POST", paths[which], b"" if which else json.dumps(_content(rng)).encode())


def _version(rng, model):
    versions = ("0", "-1", "1.0", "9" * 30, "one", "", str(2**63))
    return HttpRequest("GET", f"/v1/models/{model}/versions/{versions[rng.integers(len(versions))]}")


def _method(rng, model):
    methods = ("PUT", "DELETE", "PATCH", "OPTIONS")
    paths = (f"/v1/models/{model}:predict", f"/v1/models/{model}", f"/v1/models/{model}/metadata")
    wrong = [(method, path) for method in methods for path in paths]
    wrong += [("GET", paths[0]), ("POST", paths[1]), ("POST", paths[2])]
    return HttpRequest(*wrong[rng.integers(len(wrong))], json.dumps(_content(rng)).encode())


def _path(rng, model):
    paths = ("/", "/v1", "/v1/models", "/v1/models/", f"/v2/models/{model}:predict", f"/v1/models/{model}:", "//",
             f"/v1/models/{model}/:predict", f"/v1/models/{model}:predict/", f"/v1/models/../{model}:predict",
             f"/v1/models/{model}%2F:predict", "/" + "x" * 4000)  # fmt: skip
    return HttpRequest("POST", paths[rng.integers(len(paths))], json.dumps(_content(rng)).encode())


def _verb(rng, model):
    verbs = ("classify", "regress", "predictions", "PREDICT", "generate")
    return HttpRequest(
        "POST", f"/v1/models/{model}:{verbs[rng.integers(len(verbs))]}", json.dumps(_content(rng)).encode()
    )


def _names(rng, model):
    content = _content(rng)
    inputs = content["inputs"]
    name = str(rng.choice(sorted(inputs)))
    if rng.integers(3) == 0:
        inputs["more"] = inputs[name]
    else:
        inputs[f"{name}_" if rng.integers(2) else name.upper()] = inputs.pop(name)
    if rng.integers(4) == 0:
        content["inputs"] = {}
    return _predict(model, content)


def _type(rng, model):
    return _predict(model, _with_value(rng, ("1.0", "", None, True, {}, {"value": 1}, [], [1.0, 2.0])))


def _too_large_number(rng, model):
    return _predict(model, _with_value(rng, (1e39, -1e300, 10**400, 2**64, -(2**63) - 1)))


def _fraction_of_a_seed(rng, model):
    content = _content(rng, "sample")
    content["inputs"]["seed"][0][rng.integers(2)] = (0.5, 1e30, -1.5, 2**70)[rng.integers(4)]
    return _predict(model, content)


def _base64(rng, model):
    """TensorFlow Serving's word for bytes, which no input of these models is; also cut in the middle."""
    content = _content(rng)
    name = str(rng.choice(sorted(content["inputs"])))
    content["inputs"][name] = {"b64": ("AAAAAAAAgD8=", "AAAAAAAAg", "!!", "")[rng.integers(4)]}
    return _predict(model, content)


def _ragged(rng, model):
    content = _content(rng)
    at = content["inputs"][str(rng.choice([name for name in content["inputs"] if name != "temperature"]))]
    while isinstance(at[0][0], list) and rng.integers(2):
        at = at[rng.integers(len(at))]
    at[rng.integers(len(at))].pop()
    return _predict(model, content)


def _bad_rows(rng, model):
    content = _rows(rng)
    rows = content["instances"]
    name = str(rng.choice(sorted(rows[0])))
    which = rng.integers(6)
    if which == 0:
        rows[1].pop(name)
    elif which == 1:
        rows[1]["more"] = 1
    elif which == 2:
        rows[1] = rows[1][name]
    elif which == 3:
        rows[1][name] = [rows[1][name]]
    else:
        content["instances"] = ([], {}, None, "rows", [[]], rows[0])[rng.integers(6)]
    return _predict(model, content)


def _compressed(rng, model):
    """A body that says to be compressed, and is not."""
    return HttpRequest("POST", f"/v1/models/{model}:predict", rng.bytes(100), {"Content-Encoding": "gzip"})


def _many_rows(rng, model):
    inputs = good_request("sample", int(rng.integers(101, 400)))
    content = {"signature_name": "sample", "inputs": {name: value.tolist() for name, value in inputs.items()}}
    return _predict(model, content)


def _large_body(rng, model):
    """Beyond the limit of the server (16 MiB), and really sent."""
    return _predict(model, b" " * int(rng.integers(17, 40)) * 2**20 + b"{}")


def _no_length(rng, model):
    length = ("-5", "many", "1e3", "0x10")[rng.integers(4)]
    return HttpRequest("POST", f"/v1/models/{model}:predict", b"{}", {"Content-Length": length})


def _no_method(rng, model):
    return HttpRequest(("FROB", "predict", "G E T")[rng.integers(3)], f"/v1/models/{model}")


HTTP_KINDS = {
    "JSON cut short": _cut,
    "random bytes": _bytes,
    "no UTF-8": _not_utf8,
    "empty body": _empty,
    "JSON that is no object": _no_object,
    "deep nesting": _deep,
    "no form, or both": _forms,
    "unknown signature": _signature,
    "unknown model": _unknown,
    "no version": _version,
    "wrong method": _method,
    "wrong path": _path,
    "other verbs": _verb,
    "names of inputs": _names,
    "wrong types": _type,
    "numbers too large": _too_large_number,
    "seeds that are no integers": _fraction_of_a_seed,
    "base64": _base64,
    "ragged arrays": _ragged,
    "rows of other forms": _bad_rows,
    "falsely compressed": _compressed,
    "too many rows": _many_rows,
    "body too large": _large_body,
    "no HTTP length": _no_length,
    "no HTTP method": _no_method,
}
"""Name of a kind -> function (NumPy generator, name of the model) -> `HttpRequest`, always another one."""
