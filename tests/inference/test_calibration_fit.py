"""The repair fit on likelihoods whose repair is known."""

import numpy as np
import pytest

from higlow_tf.data.parameters import ParameterSpace, ParameterSpec
from higlow_tf.errors import InputError
from higlow_tf.inference.calibration import Calibration
from higlow_tf.inference.calibration_fit import fit_calibration
from higlow_tf.inference.prior_grid import PriorGrid

SPACE = ParameterSpace.from_names(["Omega_m", "sigma_8"])
SD = 0.05
NUM_POINTS = 16


def grid_of(space, num_points=NUM_POINTS):
    axis = (np.arange(num_points) + 0.5) / num_points * 2 - 1
    axes = np.meshgrid(*[axis] * len(space), indexing="ij")
    return space.denormalize(np.stack([a.ravel() for a in axes], axis=-1))


def applied(log_likelihood, theta_grid, space, calibration):
    """Points and masses of the calibrated posterior."""
    grid = PriorGrid(log_likelihood, theta_grid, space)
    return grid.points, np.exp(grid.log_mass(calibration.tempering, calibration.widening_of(len(space))))


def cases(num_simulations, maps=1, *, sharpness=1.0, unseen=0.0, correlation=0.0, seed=0):
    """Gaussian likelihoods round noisy estimates of truths in the prior.

    `sharpness` multiplies the log-likelihood, `unseen` is an error of the estimate in the second parameter that the
    likelihood does not know, `correlation` that of the errors of maps of a simulation.
    """
    rng = np.random.default_rng(seed)
    truth = np.repeat(SPACE.sample_uniform(num_simulations, seed), maps, axis=0)
    sd = SD * np.exp(rng.uniform(-0.7, 0.7, size=(len(truth), 1))) if unseen else SD
    common = np.repeat(rng.normal(size=(num_simulations, 2)), maps, axis=0)
    noise = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * rng.normal(size=truth.shape)
    estimate = truth + sd * noise + [0.0, unseen] * rng.normal(size=truth.shape)
    grid = grid_of(SPACE)
    distance2 = np.sum(((grid - estimate[:, None]) / np.reshape(sd, (-1, 1, 1))) ** 2, axis=-1)
    return -0.5 * sharpness * distance2, grid, truth, np.repeat(np.arange(num_simulations), maps)


@pytest.mark.parametrize("sharpness", [1.0, 6.0])
def test_tempering_undoes_a_likelihood_that_is_too_sharp(sharpness):
    fit = fit_calibration(*cases(150, sharpness=sharpness), SPACE, label="made up")
    tempering = fit.calibration.tempering
    assert abs(tempering - 1 / sharpness) < 4 * fit.tempering_error < 0.6 / sharpness
    # The relative error of a variance from 300 squares is sqrt(2 / 300) = 8 %; the edges of the prior take some away.
    assert fit.tempering_error == pytest.approx(0.082 / sharpness, rel=0.4)
    assert fit.calibration.widening == (0.0, 0.0)
    assert fit.gain_nats > fit.raw_gain_nats - 0.05
    assert fit.calibration.num_simulations == 150
    assert fit.calibration.label == "made up"
    assert fit.calibration.map_correlation is None
    assert fit.map_correlation_error is None


def test_widening_is_found_where_the_likelihood_lacks_an_error():
    fit = fit_calibration(*cases(120, unseen=0.06), SPACE)
    widening = fit.calibration.widening
    assert widening[0] == fit.widening_error[0] == 0.0
    assert abs(widening[1] - 0.06) < 4 * fit.widening_error[1]
    assert 0.002 < fit.widening_error[1] < 0.02
    assert fit.calibration.tempering == pytest.approx(1.0, abs=0.4)
    assert fit.gain_nats > fit.raw_gain_nats + 0.2


@pytest.mark.parametrize("correlation", [0.0, 0.4])
def test_correlation_of_maps_of_a_simulation(correlation):
    fit = fit_calibration(*cases(40, 4, sharpness=2.0, correlation=correlation), SPACE)
    found = fit.calibration.map_correlation
    assert abs(found - correlation) < max(4 * fit.map_correlation_error, 0.05)
    assert fit.map_correlation_error < 0.2


def test_copies_of_a_map_change_nothing_and_are_seen():
    log_likelihood, grid, truth, simulation = cases(40, sharpness=3.0)
    rows = np.concatenate([np.arange(40), np.arange(20), np.arange(20)])
    once = fit_calibration(log_likelihood, grid, truth, simulation, SPACE)
    copies = fit_calibration(log_likelihood[rows], grid, truth[rows], simulation[rows], SPACE)
    assert copies.calibration.tempering == pytest.approx(once.calibration.tempering, rel=0.01)
    assert copies.tempering_error == pytest.approx(once.tempering_error, rel=0.05)
    assert copies.calibration.map_correlation > 0.8


