"""Text files that somebody may have damaged, or made to do damage: read within bounds, refused in one sentence."""

import json
import reprlib
from pathlib import Path

import pydantic

from higlow_tf.errors import InputError

__all__ = ["Record", "check_record", "read_json", "read_text"]

# The split record of a million maps is 40 MB.
_MAX_JSON_BYTES = 2**28


class Record(pydantic.BaseModel):
    """Base of what a JSON file of this package holds: these keys and no others, of exactly these types."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


def read_text(path, expected, max_bytes):
    """Reads a text file.

    Args:
        path: The file.
        expected: What it should be, for the error: "expected ...".
        max_bytes: The largest size; of a larger file nothing more is read.

    Returns:
        The text, not empty.

    Raises:
        InputError: If the file is missing, no plain file, too large, empty, or not UTF-8.
    """
    path = Path(path)
    refusal = f"{path}: expected {expected}. Received:"
    try:
        # A pipe or a device may never end.
        if path.exists() and not path.is_file():
            raise InputError(f"{refusal} something else than a file.")
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
        text = content.decode("utf-8")
    except OSError as error:
        raise InputError(f"{refusal} {error.strerror}.") from None
    except UnicodeDecodeError:
        raise InputError(f"{refusal} {'no text' if len(content) <= max_bytes else 'a very large file'}.") from None
    if len(content) > max_bytes:
        raise InputError(f"{refusal} more than {max_bytes} bytes.")
    if not text.strip():
        raise InputError(f"{refusal} an empty file.")
    return text


def read_json(path, expected):
    """Reads a JSON file; arguments and errors as those of `read_text`, and it must be JSON with finite numbers."""
    text = read_text(path, expected, _MAX_JSON_BYTES)
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise InputError(f"{path}: expected {expected}. Received: brackets inside brackets without end.") from None
    except ValueError as error:
        raise InputError(f"{path}: expected {expected}. Received: no JSON ({error}).") from None


def check_record(record_type, content, path, expected):
    """Refuses content that is not what a `Record` describes.

    Args:
        record_type: Subclass of `Record`.
        content: What `read_json` gave.
        path, expected: As in `read_text`.

    Raises:
        InputError: With the first thing that is wrong, and where.
    """
    try:
        record_type.model_validate(content)
    except pydantic.ValidationError as error:
        problems = error.errors(include_url=False)
        # Of a value that may be of several types, each has its own problem: the one that came farthest says most.
        of_first = [problem for problem in problems if problem["loc"][:1] == problems[0]["loc"][:1]]
        first = max(of_first, key=lambda problem: len(problem["loc"]))
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        found = "" if first["type"] == "missing" else f": {reprlib.repr(first['input'])}"
        raise InputError(f"{path}: expected {expected}. Received: {where}: {first['msg']}{found}.") from None


def _refuse_constant(name):
    raise ValueError(f"{name} is no number")
