"""The widening: its kernel, and that `infer` applies what the fit has scored."""

import numpy as np
import pytest
from exact_models import GaussianModel
from scipy.stats import norm

from higlow_tf.inference import Calibration, PriorGrid, infer, log_likelihood_on_grid
from higlow_tf.inference.cells import Cells, interpolate
from higlow_tf.inference.widening import normalized_widening, reflected_kernel, widened

EDGES = np.linspace(-1.0, 1.0, 41)
# Sums of forty shares, each a difference of numbers near one.
ROUNDINGS = 1e-13

# The grid of the fit has cells of h = 0.08 of the narrowest widened sd. Between them it interpolates the log-density linearly,
# with an error of up to h**2 / 8 nats; and mass that is spread over a cell twice adds h**2 / 6 to the variance.
TOLERANCE_NATS = 0.002
# Mean and sd of draws are compared in their Monte Carlo errors, as elsewhere.
LARGEST_Z = 4.0


def test_no_mass_is_lost_whatever_the_width():
    kernel = reflected_kernel(EDGES, np.tile(EDGES, (6, 1)), np.array([1e-9, 0.01, 0.3, 0.6, 2.0, 50.0]), -1.0, 1.0)
    np.testing.assert_allclose(kernel.sum(axis=1), 1.0, atol=ROUNDINGS)
    np.testing.assert_allclose(kernel[0], np.eye(40), atol=1e-6)  # a share of 1e-9 / 0.05 leaves a cell
    np.testing.assert_allclose(kernel[-1], 1.0 / 40, rtol=1e-9)  # a Gaussian that is much wider than the prior is flat
    np.testing.assert_allclose(kernel, np.swapaxes(kernel, 1, 2), atol=ROUNDINGS)


def test_a_batch_is_its_rows():
    targets = np.stack([EDGES[3:8], EDGES[20:25]])
    batch = reflected_kernel(EDGES, targets, np.array([0.1, 0.4]), -1.0, 1.0)
    for row, target, sd in zip(batch, targets, (0.1, 0.4), strict=True):
        np.testing.assert_allclose(row, reflected_kernel(EDGES, target, sd, -1.0, 1.0), atol=ROUNDINGS)


def test_shares_far_from_the_source_are_those_of_the_gaussian():
    """Twelve standard deviations away a share is 1e-33, and still right: a truth in the tail has a score."""
    edges = np.linspace(-1.0, 1.0, 2001)
    kernel = reflected_kernel(edges, edges, 0.05, -1.0, 1.0)
    distance = 1e-3 * (np.arange(2000) - 1000)
    found, expected = kernel[:, 1000], 1e-3 * norm.pdf(distance, scale=0.05)
    # Cells of a fiftieth of the sd: far out the density is curved, (12 / 50)**2 / 6 = 1 %.
    near = np.abs(distance) < 0.6
    np.testing.assert_allclose(found[near], expected[near], rtol=0.012)


def test_reflection_at_the_edges():
    low, high = np.array([-1.0]), np.array([1.0])
    cells = Cells(low, np.array([-0.9]), (10,))
    _, box = widened(np.full(10, -np.log(10.0)), cells, np.array([50.0]), low, high)
    assert (box.low, box.high) == (-1.0, 1.0)
    cells = Cells(low, np.array([-0.8]), (200,))
    log_mass, box = widened(np.full(200, -np.log(200.0)), cells, np.array([0.1]), low, high)
    assert np.exp(log_mass).sum() == pytest.approx(1.0, abs=1e-4)  # what lies beyond 4.5 standard deviations
    # Reflected, the uniform mass in [-1, -0.8] is one in [-1.2, -0.8]: symmetric about the edge, flat there.
    assert log_mass[0] == pytest.approx(log_mass[1], abs=1e-3)
    assert np.exp(log_mass) @ box.points()[:, 0] == pytest.approx(-1.0 + _mean_of_folded(0.2, 0.1), abs=1e-3)


def _mean_of_folded(width, sd):
    rng = np.random.default_rng(0)
    x = width * rng.random(10**6) + sd * rng.standard_normal(10**6)
    return np.abs(x).mean()


