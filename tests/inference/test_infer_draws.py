"""Importance sampling and NUTS beside exact posteriors, and beside the grid."""

import numpy as np
import pytest
from exact_models import SIX, TWO, BrokenModel, GaussianModel, TensorFlowGaussianModel, correlated

from higlow_tf.errors import InputError
from higlow_tf.inference import Calibration, Prior, infer
from higlow_tf.inference.psis import pareto_smoothed

# Monte Carlo errors are standard normal; a correct sampler exceeds this once in 16000 comparisons.
LARGEST_Z = 4.0
NUTS = {"method": "nuts", "num_draws": 500, "num_warmup": 150}


@pytest.fixture
def cut_off():
    """A posterior that an edge of the prior cuts off, and its map."""
    model = TensorFlowGaussianModel(TWO, correlated([0.2, 0.1], -0.6))
    return model, model.maps_at([-0.95, 0.2])


def assert_agrees(draws, grid, index=0):
    """Mean and sd of draws within their Monte Carlo error of those of a grid."""
    ess = np.min(draws.diagnostics["ess"][index])
    z_mean = (draws.mean[index] - grid.mean[index]) / grid.sd[index] * np.sqrt(ess)
    z_sd = (draws.sd[index] / grid.sd[index] - 1.0) * np.sqrt(2.0 * ess)
    assert np.max(np.abs([z_mean, z_sd])) < LARGEST_Z


def test_importance_agrees_with_the_grid(cut_off):
    grid, draws = (infer(*cut_off, method=method) for method in ("grid", "importance"))
    assert_agrees(draws, grid)
    assert draws.diagnostics["pareto_k"][0] < 0.7
    assert draws.diagnostics["ess"][0] > 1000
    # A climb ends when a step gains less than 1e-3 nats, the loss at 0.045 standard deviations from a peak.
    np.testing.assert_allclose((draws.map_estimate - grid.map_estimate) / grid.sd, 0.0, atol=0.06)
    np.testing.assert_allclose(draws.at_edge, grid.at_edge, atol=0.03)


def test_nuts_agrees_with_the_grid(cut_off):
    progress = []
    grid = infer(*cut_off)
    draws = infer(*cut_off, **NUTS, progress=lambda stage, done, total: progress.append(done))
    assert_agrees(draws, grid)
    assert np.max(draws.diagnostics["r_hat"]) < 1.01
    assert np.min(draws.diagnostics["ess"]) > 500
    assert draws.diagnostics["divergences"][0] == 0
    assert draws.theta_grid.shape == (1, 2000, 2)
    assert len(progress) == 6
    assert progress == sorted(progress)
    # The kernel estimate of the density orders points as the density does, up to its noise.
    levels = [[kind.hpd_level(point[None])[0] for point in grid.sample(0, 20, seed=1)] for kind in (grid, draws)]
    np.testing.assert_allclose(*levels, atol=0.15)


@pytest.mark.slow
def test_nuts_applies_prior_and_combination(cut_off):
    model, maps = cut_off
    prior = Prior(low={"Omega_m": 0.12}, normal={"sigma_8": (0.8, 0.02)})
    arguments = {"prior": prior, "combine": "independent", "calibration": Calibration(tempering=0.6)}
    maps = np.concatenate([maps, maps + 0.1])
    assert_agrees(infer(model, maps, **NUTS, **arguments), infer(model, maps, **arguments))


def test_six_parameters_of_a_linear_model(rng):
    sd = np.array([0.1, 0.06, 0.15, 0.12, 0.08, 0.1])
    mixing = np.eye(6) + 0.3 * rng.standard_normal((6, 6))
    covariance = mixing @ mixing.T
    covariance *= np.outer(sd, sd) / np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    model = GaussianModel(SIX, covariance)
    centre = np.array([0.1, -0.2, 0.05, 0.2, -0.1, 0.0])
    posterior = infer(model, model.maps_at(centre), method="importance")
    normalized = model.parameters.normalize(posterior.theta_grid[0])
    mass = np.exp(posterior.log_posterior[0])
    mean, ess = mass @ normalized, posterior.diagnostics["ess"][0]
    assert ess > 1000
    assert np.max(np.abs(mean - centre) / sd) * np.sqrt(ess) < LARGEST_Z
    centred = normalized - mean
    estimate = (centred * mass[:, None]).T @ centred
    assert np.max(np.abs(estimate - covariance) / np.outer(sd, sd)) * np.sqrt(ess / 2) < LARGEST_Z
    peak = model.parameters.normalize(posterior.map_estimate[0])
    np.testing.assert_allclose((peak - centre) / sd, 0.0, atol=0.06)  # as above


