"""The exact posterior against its own finer grids, closed forms, the Fisher information, and independent sums."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from higlow_tf.data import lognormal
from higlow_tf.data.lognormal.density import ring_power
from higlow_tf.data.lognormal.field import ring_variance, rings
from higlow_tf.data.lognormal.posterior import cell_centres, prior_box
from higlow_tf.errors import InputError

REFERENCE = np.array([0.3, 0.8])
FLOAT64 = 1e-10  # sums of some hundred float64 terms
DISCRETISATION = 0.01  # of the standard deviation: what the grid of `exact_marginals` promises
SIGMAS = 4.0  # a fixed seed; by chance one in 16000
P_VALUE = 1e-3  # a fixed seed; by chance one in 1000


def copies(theta, number):
    return np.repeat(np.asarray(theta)[None], number, axis=0)


@pytest.mark.parametrize("map_size", [2, 3, 7, 12, 15, 30])
def test_samples_of_any_size_have_the_power_of_their_parameters(map_size):
    """Each ring's power over its variance is a chi-squared; also at odd sizes and other than powers of two."""
    num_maps = 200
    theta = copies(REFERENCE, num_maps)
    maps = lognormal.sample(theta, map_size, seed=2, box_size_mpc_h=40.0)
    statistic = ring_power(maps).sum(axis=0) / ring_variance(theta[:1], map_size, 40.0)[0]
    tails = chi2.cdf(statistic, num_maps * rings(map_size).count)
    smallest = 0.5 * P_VALUE / len(tails)
    assert smallest < tails.min()
    assert tails.max() < 1.0 - smallest
    surprise = -lognormal.log_prob(maps, theta, 40.0)
    # Log p has variance n**2 / 2 exactly: half a chi-squared with n**2 degrees of freedom.
    error = np.sqrt(map_size**2 / 2 / num_maps)
    assert abs(surprise.mean() - lognormal.entropy(REFERENCE, map_size, 40.0)) < SIGMAS * error


@settings(deadline=None, max_examples=10)
@given(map_size=st.integers(2, 9), box_size_mpc_h=st.sampled_from([10.0, 25.0, 60.0]))
def test_rings_hold_every_mode_at_any_size(map_size, box_size_mpc_h):
    maps = lognormal.sample(REFERENCE[None], map_size, seed=0, box_size_mpc_h=box_size_mpc_h)
    modes = np.fft.fft2(np.log10(maps[0].astype(np.float64)) - 6.5, norm="ortho")
    assert ring_power(maps).sum() == pytest.approx(np.sum(np.abs(modes) ** 2), rel=FLOAT64)
    assert rings(map_size).count.sum() == map_size**2


def test_joint_posterior_multiplies_the_densities_of_the_maps():
    theta = np.repeat([[0.3, 0.8], [0.2, 0.9]], 3, axis=0)
    maps = lognormal.sample(theta, 8, seed=0)
    # Simulation 4 has the maps 0, 2, 5 and comes first; simulation 9 has the others.
    simulation = np.array([4, 9, 4, 9, 9, 4])
    joint = lognormal.exact_posterior_grid(maps, 10, simulation=simulation)
    for row, chosen in zip(joint.log_posterior, ([0, 2, 5], [1, 3, 4]), strict=True):
        expected = lognormal.log_prob_grid(maps[chosen], joint.theta_grid).sum(axis=0)
        np.testing.assert_allclose(row - row[0], expected - expected[0], atol=1e3 * FLOAT64)  # cancellation
    single = lognormal.exact_posterior_grid(maps[[1]], 10)
    alone = lognormal.exact_posterior_grid(maps[[1]], 10, simulation=[7])
    np.testing.assert_array_equal(single.log_posterior, alone.log_posterior)


def moments_on_the_prior_box(maps, points):
    """Mean, sd and correlation by brute force: one fine grid over the prior for a joint posterior."""
    axes = [cell_centres(low, high, points) for low, high in prior_box()]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)
    log_density = lognormal.log_prob_grid(maps, grid).sum(axis=0)
    mass = np.exp(log_density - log_density.max())
    mean, covariance = mass @ grid / mass.sum(), np.cov(grid.T, aweights=mass, ddof=0)
    sd = np.sqrt(np.diag(covariance))
    return mean, sd, covariance[0, 1] / np.prod(sd), (mass / mass.sum()).reshape(points, points)


