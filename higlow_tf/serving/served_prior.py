"""The prior of a served model: whether a request lies inside it, and the model's own grid over it."""

import tensorflow as tf

from higlow_tf.data.parameters import EDGE_TOLERANCE
from higlow_tf.inference.uniform_grid import theta_grid_over_prior

__all__ = ["filled_grid", "is_inside_prior"]

# Points an axis of the model's own grid, by number of parameters: some hundred to some thousand points.
_POINTS_PER_AXIS = {1: 64, 2: 16, 3: 12}


def is_inside_prior(parameters, theta):
    """Which rows of theta lie inside the prior: `[..., P]` -> bool `[...]`; not those with NaN.

    It is what `ParameterSpace.outside` says, in the arithmetic that it uses.
    """
    theta = tf.cast(theta, tf.float64)
    low, high = parameters.low, parameters.high
    excess = tf.maximum(low - theta, theta - high)
    return tf.reduce_all(excess <= EDGE_TOLERANCE * (high - low), axis=-1)


def filled_grid(parameters, theta_grid):
    """Grids `[B, G, P]`, or the model's own for every row where G is 0.

    The own grid has the centres of equal cells of the prior: 64 for one parameter, 16 x 16 for two, 12 x 12 x 12 for three.
    A model of more parameters has none, and a grid without points is an error.
    """
    num_maps, num_points = tf.unstack(tf.shape(theta_grid)[:2])
    if len(parameters) not in _POINTS_PER_AXIS:
        sentence = f"Expected at least one point in theta_grid: a model of {len(parameters)} parameters has no grid of its own."
        check = tf.debugging.Assert(
            num_points > 0, [tf.strings.format(f"{sentence} Received: shape {{}}.", tf.shape(theta_grid))]
        )
        with tf.control_dependencies([check]):
            return tf.identity(theta_grid)
    own_grid = theta_grid_over_prior(parameters, _POINTS_PER_AXIS[len(parameters)])
    num_own = tf.where(num_points > 0, 0, len(own_grid))
    own_points = tf.constant(own_grid, tf.float32)[None, :num_own]
    return tf.concat([theta_grid, tf.broadcast_to(own_points, [num_maps, num_own, len(parameters)])], axis=1)
