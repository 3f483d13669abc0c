"""Compiles a graph function of rows; where a machine has two cores, each of them takes one half of the rows."""

import tensorflow as tf

from higlow_tf.cores import num_cores, takes_whole_batches
from higlow_tf.models.steady_names import steady_names

__all__ = ["compiled"]

_CORES_FOR_HALVES = 2
# Fewer rows were not measured.
_FEWEST_ROWS = 4


def compiled(function, jit_compile, join=None):
    """A graph function, under XLA or not.

    XLA divides every small loop of a program between the threads, which gains nothing on two cores. So a graph calls the compiled
    function on both halves of the rows, and TensorFlow runs the two calls side by side, in half to two thirds of the time. Both
    have one compiled shape. A GPU takes the rows at once, and so do many cores, where this was not measured.

    Args:
        function: Graph function of tensors `[N, ...]` to a tree of tensors, row by row.
        jit_compile: Whether XLA compiles it.
        join: Makes the function's result from those of the two halves; None to put together the rows of each tensor.

    Returns:
        A `tf.function`.
    """
    if not jit_compile:
        return tf.function(function, autograph=False)
    by_xla = tf.function(function, jit_compile=True, autograph=False)
    join = join or _joined_rows

    def call(*arrays):
        num_rows = arrays[0].shape[0]
        with steady_names(function, arrays):
            if not _is_halved(num_rows):
                return by_xla(*arrays)
            middle = num_rows // 2
            return join(by_xla(*(array[:middle] for array in arrays)), by_xla(*(array[middle:] for array in arrays)))

    return tf.function(call, autograph=False)


def _is_halved(num_rows):
    """Whether a graph that is being traced divides its rows."""
    if num_rows is None or num_rows < _FEWEST_ROWS or num_rows % 2:
        return False
    is_alone = tf.distribute.get_strategy().num_replicas_in_sync == 1
    has_threads = tf.config.threading.get_inter_op_parallelism_threads() != 1
    return num_cores() == _CORES_FOR_HALVES and is_alone and has_threads and not takes_whole_batches()


def _joined_rows(first, second):
    return tf.nest.map_structure(lambda a, b: tf.concat([a, b], axis=0), first, second)
