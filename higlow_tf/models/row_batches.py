"""Runs a compiled function over any number of rows with few compiled shapes."""

import tensorflow as tf

__all__ = ["in_batches"]

# A shape is compiled once; these three serve one map, a handful, and many, with little padding.
_SIZES = (1, 8, 64)


def in_batches(function, *arrays):
    """Applies `function` to rows in batches of 1, 8 or 64 and joins the results.

    The last batch is filled up with repeats, which are cut off again: the result for a row is that row's alone.
    Batches of 64 stay in the cache of a CPU core; larger ones are slower.

    Args:
        function: Maps tensors `[B, ...]` to one tensor `[B, ...]`; row by row.
        *arrays: Tensors with the same number of rows.

    Returns:
        Tensor `[N, ...]`.
    """
    num_rows = arrays[0].shape[0]
    results, start = [], 0
    while start < num_rows:
        left = num_rows - start
        size = next((size for size in _SIZES if size >= left), _SIZES[-1])
        stop = min(start + size, num_rows)
        filled = [_fill_up(array[start:stop], size) for array in arrays]
        results.append(function(*filled)[: stop - start])
        start = stop
    return results[0] if len(results) == 1 else tf.concat(results, axis=0)


def _fill_up(array, size):
    """Repeats the last row until there are `size`."""
    missing = size - array.shape[0]
    return array if missing == 0 else tf.concat([array, tf.repeat(array[-1:], missing, axis=0)], axis=0)
