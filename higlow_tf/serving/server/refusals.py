"""What a server answers in the place of a result: a sentence, and one of gRPC's status codes."""

import enum
import re

__all__ = ["Code", "Refusal", "refusal_of"]

# How the graph of a model says what does not fit.
_ASSERTION = re.compile(r"assertion failed: \[(.+?)\](?=\s*\n|\s*\[\[|\s*$)", re.DOTALL)


class Code(enum.Enum):
    """Status codes of gRPC that the server uses; the value is the HTTP status that TensorFlow Serving gives for it."""

    INVALID_ARGUMENT = 400
    NOT_FOUND = 404
    RESOURCE_EXHAUSTED = 429
    UNIMPLEMENTED = 501
    INTERNAL = 500


class Refusal(Exception):
    """A request that gets no result.

    Args:
        code: `Code`.
        sentence: For the client.
    """

    def __init__(self, code, sentence):
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


def refusal_of(error):
    """The `Refusal` that an error of TensorFlow stands for: the sentence of the graph without the names of its nodes."""
    if isinstance(error, Refusal):
        return error
    message = str(getattr(error, "message", None) or error).strip() or type(error).__name__
    kind = type(error).__name__
    if kind == "InvalidArgumentError" or isinstance(error, (TypeError, ValueError)):
        asserted = _ASSERTION.search(message)
        return Refusal(
            Code.INVALID_ARGUMENT, " ".join((asserted.group(1) if asserted else _first_line(message)).split())
        )
    if kind == "ResourceExhaustedError" or isinstance(error, MemoryError):
        return Refusal(Code.RESOURCE_EXHAUSTED, f"The server has no memory for this request: {_first_line(message)}")
    return Refusal(Code.INTERNAL, f"The model failed: {_first_line(message)}")


def _first_line(message):
    return message.splitlines()[0].strip()
