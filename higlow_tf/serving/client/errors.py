"""What goes wrong between a client and a server."""

from higlow_tf.errors import InputError

__all__ = ["ServerError"]


class ServerError(InputError):
    """A server that refused a request or could not be reached.

    It is an `InputError`: the request, or the address, was wrong.

    Args:
        sentence: What the server said, or what happened.
        code: Name of gRPC's status code, such as "INVALID_ARGUMENT" or "UNAVAILABLE".
    """

    def __init__(self, sentence, code):
        super().__init__(sentence)
        self.code = code
