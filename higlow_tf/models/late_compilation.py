"""A graph function that XLA compiles only where there are so many rows that the compilation pays."""

import tensorflow as tf

from higlow_tf.expected_rows import expected_rows
from higlow_tf.models.compilation import compiled
from higlow_tf.models.row_batches import in_batches

__all__ = ["LateCompilation"]


class LateCompilation:
    """Applies a function to rows: as TensorFlow runs a graph, or, for calls and jobs of many rows, as XLA compiles it.

    A compilation takes many seconds, which a few thousand maps never earn back. The choice depends on the number of rows of a
    call, or of the job that it is part of (`higlow_tf.expected_rows`), and on nothing that came before: the same call gives the
    same bits. Both ways agree to rounding. Inside a `tf.function` the caller decides on batches and compilation.

    Args:
        function: Graph function of tensors `[B, ...]` to one tensor `[B, ...]`, row by row.
        jit_compile: Whether XLA may compile it at all.
        most_rows_of_graph: Rows up to which a compilation does not pay.
    """

    def __init__(self, function, jit_compile, most_rows_of_graph):
        self._function = function
        self.plain = None
        self.by_xla = compiled(function, True) if jit_compile else None
        self._most_rows_of_graph = most_rows_of_graph

    def __call__(self, *arrays):
        if tf.inside_function():
            return self._function(*arrays)
        num_rows = arrays[0].shape[0]
        if self.by_xla is not None and max(num_rows, expected_rows()) > self._most_rows_of_graph:
            return in_batches(self.by_xla, *arrays)
        if self.plain is None:
            # A graph that knows how many rows it has divides them into chunks for XLA, which costs here.
            specs = [tf.TensorSpec([None, *array.shape[1:]], array.dtype) for array in arrays]
            self.plain = tf.function(self._function, input_signature=specs, autograph=False)
        return in_batches(self.plain, *arrays)