def test_units_are_those_of_theta():
    model = GaussianModel(["Omega_m", "A_SN1"], np.eye(2))
    mean = model.parameters.normalize([[0.3, 0.5], [0.2, 2.0]])
    sd = normalized_widening(model.parameters, (0.02, 0.1), mean)
    # Omega_m: 0.02 of half a width of 0.2. A_SN1: d log = 0.1 / theta of half a width of log 4.
    np.testing.assert_allclose(sd, [[0.1, 0.2 / np.log(4.0)], [0.1, 0.05 / np.log(4.0)]])


# Name, sd of the likelihood, widening, centres of the likelihood and truths; next to an edge that reflects, too.
CASES = {
    "linear": ("Omega_m", 0.05, 0.03, [[0.1], [-0.93]], [[0.35], [-0.7]]),
    # So wide that the mean of theta is not that of its logarithm: the fit and `infer` must take the same.
    "log-uniform": ("A_SN1", 0.2, 0.5, [[-0.1], [-0.9]], [[0.7], [-0.1]]),
}


@pytest.fixture(params=CASES)
def case(request):
    """A model of one parameter, its maps, their truths, and a calibration that widens the posteriors by half or more."""
    name, sd, widening, centres, truths = CASES[request.param]
    model = GaussianModel([name], [[sd**2]])
    calibration = Calibration(tempering=0.6, widening=widening)
    return model, model.maps_at(*centres), model.parameters.denormalize(truths), calibration


def test_infer_has_the_density_at_the_truth_that_the_fit_scores(case):
    model, maps, truth, calibration = case
    theta_grid, log_likelihood = log_likelihood_on_grid(model, maps, points_per_axis=48)
    grid = PriorGrid(log_likelihood, theta_grid, model.parameters)
    scored = grid.log_density_ratio(calibration.tempering, calibration.widening_of(1), truth)
    posterior = infer(model, maps, calibration=calibration)
    np.testing.assert_allclose(log_density_ratio(posterior, truth), scored, atol=TOLERANCE_NATS)
    # The widening matters far more than the tolerance.
    raw = grid.log_density_ratio(calibration.tempering, (0.0,), truth)
    assert np.all(np.abs(raw - scored) > 50 * TOLERANCE_NATS)


def log_density_ratio(posterior, truth):
    """Log of posterior over prior density at the truth, read off the cells that `infer` returns."""
    at_truth = []
    for log_mass, box, point in zip(
        posterior.log_posterior, posterior.boxes, posterior.parameters.normalize(truth), strict=True
    ):
        cells = Cells(*box, posterior.shape)
        at_truth.append(interpolate(log_mass, cells, [point]).item() - np.log(cells.width.item() / 2.0))
    return np.array(at_truth)


def test_the_grid_of_the_fit_has_the_moments_of_infer(case):
    model, maps, _, calibration = case
    theta_grid, log_likelihood = log_likelihood_on_grid(model, maps, points_per_axis=48)
    grid = PriorGrid(log_likelihood, theta_grid, model.parameters)
    mass = np.exp(grid.log_mass(calibration.tempering, calibration.widening_of(1)))
    mean = (mass @ grid.points)[:, 0]
    sd = np.sqrt(mass @ grid.points[:, 0] ** 2 - mean**2)
    posterior = infer(model, maps, calibration=calibration)
    # As above: the variance grows by h**2 / 6.
    np.testing.assert_allclose((mean - posterior.mean[:, 0]) / sd, 0.0, atol=TOLERANCE_NATS)
    np.testing.assert_allclose(sd, posterior.sd[:, 0], rtol=TOLERANCE_NATS)


def test_draws_are_widened_as_the_grid_is(case):
    model, maps, _, calibration = case
    grid, draws = (infer(model, maps, method=method, calibration=calibration) for method in ("grid", "importance"))
    z_mean = (draws.mean - grid.mean) / grid.sd * np.sqrt(draws.diagnostics["ess"])[:, None]
    z_sd = (draws.sd / grid.sd - 1.0) * np.sqrt(2.0 * draws.diagnostics["ess"])[:, None]
    assert np.max(np.abs([z_mean, z_sd])) < LARGEST_Z
