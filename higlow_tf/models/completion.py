"""Rows of theta from the parameters that a user names; those that are not named are drawn from their prior."""

import numpy as np
import tensorflow as tf

from higlow_tf.data.parameters import nearest_name
from higlow_tf.errors import InputError

__all__ = ["completed_rows", "uniform_rows"]

# Folded into the seed of a row: the numbers are other ones than those of the row's latents.
_STREAM = 0x7072696F72


def completed_rows(parameters, values, count, seed, first_row):
    """Rows of all parameters from the values of some of them.

    Each parameter has its own number in the draws of a row: what it becomes does not depend on which others are given.

    Args:
        parameters: `ParameterSpace` of all P parameters.
        values, count, seed, first_row: As in `MapFlow.complete_theta`, which says what is returned and raised.
    """
    columns = {name: _column(parameters, name, value) for name, value in values.items()}
    num_rows = _num_rows(columns, count)
    missing = [index for index, name in enumerate(parameters.names) if name not in columns]
    theta = np.empty((num_rows, len(parameters)))
    if missing:
        rows = np.arange(first_row, first_row + num_rows, dtype=np.int64)
        seeds = np.stack([np.full(num_rows, seed, np.int64), rows], axis=1)
        theta[:, missing] = parameters.from_unit(uniform_rows(tf.constant(seeds), len(parameters)).numpy())[:, missing]
    for name, column in columns.items():
        theta[:, parameters.names.index(name)] = column
    return theta


def _column(parameters, name, value):
    if name not in parameters.names:
        raise InputError(
            f"Expected parameters among {', '.join(parameters.names)} "
            f"(did you mean {nearest_name(name, parameters.names)!r}?). Received: {name!r}."
        )
    column = np.asarray(value)
    is_good = column.dtype.kind in "iuf" and column.ndim < 2 and column.size and np.isfinite(column).all()
    if not is_good:
        raise InputError(f"{name}: expected a finite number, or an array [N] of them. Received: {value!r:.80}.")
    return column.astype(np.float64)


def _num_rows(columns, count):
    lengths = {name: len(column) for name, column in columns.items() if column.ndim}
    if count is not None:
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
            raise InputError(f"count: expected a positive whole number. Received: {count!r}.")
        lengths["count"] = int(count)
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{length} of {name}" for name, length in lengths.items())
        raise InputError(f"Expected as many rows of each parameter, and as many as count. Received: {found}.")
    return next(iter(lengths.values()), 1)


@tf.function(autograph=False, reduce_retracing=True)
def uniform_rows(row_seeds, num_parameters):
    """Uniform numbers in [0, 1), float64 `[N, P]`, of stateless seeds `[N, 2]`."""

    def one_row(row_seed):
        seed = tf.random.fold_in(row_seed, tf.constant(_STREAM, tf.int64), alg="philox")
        return tf.random.stateless_uniform([num_parameters], seed, dtype=tf.float64, alg="philox")

    return tf.map_fn(one_row, row_seeds, fn_output_signature=tf.TensorSpec([num_parameters], tf.float64))
