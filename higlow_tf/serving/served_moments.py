"""Mean, standard deviation and covariance of a served posterior: over the points of a request, or over the model's own grid."""

import numpy as np
import tensorflow as tf

from higlow_tf.inference.cells import Cells
from higlow_tf.inference.lattice import Lattice, spline_through
from higlow_tf.inference.uniform_grid import theta_lattice_over_prior

__all__ = ["OWN_GRID", "own_moments", "moments", "with_own_grid"]

# Points an axis of the model's own grid, which splines go through, and cells an axis over which their posterior is summed, by
# number of parameters.
OWN_GRID = {1: 17, 2: 9, 3: 9}
_CELLS = {1: 256, 2: 64, 3: 32}


def with_own_grid(parameters, theta_grid):
    """Grids `[B, G, P]`, or the model's own for every row where G is 0.

    The own grid has equally spaced points of the prior, edges included (in log for log-uniform parameters): 17 for one
    parameter, 9 x 9 for two, 9 x 9 x 9 for three. A model of more parameters has none, and a grid without points is an error.
    """
    num_maps, num_points = tf.unstack(tf.shape(theta_grid)[:2])
    num_parameters = len(parameters)
    if num_parameters not in OWN_GRID:
        sentence = (
            f"Expected at least one point in theta_grid: a model of {num_parameters} parameters has no grid of its own."
        )
        check = tf.debugging.Assert(
            num_points > 0, [tf.strings.format(f"{sentence} Received: shape {{}}.", tf.shape(theta_grid))]
        )
        with tf.control_dependencies([check]):
            return tf.identity(theta_grid)
    own_grid = theta_lattice_over_prior(parameters, OWN_GRID[num_parameters])
    num_own = tf.where(num_points > 0, 0, len(own_grid))
    own_points = tf.constant(own_grid, tf.float32)[None, :num_own]
    return tf.concat([theta_grid, tf.broadcast_to(own_points, [num_maps, num_own, num_parameters])], axis=1)


def moments(log_likelihood, theta_grid, tempering, widening):
    """Moments of the calibrated posterior on points of equal prior mass.

    Math:
        weight = softmax(tempering * log_likelihood) over the points
        mean = sum(weight * theta)
        covariance = sum(weight * outer(theta - mean, theta - mean)) + diag(widening**2);  sd = sqrt(diag(covariance))

    Args:
        log_likelihood: `[B, G]` nats.
        theta_grid: `[B, G, P]`, or `[1, G, P]` for all maps.
        tempering: Factor of the log-likelihood.
        widening: One number a parameter `[P]`, or one for all; in the units of theta.

    Returns:
        The triple (mean, sd, covariance), `[B, P]`, `[B, P]` and `[B, P, P]`; NaN in a row where a log-likelihood is NaN, never a
        flat guess.
    """
    # The maximum is taken off first: a log_prob of 1e4 has a float32 spacing of 1e-3, and a product would round once more.
    relative = log_likelihood - tf.reduce_max(log_likelihood, axis=1, keepdims=True)
    weights = tf.nn.softmax(tempering * relative, axis=1)[..., None]
    mean = tf.reduce_sum(weights * theta_grid, axis=1)
    offset = theta_grid - mean[:, None]
    covariance = tf.linalg.matmul(weights * offset, offset, transpose_a=True)
    # Of a product in floating point neither side is the mirror image of the other.
    covariance = 0.5 * (covariance + tf.linalg.matrix_transpose(covariance))
    added = tf.broadcast_to(tf.constant(widening, covariance.dtype) ** 2, theta_grid.shape[-1:])
    covariance += tf.linalg.diag(added)
    return mean, tf.sqrt(tf.linalg.diag_part(covariance)), covariance


def own_moments(parameters, log_likelihood, tempering, widening):
    """The same for log-likelihoods on the model's own grid.

    A cubic spline through its points gives the log-likelihood on the cells of a fine grid, and the moments are those of the
    cells. The spline is linear in the values: it is a matrix an axis.

    Args:
        parameters: `ParameterSpace` of one to three parameters.
        log_likelihood: `[B, G]` nats on the points of `with_own_grid`.
        tempering, widening: As above.

    Returns:
        The triple (mean, sd, covariance), float32 `[B, P]`, `[B, P]` and `[B, P, P]`.
    """
    num_parameters = len(parameters)
    num_nodes, num_cells = OWN_GRID[num_parameters], _CELLS[num_parameters]
    edge = np.ones(num_parameters)
    cells = Cells(-edge, edge, (num_cells,) * num_parameters)
    nodes = Lattice(-edge, edge, (num_nodes,) * num_parameters).axes[0]
    spline = tf.constant(spline_through(nodes, np.eye(num_nodes), cells.centres(0), axis=0))
    highest = tf.reduce_max(log_likelihood, axis=1, keepdims=True)
    values = tf.reshape(tf.cast(log_likelihood - highest, tf.float64), [-1] + [num_nodes] * num_parameters)
    for _ in range(num_parameters):  # the first axis of the points comes last each time
        values = tf.tensordot(values, spline, [[1], [1]])
    values = tf.reshape(values, [-1, num_cells**num_parameters])
    found = moments(values, tf.constant(parameters.denormalize(cells.points()))[None], tempering, widening)
    return tuple(tf.cast(moment, tf.float32) for moment in found)