@pytest.mark.parametrize(("theta", "num_maps"), [((0.3, 0.8), 1), ((0.3, 0.8), 12), ((0.1, 0.6), 3), ((0.49, 0.99), 6)])
def test_marginals_are_those_of_a_fine_grid(theta, num_maps):
    """In the middle and in corners of the prior, wide and narrow."""
    points = 300
    maps = lognormal.sample(copies(theta, num_maps), 16, seed=3)
    marginals = lognormal.exact_marginals(maps, np.zeros(num_maps, int), levels=(0.05, 0.5, 0.95))
    mean, sd, correlation, mass = moments_on_the_prior_box(maps, points)
    np.testing.assert_array_less(np.abs(marginals.mean[0] - mean), DISCRETISATION * sd)
    np.testing.assert_allclose(marginals.sd[0], sd, rtol=DISCRETISATION)
    assert marginals.correlation[0] == pytest.approx(correlation, abs=DISCRETISATION)
    for j, (low, high) in enumerate(prior_box()):
        below = np.concatenate([[0.0], np.cumsum(mass.sum(axis=1 - j))])
        levels = np.interp(marginals.quantiles[0, :, j], np.linspace(low, high, points + 1), below)
        np.testing.assert_allclose(levels, (0.05, 0.5, 0.95), atol=DISCRETISATION)


def test_marginals_follow_a_posterior_that_is_narrower_than_a_cell_of_the_prior():
    """A coarser and a finer grid agree although the first grid over the prior sees one point of the posterior."""
    maps = lognormal.sample(copies(REFERENCE, 300), 32, seed=4)
    joint = np.zeros(300, int)
    coarse = lognormal.exact_marginals(maps, joint, points_per_axis=40)
    fine = lognormal.exact_marginals(maps, joint, points_per_axis=128)
    assert np.all(fine.sd < 0.4 / 40)
    np.testing.assert_array_less(np.abs(coarse.mean - fine.mean), 3 * DISCRETISATION * fine.sd)
    np.testing.assert_allclose(coarse.sd, fine.sd, rtol=3 * DISCRETISATION)  # a third of the points of the default
    assert np.all(np.abs(fine.mean - REFERENCE) < SIGMAS * fine.sd)


def score(maps, theta, step=1e-4):
    """Gradient of log p by central differences, relative step 1e-4: wrong by 1e-8 times a third derivative."""
    columns = []
    for axis in range(2):
        offset = np.zeros(2)
        offset[axis] = step * theta[axis]
        upper, lower = (lognormal.log_prob(maps, copies(theta + sign * offset, len(maps))) for sign in (1, -1))
        columns.append((upper - lower) / (2 * offset[axis]))
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("map_size", [15, 16])
def test_fisher_information_is_the_covariance_of_the_score(map_size):
    num_maps = 2000
    maps = lognormal.sample(copies(REFERENCE, num_maps), map_size, seed=5)
    slopes = score(maps, REFERENCE)
    information = lognormal.fisher_information(REFERENCE, map_size)
    error_of_mean = np.sqrt(np.diag(information) / num_maps)
    assert np.all(np.abs(slopes.mean(axis=0)) < SIGMAS * error_of_mean)
    products = slopes[:, :, None] * slopes[:, None, :]
    assert np.all(np.abs(products.mean(axis=0) - information) < SIGMAS * products.std(axis=0) / np.sqrt(num_maps))


def test_posterior_of_many_maps_is_the_gaussian_of_the_fisher_information():
    """Means scatter about the truth with the inverse of the information, which is the posterior covariance too."""
    num_sets, maps_a_set = 60, 100
    maps = lognormal.sample(copies(REFERENCE, num_sets * maps_a_set), 16, seed=6)
    marginals = lognormal.exact_marginals(maps, np.repeat(np.arange(num_sets), maps_a_set), points_per_axis=48)
    information = maps_a_set * lognormal.fisher_information(REFERENCE, 16)
    offsets = marginals.mean - REFERENCE
    statistic = np.sum(np.einsum("ni,ij,nj->n", offsets, information, offsets))
    # A chi-squared with two degrees of freedom for each set, at leading order in 1 / maps_a_set.
    assert abs(statistic - 2 * num_sets) < SIGMAS * np.sqrt(4 * num_sets)
    bound = np.sqrt(np.diag(np.linalg.inv(information)))
    error = marginals.sd.std(axis=0) / np.sqrt(num_sets)
    # The information differs between the truth and a mean one sd away: a relative 1 / sqrt(maps_a_set), squared on
    # average, and as much again from the posterior's skewness.
    np.testing.assert_array_less(np.abs(marginals.sd.mean(axis=0) - bound), SIGMAS * error + 2 / maps_a_set * bound)


MAPS = np.ones((2, 4, 4)) * [[[1.0]], [[2.0]]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lognormal.exact_marginals(MAPS, [0]), r"simulation of each of 2 maps.*Received: .*\(1,\)"),
        (lambda: lognormal.exact_posterior_grid(MAPS, simulation=[[0, 1]]), r"each of 2 maps.*Received: .*\(1, 2\)"),
        (lambda: lognormal.exact_marginals(MAPS, levels=(0.5, 1.0)), r"levels.*Received: \[0.5, 1.0\]"),
        (lambda: lognormal.exact_marginals(MAPS, points_per_axis=1), r"points_per_axis.*Received: 1"),
        (lambda: lognormal.exact_marginals(MAPS, box_size_mpc_h=1.0), r"box_size_mpc_h.*Received: 1.0"),
    ],
)
def test_wrong_input_is_one_sentence(call, message):
    with pytest.raises(InputError, match=message):
        call()
