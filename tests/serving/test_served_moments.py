"""Moments of a served posterior: on the points of a request, and on the model's own grid, where a spline gives them."""

import numpy as np
import pytest
import tensorflow as tf

from higlow_tf.data.parameters import ParameterSpace, ParameterSpec
from higlow_tf.inference import Calibration, infer
from higlow_tf.inference.uniform_grid import theta_grid_over_prior, theta_lattice_over_prior
from higlow_tf.serving.served_moments import moments, own_moments, with_own_grid

SPACE = ParameterSpace.from_names(["Omega_m", "sigma_8"])
NAMES = ["Omega_m", "A_SN1", "sigma_8"]


def test_an_empty_grid_is_the_models_own(served):
    own = theta_lattice_over_prior(SPACE, 9).astype(np.float32)
    maps = tf.constant(served.maps[:3])
    explicit, empty = (
        served.signatures["posterior"](hi_map=maps, theta_grid=tf.constant(grid, tf.float32))
        for grid in (np.repeat(own[None], 3, axis=0), np.zeros((3, 0, 2)))
    )
    assert empty["log_prob"].shape == (3, 81)
    np.testing.assert_array_equal(empty["log_prob"], explicit["log_prob"])
    assert empty["inside_prior"].numpy().all()
    # The spline is summed over cells, the points of a request as they are: edges weigh too much there.
    assert np.abs(empty["posterior_sd"] - explicit["posterior_sd"]).max() > 1e-3


def test_the_own_grid_gives_the_posterior_of_infer(served):
    # The widening of `infer` is a convolution with reflection, that of a served model a sum of variances: none here.
    calibration = Calibration(tempering=served.calibration["tempering"], num_symmetries=2)
    found = infer(served.model, served.maps[:4], calibration=calibration)
    values = served.signatures["posterior"](
        hi_map=tf.constant(served.maps[:4]), theta_grid=tf.zeros([4, 0, 2], tf.float32)
    )
    sd = np.sqrt(values["posterior_sd"].numpy() ** 2 - np.array(served.calibration["widening"]) ** 2)
    assert np.abs((values["posterior_mean"] - found.mean) / found.sd).max() < 0.02
    np.testing.assert_allclose(sd, found.sd, rtol=0.02)


@pytest.mark.parametrize("num_parameters", [1, 2, 3])
def test_moments_of_a_gaussian_likelihood_are_those_of_a_dense_sum(num_parameters):
    space = ParameterSpace.from_names(NAMES[:num_parameters])
    centre, sd = np.array([0.2, -0.95, 0.4])[:num_parameters], np.array([0.15, 0.3, 0.2])[:num_parameters]

    def log_likelihood(theta):
        z = (space.normalize(theta) - centre) / sd
        return (
            9e3 - 0.5 * np.sum(z**2, axis=-1) + 0.4 * z[..., 0] * z[..., -1]
        )  # correlated, and narrower for one parameter

    nodes = with_own_grid(space, tf.zeros([1, 0, num_parameters]))[0]
    found = own_moments(space, tf.constant(log_likelihood(nodes.numpy())[None], tf.float32), 0.5, 0.02)
    dense = theta_grid_over_prior(space, {1: 4000, 2: 300, 3: 60}[num_parameters])
    expected = moments(tf.constant(log_likelihood(dense)[None]), tf.constant(dense)[None], 0.5, 0.02)
    for mine, theirs in zip(found[:2], expected[:2], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=5e-3)
    scale = np.einsum("bp,bq->bpq", expected[1], expected[1])
    np.testing.assert_allclose(found[2] / scale, expected[2] / scale, atol=5e-3)
    assert (expected[2] / scale)[0, 0, -1] > 0.1


def test_the_points_of_a_request_have_equal_weights():
    theta = np.array([[[0.1, 0.6], [0.3, 0.8], [0.5, 1.0]]])
    log_likelihood = tf.constant([[0.0, np.log(2.0), 0.0]], tf.float64)
    mean, sd, covariance = moments(log_likelihood, tf.constant(theta), 1.0, [0.0, 0.1])
    np.testing.assert_allclose(mean, [[0.3, 0.8]])
    np.testing.assert_allclose(sd, np.sqrt([[0.02, 0.03]]))
    np.testing.assert_allclose(covariance, [[[0.02, 0.02], [0.02, 0.03]]])


def test_a_row_with_nan_is_nan_and_no_other():
    log_likelihood = np.zeros((2, 81), np.float32)
    log_likelihood[1, 40] = np.nan
    for values in own_moments(SPACE, tf.constant(log_likelihood), 1.0, 0.0):
        is_nan = np.isnan(values)
        assert not is_nan[0].any()
        assert is_nan[1].all()


def test_no_maps_and_no_points_give_no_rows(served):
    found = served.signatures["posterior"](hi_map=tf.zeros([0, 16, 16]), theta_grid=tf.zeros([0, 0, 2]))
    assert (found["log_prob"].shape, found["posterior_mean"].shape) == ((0, 81), (0, 2))


@pytest.mark.parametrize(("num_parameters", "points_per_axis"), [(1, 17), (2, 9), (3, 9)])
def test_the_own_grid_covers_the_prior(num_parameters, points_per_axis):
    space = ParameterSpace.from_names(NAMES[:num_parameters])
    found = with_own_grid(space, tf.zeros([2, 0, num_parameters])).numpy()
    assert found.shape == (2, points_per_axis**num_parameters, num_parameters)
    np.testing.assert_array_equal(found[1], theta_lattice_over_prior(space, points_per_axis).astype(np.float32))
    assert not space.outside(found).any()


@pytest.mark.parametrize("num_parameters", [1, 2, 3, 4])
def test_given_points_stay_as_they_are(num_parameters):
    space = ParameterSpace(tuple(ParameterSpec(f"p{index}", "p", 0.0, 1.0) for index in range(num_parameters)))
    grid = np.random.default_rng(0).random((2, 5, num_parameters)).astype(np.float32)
    np.testing.assert_array_equal(with_own_grid(space, tf.constant(grid)), grid)


def test_many_parameters_have_no_grid():
    space = ParameterSpace.from_names(["Omega_m", "sigma_8", "A_SN1", "A_AGN1"])
    sentence = r"Expected at least one point in theta_grid: a model of 4 parameters.*Received: shape \[2 0 4\]\."
    with pytest.raises(tf.errors.InvalidArgumentError, match=sentence):
        with_own_grid(space, tf.zeros([2, 0, 4]))
