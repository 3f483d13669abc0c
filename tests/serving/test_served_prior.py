"""What a served model says about the prior: whether a request lies inside it, and its own grid over it."""

import numpy as np
import pytest
import tensorflow as tf

from higlow_tf.data.parameters import ParameterSpace, ParameterSpec
from higlow_tf.inference.uniform_grid import theta_grid_over_prior
from higlow_tf.serving.served_prior import filled_grid, is_inside_prior

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


def test_an_empty_grid_is_the_models_own(served):
    own = theta_grid_over_prior(SPACE, 16).astype(np.float32)
    maps = tf.constant(served.maps[:3])
    explicit, empty = (
        served.signatures["posterior"](hi_map=maps, theta_grid=tf.constant(grid, tf.float32))
        for grid in (np.repeat(own[None], 3, axis=0), np.zeros((3, 0, 2)))
    )
    assert empty["log_prob"].shape == (3, 256)
    for name, value in explicit.items():
        np.testing.assert_array_equal(empty[name], value, err_msg=name)
    assert empty["inside_prior"].numpy().all()


def test_no_maps_and_no_points_give_no_rows(served):
    found = served.signatures["posterior"](hi_map=tf.zeros([0, 16, 16]), theta_grid=tf.zeros([0, 0, 2]))
    assert (found["log_prob"].shape, found["posterior_mean"].shape) == ((0, 256), (0, 2))


@pytest.mark.parametrize(("names", "points_per_axis"), [(1, 64), (2, 16), (3, 12)])
def test_the_own_grid_covers_the_prior(names, points_per_axis):
    space = ParameterSpace.from_names(["Omega_m", "A_SN1", "sigma_8"][:names])
    found = filled_grid(space, tf.zeros([2, 0, names])).numpy()
    assert found.shape == (2, points_per_axis**names, names)
    np.testing.assert_array_equal(found[1], theta_grid_over_prior(space, points_per_axis).astype(np.float32))
    assert not space.outside(found).any()


@pytest.mark.parametrize("num_parameters", [1, 2, 3, 4])
def test_given_points_stay_as_they_are(num_parameters):
    space = ParameterSpace(tuple(ParameterSpec(f"p{index}", "p", 0.0, 1.0) for index in range(num_parameters)))
    grid = np.random.default_rng(0).random((2, 5, num_parameters)).astype(np.float32)
    np.testing.assert_array_equal(filled_grid(space, tf.constant(grid)), grid)


def test_many_parameters_have_no_grid():
    space = ParameterSpace.from_names(["Omega_m", "sigma_8", "A_SN1", "A_AGN1"])
    sentence = r"Expected at least one point in theta_grid: a model of 4 parameters.*Received: shape \[2 0 4\]\."
    with pytest.raises(tf.errors.InvalidArgumentError, match=sentence):
        filled_grid(space, tf.zeros([2, 0, 4]))
