"""Posteriors from few likelihoods: how many, how good, and whether the estimate of the error is honest."""

import numpy as np
import pytest
from exact_models import TWO, KnownModel

from higlow_tf.inference import Calibration, PriorGrid, infer, log_likelihood_of_copies
from higlow_tf.inference.lattice import Lattice, LatticeValues

# What `infer` promises for mean and sd.
TOLERANCE_SD = 0.03


def two_modes(x):
    """A narrow mode and a wider one, of unequal mass, between the points of the first round."""
    first = -0.5 * np.sum(((x - [-0.4, 0.3]) / [0.1, 0.15]) ** 2, axis=-1)
    second = -0.5 * np.sum(((x - [0.55, -0.42]) / [0.2, 0.12]) ** 2, axis=-1)
    return np.logaddexp(first, second - 0.5)


def banana(x):
    u, v = x[:, 0] / 0.4, (x[:, 1] - 1.2 * x[:, 0] ** 2 + 0.3) / 0.15
    return -0.5 * (u**2 + v**2)


def narrow(x):
    """Curved, and a hundredth of the prior wide."""
    u, v = (x[:, 0] - 0.137) / 0.01, (x[:, 1] + 0.211) / 0.015
    return -0.5 * (u**2 + (v - 0.2 * u**2) ** 2) - 0.02 * u**4


def edge(x):
    """Falls off like an exponential from one edge, and bends at another."""
    return 12.0 * x[:, 0] - 20.0 * np.log1p(np.exp(4.0 * (x[:, 1] + 0.6)))


def bumps(x):
    return -0.5 * np.sum((x / [0.3, 0.4]) ** 2, axis=-1) + np.sin(12.0 * x[:, 0] + 2.0) * np.sin(9.0 * x[:, 1])


# The likelihood, and a box that holds its mass.
CASES = {
    "two modes": (two_modes, -1.0, 1.0),
    "banana": (banana, -1.0, 1.0),
    "narrow": (narrow, -0.5, 0.5),
    "edge": (edge, -1.0, 1.0),
    "bumps": (bumps, -1.0, 1.0),
}


def off(posterior, exact):
    """The largest error of mean and sd, in standard deviations."""
    mean, sd = exact
    return np.max(np.abs([posterior.mean[0] - mean, posterior.sd[0] - sd]) / sd)


def infer_one(model, **options):
    return infer(model, np.zeros((1, 2, 2)), **options)


@pytest.mark.parametrize("case", CASES)
def test_the_tolerance_is_kept(case):
    function, *box = CASES[case]
    model = KnownModel(TWO, function)
    posterior = infer_one(model)
    assert not any("converged" in note for note in posterior.notes)
    assert posterior.diagnostics["interpolation_error_sd"][0] <= TOLERANCE_SD
    assert off(posterior, model.moments(*box)) < TOLERANCE_SD
    assert posterior.diagnostics["num_evaluations"][0] == model.num_rows < 900


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("points_per_axis", [7, 9, 12])
def test_the_estimate_is_hardly_smaller_than_the_error(case, points_per_axis):
    """After any number of rounds, with any first lattice. An estimate of an error may be off by a factor of two."""
    function, *box = CASES[case]
    model = KnownModel(TWO, function)
    exact = model.moments(*box)
    for max_rounds in (2, 3):
        posterior = infer_one(model, points_per_axis=points_per_axis, max_rounds=max_rounds, tolerance=1e-6)
        estimate = posterior.diagnostics["interpolation_error_sd"][0]
        # A hundredth of a standard deviation is left to the cells, and to the mass beyond the box.
        assert off(posterior, exact) < 2.0 * estimate + 0.01


def test_a_coarse_grid_says_that_it_is():
    posterior = infer_one(KnownModel(TWO, narrow), max_rounds=2)
    assert "map 0: the grid has not converged: mean or sd may be off by" in posterior.notes[0]
    assert posterior.diagnostics["interpolation_error_sd"][0] > TOLERANCE_SD


def test_a_smooth_likelihood_takes_one_lattice():
    model = KnownModel(TWO, lambda x: -0.5 * np.sum(((x - 0.1) / 0.25) ** 2, axis=-1))
    assert infer_one(model).diagnostics["num_evaluations"][0] == 9**2


