"""What a served model says about the prior: whether a request lies inside it."""

import numpy as np
import tensorflow as tf

from higlow_tf.data.parameters import ParameterSpace
from higlow_tf.serving.served_prior import is_inside_prior

SPACE = ParameterSpace.from_names(["Omega_m", "sigma_8"])
# Beyond the upper edge of sigma_8, 1.0, by less and by more than the tolerance of 1e-6 of the width.
EDGES = [
    ([0.1, 0.6], True),
    ([0.5, 1.0], True),
    ([0.5, 1.0 + 3e-7], True),
    ([0.5, 1.0 + 6e-7], False),
    ([0.1 - 1e-6, 0.6], False),
    ([0.3, 1.2], False),
    ([np.nan, 0.8], False),
    ([0.3, np.inf], False),
    ([-np.inf, 0.8], False),
]
THETA = np.array([theta for theta, _ in EDGES], np.float32)
IS_INSIDE = np.array([is_inside for _, is_inside in EDGES])


def test_inside_is_what_the_parameter_space_says():
    found = is_inside_prior(SPACE, tf.constant(THETA)).numpy()
    np.testing.assert_array_equal(found, IS_INSIDE)
    np.testing.assert_array_equal(found, ~SPACE.outside(THETA))


def test_inside_of_log_uniform_parameters_and_grids():
    space = ParameterSpace.from_names(["Omega_m", "A_SN1"])
    theta = np.array([[[0.3, 0.25], [0.3, 4.0]], [[0.3, 0.0], [0.3, 4.1]], [[0.5, -1.0], [0.05, 1.0]]], np.float32)
    found = is_inside_prior(space, tf.constant(theta)).numpy()
    np.testing.assert_array_equal(found, [[True, True], [False, False], [False, False]])
    np.testing.assert_array_equal(found, ~space.outside(theta))


def test_every_signature_says_which_rows_are_inside(served):
    maps = tf.constant(np.repeat(served.maps[:1], len(THETA), axis=0))
    theta = tf.constant(THETA)
    seed = tf.zeros([len(THETA), 2], tf.int64)
    found = {
        "log_prob": served.signatures["log_prob"](hi_map=maps, theta=theta),
        "sample": served.signatures["sample"](theta=theta, seed=seed, temperature=tf.ones(len(THETA))),
        "posterior": served.signatures["posterior"](hi_map=maps, theta_grid=theta[:, None]),
    }
    for name, outputs in found.items():
        np.testing.assert_array_equal(outputs["inside_prior"], IS_INSIDE, err_msg=name)


def test_a_grid_is_inside_if_all_its_points_are(served):
    grid = np.repeat(served.theta[None, :4], 3, axis=0)
    grid[1, 2, 0] = 0.6
    found = served.signatures["posterior"](hi_map=tf.constant(served.maps[:3]), theta_grid=tf.constant(grid))
    np.testing.assert_array_equal(found["inside_prior"], [True, False, True])