def test_draws_depend_on_the_map_and_the_seed_alone():
    model = GaussianModel(TWO, 0.1**2 * np.eye(2))
    maps = model.maps_at([0.1, 0.1], [0.2, 0.3])
    small = {"method": "importance", "num_draws": 200}
    together, alone = infer(model, maps, **small), infer(model, maps[1:], **small)
    np.testing.assert_array_equal(together.theta_grid[1], alone.theta_grid[0])
    other = infer(model, maps[1:], seed=1, **small)
    assert np.any(other.theta_grid != alone.theta_grid)


def test_widened_draws_stay_in_the_prior(cut_off):
    widening = Calibration(widening=(0.03, 0.01))
    grid = infer(*cut_off, calibration=widening)
    draws = infer(*cut_off, method="importance", calibration=widening)
    assert_agrees(draws, grid)
    assert not grid.parameters.outside(draws.theta_grid[0]).any()


@pytest.mark.parametrize("shape", [0.3, 0.6, 1.2])
def test_pareto_k_of_known_tails(shape, rng):
    # If U is uniform, U**-k has a generalised Pareto tail of shape k. The fit has an error of 0.1 or so on 300 draws.
    estimates = [pareto_smoothed(-shape * np.log(rng.random(10000)))[1] for _ in range(5)]
    assert np.mean(estimates) == pytest.approx(shape, abs=0.15)


def test_pareto_smoothing_leaves_equal_weights_and_never_exceeds_the_largest(rng):
    np.testing.assert_array_equal(pareto_smoothed(np.full(100, 3.0))[0], np.zeros(100))
    raw = -1.5 * np.log(rng.random(1000))
    smoothed, pareto_k = pareto_smoothed(raw)
    assert pareto_k > 0.7
    assert smoothed.max() <= 0.0
    body = raw < np.quantile(raw, 0.8)
    np.testing.assert_allclose(smoothed[body], (raw - raw.max())[body])


def test_few_effective_draws_are_said():
    class FourCorners(GaussianModel):
        # A fit to one peak proposes hardly anything at the three others.
        def log_prob(self, hi_maps, theta):
            distance = np.sum((np.abs(self.parameters.normalize(theta)) - 0.7) ** 2, axis=1)
            return -0.5 * distance / 0.01**2

    model = FourCorners(TWO, np.eye(2))
    posterior = infer(model, model.maps_at([0.0, 0.0]), method="importance", num_draws=1000)
    assert "the 1000 weighted draws count as only" in posterior.notes[0]


def test_nuts_needs_gradients(cut_off):
    model = GaussianModel(TWO, 0.1**2 * np.eye(2))
    with pytest.raises(InputError, match="expected a log_prob in TensorFlow, without NumPy, for 'nuts'"):
        infer(model, model.maps_at([0.0, 0.0]), **NUTS)
    prior = Prior(log_prob=lambda theta: np.log(np.asarray(theta)[:, 0]))
    with pytest.raises(InputError, match="the prior's log_prob fails"):
        infer(*cut_off, prior=prior, **NUTS)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"method": "importance", "num_draws": 10}, "num_draws: expected an integer of at least 100"),
        ({"method": "nuts", "num_chains": 1}, "num_chains: expected an integer of at least 2"),
        ({"method": "nuts", "num_warm_up": 10}, "did you mean 'num_warmup'"),
    ],
)
def test_wrong_options(arguments, sentence):
    model = GaussianModel(TWO, np.eye(2))
    with pytest.raises(InputError, match=sentence):
        infer(model, model.maps_at([0.0, 0.0]), **arguments)


def test_importance_where_half_of_the_prior_has_no_likelihood():
    model = BrokenModel(TWO, 0.1**2 * np.eye(2))
    posterior = infer(model, model.maps_at([-0.5, 0.0]), method="importance")
    ess = posterior.diagnostics["ess"][0]
    assert np.max(np.abs(posterior.mean[0] - [0.2, 0.8]) / 0.02) * np.sqrt(ess) < LARGEST_Z
    assert "likelihoods of map 0 were NaN" in posterior.notes[0]
