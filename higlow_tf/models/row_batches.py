"""Runs a compiled function over any number of rows with few compiled shapes."""

import tensorflow as tf

__all__ = ["in_batches"]

# A shape is compiled once; these three serve one map, a handful, and many, with little padding.
_ONE, _HANDFUL, _MANY = 1, 8, 64
# So many handfuls take no longer than many rows that are half repeats.
_MOST_HANDFULS = 4


def in_batches(function, *arrays):
    """Applies `function` to rows in batches of 1, 8 or 64 and joins the results.

    The last batch is filled up with repeats, which are cut off again: the result for a row is that row's alone.
    Batches of 64 stay in the cache of a CPU core; larger ones are slower. Up to 32 rows go in batches of 8.

    Args:
        function: Maps tensors `[B, ...]` to one tensor `[B, ...]`; row by row.
        *arrays: Tensors with the same number of rows.

    Returns:
        Tensor `[N, ...]`.
    """
    num_rows = arrays[0].shape[0]
    results, start = [], 0
    while start < num_rows:
        size = _batch_size(num_rows - start, start)
        stop = min(start + size, num_rows)
        filled = [_fill_up(array[start:stop], size) for array in arrays]
        results.append(function(*filled)[: stop - start])
        start = stop
    return results[0] if len(results) == 1 else tf.concat(results, axis=0)


def _batch_size(left, start):
    """After a batch of 64, one more such is better than to compile another shape for more than a handful."""
    if left <= _ONE and start == 0:
        return _ONE
    handfuls = 1 if start >= _MANY else _MOST_HANDFULS
    return _HANDFUL if left <= handfuls * _HANDFUL else _MANY


def _fill_up(array, size):
    """Repeats the last row until there are `size`."""
    missing = size - array.shape[0]
    return array if missing == 0 else tf.concat([array, tf.repeat(array[-1:], missing, axis=0)], axis=0)