def test_few_simulations_stay_sensible():
    found = [fit_calibration(*cases(5, seed=seed), SPACE, num_bootstrap=20).calibration for seed in range(6)]
    assert all(0.2 < calibration.tempering < 1.5 for calibration in found)
    assert max(max(calibration.widening) for calibration in found) < 2 * SD


def test_order_of_the_grid_does_not_matter():
    log_likelihood, grid, truth, simulation = cases(20, sharpness=3.0)
    order = np.random.default_rng(0).permutation(len(grid))
    fit = fit_calibration(log_likelihood, grid, truth, simulation, SPACE, num_bootstrap=10)
    other = fit_calibration(log_likelihood[:, order], grid[order], truth, simulation, SPACE, num_bootstrap=10)
    assert other == fit
    calibration = Calibration(0.5, (0.02, 0.01))
    mass = applied(log_likelihood, grid, SPACE, calibration)[1]
    np.testing.assert_allclose(applied(log_likelihood[:, order], grid[order], SPACE, calibration)[1], mass, atol=1e-12)


def test_applied_on_the_grid():
    """In the middle of the prior the variance of a tempered and widened Gaussian is sd**2 / t + w**2."""
    grid = grid_of(SPACE, 48)
    log_likelihood = -0.5 * np.sum(((grid - [0.3, 0.8]) / 0.02) ** 2, axis=1)[None]
    points, mass = applied(log_likelihood, grid, SPACE, Calibration(0.5, (0.03, 0.0)))
    assert mass.sum() == pytest.approx(1.0)
    variance = mass[0] @ (points - [0.3, 0.8]) ** 2
    # Mass counts as spread over its cell, which adds a twelfth of its width squared where there is a widening.
    assert variance == pytest.approx([0.02**2 / 0.5 + 0.03**2, 0.02**2 / 0.5], rel=0.01)


def test_widening_is_reflected_at_the_edge():
    space = ParameterSpace.from_names(["Omega_m"])
    grid = grid_of(space, 64)
    log_likelihood = -0.5 * ((grid[:, 0] - 0.1) / 0.01)[None] ** 2
    points, mass = applied(log_likelihood, grid, space, Calibration(1.0, 0.05))
    # Half a Gaussian of variance sd**2 + w**2: its mean square about the edge is that variance.
    assert mass[0] @ (points[:, 0] - 0.1) ** 2 == pytest.approx(0.01**2 + 0.05**2, rel=0.02)


def test_log_uniform_parameters_are_widened_in_their_logarithm():
    space = ParameterSpace((ParameterSpec("A", "A", 0.25, 4.0, "log"),))
    grid = grid_of(space, 128)
    log_likelihood = -0.5 * (np.log(grid[:, 0] / 2.0) / 0.05)[None] ** 2
    points, mass = applied(log_likelihood, grid, space, Calibration(1.0, 0.3))
    variance = mass[0] @ np.log(points[:, 0] / 2.0) ** 2
    assert variance == pytest.approx(0.05**2 + (0.3 / 2.0) ** 2, rel=0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"theta_grid": grid_of(SPACE)[:-1]}, r"log_likelihood, theta_grid: .*Received: \(6, 256\) and \(255, 2\)"),
        ({"theta_grid": 0.9 * grid_of(SPACE)}, r"a regular grid over the prior.*Received: 256 points with \[16, 16\]"),
        ({"theta_grid": grid_of(SPACE)[np.r_[0:255, 0]]}, "theta_grid: expected every point once"),
        (
            {"log_likelihood": np.full((6, 256), np.nan)},
            "expected a finite number in every row. Received: none in row 0",
        ),
        ({"truth": np.full((6, 2), 0.3)}, "truth: expected parameters in the prior.*sigma_8"),
        ({"truth": np.zeros((5, 2))}, r"truth, simulation: .*Received: \(5, 2\)"),
        ({"simulation": [0, 0, 1, 1, 2, 2]}, "at least 4 simulations. Received: 3"),
    ],
)
def test_wrong_input(change, message):
    arguments = dict(zip(("log_likelihood", "theta_grid", "truth", "simulation"), cases(6), strict=True))
    with pytest.raises(InputError, match=message):
        fit_calibration(**(arguments | change), parameters=SPACE)


def test_likelihoods_that_are_not_finite_somewhere_are_used():
    log_likelihood, grid, truth, simulation = cases(20)
    log_likelihood[:, 0] = -np.inf
    log_likelihood[3, 5] = np.nan
    assert np.isfinite(fit_calibration(log_likelihood, grid, truth, simulation, SPACE, num_bootstrap=10).gain_nats)
