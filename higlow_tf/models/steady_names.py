"""Names of traced functions that are the same in every process, so that a compiled program is found again."""

import collections
import contextlib
import hashlib
import itertools

from tensorflow.python.framework import ops

from higlow_tf.compiled_programs import keeps_programs

__all__ = ["steady_names"]

_occurrences = collections.Counter()
# Apart by more numbers than one function needs.
_SHIFT = 20


@contextlib.contextmanager
def steady_names(function, arrays):
    """Within it, what TensorFlow traces is numbered from a start that depends on a function and the shapes of its arguments.

    TensorFlow ends the names of functions and loops with one count of all that the process has made, and a program is looked
    up with these names in it: a call more of anything before, and it would not be found. The second time in one process the
    start is another. Where no programs are kept, nothing is changed.

    Args:
        function: What is going to be traced.
        arrays: Its tensors.
    """
    if not keeps_programs():
        yield
        return
    key = "|".join(
        [getattr(function, "__qualname__", type(function).__name__), *(str(array.shape) for array in arrays)]
    )
    digest = hashlib.sha256(f"{key}|{_occurrences[key]}".encode()).hexdigest()
    _occurrences[key] += 1
    numbers = itertools.count(int(digest[:10], 16) << _SHIFT)
    own, ops.uid = ops.uid, lambda: next(numbers)
    try:
        yield
    finally:
        ops.uid = own
