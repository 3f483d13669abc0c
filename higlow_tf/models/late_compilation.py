"""A graph function that XLA compiles once it is asked for enough rows that the compilation pays."""

import tensorflow as tf

from higlow_tf.models.likelihood_model import compiled
from higlow_tf.models.row_batches import in_batches

__all__ = ["LateCompilation", "compile_from_now_on"]


class LateCompilation:
    """Applies a function to rows; the first ones as TensorFlow runs a graph, later ones as XLA compiles it.

    A compilation takes seconds, which a few maps never earn back. Once as many rows were asked for as would have earned it,
    it is made: the time is then at most twice that of whoever knew all calls in advance. What is asked for in one call is
    computed in one way. Both ways agree to rounding. Inside a `tf.function` the caller decides on batches and compilation.

    Args:
        function: Graph function of tensors `[B, ...]` to one tensor `[B, ...]`, row by row.
        jit_compile: Whether XLA may compile it at all.
        rows_before: Rows that are computed without compilation; 0 to compile at once.
    """

    def __init__(self, function, jit_compile, rows_before):
        self._function = function
        self.plain = compiled(function, False)
        self.by_xla = compiled(function, True) if jit_compile else None
        self._rows_left = rows_before

    def __call__(self, *arrays):
        if tf.inside_function():
            return self._function(*arrays)
        num_rows = arrays[0].shape[0]
        if self.by_xla is None:
            return in_batches(self.plain, *arrays)
        if num_rows > self._rows_left:
            self._rows_left = 0
            return in_batches(self.by_xla, *arrays)
        self._rows_left -= num_rows
        return in_batches(self.plain, *arrays)

    def compile_from_now_on(self):
        """Lets XLA compile at the next call, however few its rows are."""
        self._rows_left = 0


def compile_from_now_on(model):
    """Lets XLA compile all verbs of a model at their next calls: for a program that will make many of them."""
    for attribute in vars(model).values():
        if isinstance(attribute, LateCompilation):
            attribute.compile_from_now_on()