def test_the_estimate_is_that_of_the_calibrated_posterior():
    """Tempering and widening make a posterior wide, and then fewer points will do."""
    model = KnownModel(TWO, bumps)
    raw = infer_one(model)
    tempered = infer_one(model, calibration=Calibration(tempering=0.3))
    widened = infer_one(model, calibration=Calibration(widening=0.2))
    counts = [posterior.diagnostics["num_evaluations"][0] for posterior in (raw, tempered, widened)]
    assert counts[0] > max(counts[1:])
    assert off(tempered, model.moments(tempering=0.3)) < TOLERANCE_SD


def test_a_smaller_tolerance_takes_more_points_and_is_kept():
    model = KnownModel(TWO, bumps)
    coarse, fine = infer_one(model), infer_one(model, tolerance=1e-4)
    assert coarse.diagnostics["num_evaluations"][0] < fine.diagnostics["num_evaluations"][0]
    assert off(fine, model.moments()) < 1e-3


def test_no_point_is_evaluated_twice():
    seen = []

    def function(x):
        seen.append(x)
        return bumps(x)

    infer_one(KnownModel(TWO, function), tolerance=0.003)
    points = np.concatenate(seen)
    assert len(seen) > 1
    assert len(np.unique(points.round(9), axis=0)) == len(points)


def test_a_finer_lattice_keeps_what_is_known():
    values = LatticeValues.evaluate(banana, Lattice(-np.ones(2), np.ones(2), (5, 5)))
    asked = []

    def function(x):
        asked.append(x)
        return banana(x)

    def left_half(lattice, _):
        return lattice.points()[:, 0].reshape(lattice.shape) < 0.0

    finer = values.finer(function, np.array([0, 1]), np.array([4, 3]), np.array([2, 4]), left_half)
    assert finer.lattice.shape == (9, 9)
    np.testing.assert_allclose(finer.lattice.low, [-1.0, -0.5])
    np.testing.assert_array_equal(finer.values[::2, ::4], values.values[:, 1:4])
    # Four of nine columns are in the left half; two of these have three known points.
    assert len(asked[0]) == 4 * 9 - 2 * 3
    assert finer.is_evaluated.sum() == 4 * 9 + 3 * 3
    expected = banana(finer.lattice.points()).reshape(9, 9)
    np.testing.assert_allclose(finer.values[:4], expected[:4])


def test_likelihoods_of_a_coarser_grid_are_used_again():
    model = KnownModel(TWO, bumps)
    maps = np.zeros((2, 2, 2))
    _, coarser = log_likelihood_of_copies(model, maps, 5, 2)
    model.num_rows = 0
    theta_grid, finer = log_likelihood_of_copies(model, maps, 9, 2, coarser=coarser)
    assert model.num_rows == 2 * 2 * (9**2 - 5**2)  # maps, copies
    np.testing.assert_allclose(finer, log_likelihood_of_copies(model, maps, 9, 2)[1])
    np.testing.assert_allclose(theta_grid[[0, -1]], [model.parameters.low, model.parameters.high])


def test_errors_on_the_grid_of_a_calibration():
    """The estimate is no smaller than the error; the raw posterior needs more points than the tempered one."""
    model = KnownModel(TWO, bumps)
    errors = {}
    for tempering in (0.3, 1.0):
        grid = PriorGrid(*reversed(_on_grid(model, 8)), model.parameters)
        errors[tempering] = grid.interpolation_errors(tempering, np.zeros(2))[0]
        mass = np.exp(grid.log_mass(tempering, np.zeros(2)))[0]
        mean, sd = model.moments(tempering=tempering)
        assert np.max(np.abs(mass @ grid.points - mean) / sd) < max(errors[tempering], 0.01)
    assert errors[1.0] > errors[0.3]


def _on_grid(model, points_per_axis):
    theta_grid, log_likelihoods = log_likelihood_of_copies(model, np.zeros((1, 2, 2)), points_per_axis)
    return theta_grid, log_likelihoods[:, 0]
