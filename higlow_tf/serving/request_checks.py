"""Checks of a request inside the graph: what does not fit the model is an error with a sentence, never an answer."""

import tensorflow as tf

__all__ = ["MAX_EVALUATIONS", "MAX_GRID_POINTS", "check_grid_size", "checked_inputs"]

# Points of one grid, and maps times points times nuisance draws of one request: one client must not keep a server busy for
# hours.
MAX_GRID_POINTS = 16384
MAX_EVALUATIONS = 2**20

# What an axis of any length is called in the sentences: rows, and points of a grid.
_AXES = ("B", "G")


def checked_inputs(specs, *tensors):
    """The inputs of a signature, once it is certain that their shapes are the model's and their rows equally many.

    A server does not compare the tensors of a request with the placeholders. So the graph does it, on the shapes that the
    tensors really have.

    Args:
        specs: Name of each input -> its `tf.TensorSpec`; None is an axis of any length.
        *tensors: The inputs, in the order of the specs.

    Returns:
        The inputs, as a list. They cannot be computed with before the checks have passed.
    """
    shapes = {name: _shape_at_run_time(tensor) for name, tensor in zip(specs, tensors, strict=True)}
    checks = [_check_shape(name, spec.shape.as_list(), shapes[name]) for name, spec in specs.items()]
    with tf.control_dependencies(checks):
        (first, num_rows), *others = [(name, tf.identity(shape)[0]) for name, shape in shapes.items()]
    checks += [_check_rows(first, num_rows, name, rows) for name, rows in others]
    with tf.control_dependencies(checks):
        return [tf.identity(tensor) for tensor in tensors]


def check_grid_size(theta_grid, num_draws, num_more=0):
    """The grids `[B, G, P]`, once it is certain that they are not larger than a server allows.

    Args:
        theta_grid: `[B, G, P]`.
        num_draws: Nuisance draws at which every point is evaluated.
        num_more: Evaluations that every row takes beside those of its points.
    """
    max_points, more_points = MAX_EVALUATIONS // num_draws, -(-num_more // num_draws)
    num_maps, num_points = tf.unstack(tf.shape(theta_grid, out_type=tf.int64)[:2])
    few_points = tf.debugging.Assert(
        num_points <= MAX_GRID_POINTS,
        [tf.strings.format(f"Expected at most {MAX_GRID_POINTS} points in theta_grid. Received: {{}}.", num_points)],
    )
    counted = f", with {more_points} more for each row" if more_points else ""
    sentence = (
        f"Expected at most {max_points} points in all rows of theta_grid{counted}. Received: {{}} rows of {{}} points."
    )
    few_evaluations = tf.debugging.Assert(
        num_maps * (num_points + more_points) <= max_points, [tf.strings.format(sentence, (num_maps, num_points))]
    )
    with tf.control_dependencies([few_points, few_evaluations]):
        return tf.identity(theta_grid)


def _shape_at_run_time(tensor):
    """The shape as an int64 vector, not known to the optimiser of the graph.

    It would put the shape of the placeholder in the place of the tensor's, and drop the check that compares the two.
    """
    return tf.shape(tf.compat.v1.placeholder_with_default(tensor, None), out_type=tf.int64)


def _check_shape(name, expected, shape):
    text = ", ".join(_AXES[axis] if size is None else str(size) for axis, size in enumerate(expected))
    # As long as the expected shape, whatever the rank is: vectors of two lengths cannot be compared.
    comparable = tf.concat([shape, tf.fill([len(expected)], tf.constant(-1, tf.int64))], axis=0)[: len(expected)]
    is_free = tf.constant([size is None for size in expected])
    is_equal = comparable == tf.constant([size or 0 for size in expected], tf.int64)
    is_right = tf.logical_and(tf.size(shape) == len(expected), tf.reduce_all(is_free | is_equal))
    sentence = tf.strings.format(f"Expected {name} of shape [{text}]. Received: {{}}.", shape, summarize=-1)
    return tf.debugging.Assert(is_right, [sentence])


def _check_rows(first, num_rows, name, rows):
    sentence = f"Expected as many rows of {name} as of {first}. Received: {{}} and {{}}."
    return tf.debugging.Assert(rows == num_rows, [tf.strings.format(sentence, (rows, num_rows))])
