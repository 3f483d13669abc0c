"""How large a request may be."""

import math
from dataclasses import dataclass

from higlow_tf.serving.server.refusals import Code, Refusal

__all__ = ["Limits"]

# More than any tensor of a model has; a sentence about a shape stays short.
_MOST_AXES = 16


@dataclass(frozen=True)
class Limits:
    """Bounds on one request.

    Args:
        max_bytes: Of a body, and of the tensors that it declares.
        max_rows: Of one request.
    """

    max_bytes: int = 128 * 2**20
    max_rows: int = 4096

    def check_body(self, num_bytes):
        """Refuses a body that is too large."""
        if num_bytes > self.max_bytes:
            raise Refusal(
                Code.INVALID_ARGUMENT, f"Expected a request of at most {self.max_bytes} bytes. Received: {num_bytes}."
            )

    def check_shape(self, name, shape, item_size):
        """Refuses a tensor that is too large, before it takes memory: a shape alone may declare any size."""
        if len(shape) > _MOST_AXES:
            raise Refusal(
                Code.INVALID_ARGUMENT, f"Expected {name} of at most {_MOST_AXES} axes. Received: {len(shape)}."
            )
        if any(size < 0 for size in shape):
            raise Refusal(
                Code.INVALID_ARGUMENT, f"Expected sizes of {name} that are not negative. Received: {list(shape)}."
            )
        num_bytes = math.prod(shape) * item_size
        if num_bytes > self.max_bytes:
            raise Refusal(
                Code.INVALID_ARGUMENT,
                f"Expected tensors of at most {self.max_bytes} bytes. Received: {name} of shape {list(shape)}.",
            )
        if shape and shape[0] > self.max_rows:
            raise Refusal(
                Code.INVALID_ARGUMENT,
                f"Expected at most {self.max_rows} rows; send them in several requests. Received: {shape[0]} of {name}.",
            )
