"""Requests and answers as JSON, in the two forms of TensorFlow Serving's REST interface.

Row form: {"instances": [{"a": ..., "b": ...}, ...]} -> {"predictions": [{"c": ..., "d": ...}, ...]}.
Column form: {"inputs": {"a": [...], "b": [...]}} -> {"outputs": {"c": [...], "d": [...]}}.
The only input or output of a signature may stand without its name. Numbers that are not finite are the bare words NaN,
Infinity and -Infinity, in both directions, as TensorFlow Serving reads and writes them; strict JSON has no word for them.

References:
    [1] https://www.tensorflow.org/tfx/serving/api_rest
"""

import json
from dataclasses import dataclass

import numpy as np

from higlow_tf.serving.server.refusals import Code, Refusal

__all__ = ["JsonRequest", "json_answer", "read_json_request"]

# What an array of JSON values may be, by the kind of the tensor that it becomes.
_KINDS = {"f": "iuf", "i": "iu", "u": "iu", "b": "b"}
_WORDS = {"f": "numbers", "i": "whole numbers", "u": "whole numbers", "b": "true or false"}


@dataclass(frozen=True)
class JsonRequest:
    """A request as it was sent.

    Args:
        signature: Name of the signature, or None for the default one.
        is_row_form: Whether the answer is in the row form.
        content: Value of "instances" or "inputs".
    """

    signature: str | None
    is_row_form: bool
    content: object

    def tensors(self, specs, limits):
        """The inputs of a signature.

        Args:
            specs: `LoadedVersion.input_specs`.
            limits: `Limits`.

        Returns:
            Arrays by name, with the dtypes of the signature.

        Raises:
            Refusal: If names, values or nesting do not fit.
        """
        columns = self._columns_of_rows(specs) if self.is_row_form else self._columns(specs)
        return {name: _tensor(name, column, specs[name][0], limits) for name, column in columns.items()}

    def _columns(self, specs):
        content = self.content
        if not isinstance(content, dict):
            content = {_only(specs, "inputs"): content}
        _check_names(content, specs, "'inputs'")
        return content

    def _columns_of_rows(self, specs):
        rows = self.content
        if not isinstance(rows, list) or not rows:
            raise _wrong("Expected 'instances' to be a list with at least one row. Received: " + _shown(rows))
        if not all(isinstance(row, dict) for row in rows):
            if any(isinstance(row, dict) for row in rows):
                raise _wrong("Expected rows of one form in 'instances'. Received: objects among plain values.")
            return {_only(specs, "instances"): rows}
        for index, row in enumerate(rows):
            _check_names(row, specs, f"row {index} of 'instances'")
        return {name: [row[name] for row in rows] for name in specs}


def read_json_request(body):
    """Reads the body of a `:predict` request.

    Raises:
        Refusal: If it is no JSON object with "instances" or "inputs".
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _wrong(f"Expected a body of JSON. Received: one that cannot be read ({error}).") from None
    if not isinstance(document, dict):
        raise _wrong("Expected a JSON object. Received: " + _shown(document))
    signature = document.get("signature_name")
    if signature is not None and not isinstance(signature, str):
        raise _wrong("Expected 'signature_name' to be a string. Received: " + _shown(signature))
    forms = [name for name in ("instances", "inputs") if name in document]
    if len(forms) != 1:
        raise _wrong(f"Expected one of 'instances' and 'inputs'. Received: {' and '.join(forms) or 'neither'}.")
    return JsonRequest(signature, forms[0] == "instances", document[forms[0]])


def json_answer(outputs, is_row_form):
    """The body of an answer.

    Args:
        outputs: Arrays by name.
        is_row_form: Whether in the row form.

    Returns:
        JSON as bytes.

    Raises:
        Refusal: If there are no rows of the row form.
    """
    values = {name: _values(array) for name, array in outputs.items()}
    if not is_row_form:
        return _dump({"outputs": values if len(values) > 1 else next(iter(values.values()))})
    lengths = {len(array) if array.ndim else None for array in outputs.values()}
    if len(lengths) != 1 or None in lengths:
        raise _wrong("Expected a signature whose outputs have as many rows, for the row form. Received: another.")
    if len(values) == 1:
        return _dump({"predictions": next(iter(values.values()))})
    return _dump({"predictions": [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]})


def _tensor(name, column, dtype, limits):
    try:
        values = np.asarray(column)
    except (ValueError, OverflowError):
        raise _wrong(f"Expected {name} to be a full array. Received: lists of different lengths or depths.") from None
    limits.check_shape(name, values.shape, dtype.itemsize)
    if values.size == 0:
        return np.zeros(values.shape, dtype)
    if dtype.kind not in _KINDS:
        raise Refusal(Code.UNIMPLEMENTED, f"Expected a signature of numbers. Received: {name} of {dtype.name}.")
    if values.dtype.kind not in _KINDS[dtype.kind]:
        found = "other values, or numbers that are too large"
        raise _wrong(f"Expected {name} to hold {_WORDS[dtype.kind]} of {dtype.name}. Received: {found}.")
    if dtype.kind == "b":
        return values
    with np.errstate(over="ignore"):
        tensor = values.astype(dtype)
    is_lost = np.isinf(tensor) & np.isfinite(values) if dtype.kind == "f" else tensor != values
    if is_lost.any():
        raise _wrong(f"Expected {name} to hold numbers that {dtype.name} can hold. Received: {values[is_lost][0]}.")
    return tensor


def _values(array):
    """Nested lists of Python numbers. A float32 becomes the shortest decimal number that is read as the same float32."""
    if array.dtype == np.float32:
        return array.astype(str).astype(np.float64).tolist()
    return array.tolist()


def _dump(content):
    return json.dumps(content, separators=(",", ":")).encode()


def _only(specs, key):
    if len(specs) != 1:
        raise _wrong(f"Expected {key!r} with an object of {', '.join(sorted(specs))}. Received: values without names.")
    return next(iter(specs))


def _check_names(content, specs, where):
    if set(content) != set(specs):
        found = ", ".join(sorted(content)) or "nothing"
        raise _wrong(f"Expected {where} to have {', '.join(sorted(specs))}. Received: {found:.200}.")


def _wrong(sentence):
    return Refusal(Code.INVALID_ARGUMENT, sentence)


def _shown(value):
    return f"{json.dumps(value):.80}."
