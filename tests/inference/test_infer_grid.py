"""The adaptive grid beside posteriors that are known."""

import numpy as np
import pytest
from exact_models import TWO, BrokenModel, GaussianModel, LognormalModel, correlated
from scipy.stats import kstest, truncnorm

from higlow_tf.data import lognormal
from higlow_tf.data.parameters import ParameterSpec
from higlow_tf.errors import InputError
from higlow_tf.inference import infer

# The tolerance that is asked for where it matters: mean and sd to this share of the sd.
TOLERANCE_SD = 0.01
# Of a Gaussian: the spline of its log-density is exact, and so are sums over points closer than a standard deviation.
GAUSSIAN_TOLERANCE_SD = 1e-3


@pytest.mark.parametrize("rho", [0.0, -0.95])
@pytest.mark.parametrize("sd", [0.004, 0.05])
def test_gaussian_moments(sd, rho):
    model = GaussianModel(TWO, correlated([sd, 0.7 * sd], rho))
    maps = model.maps_at([0.1, -0.2], [-0.53, 0.61])
    posterior = infer(model, maps)
    exact_sd = np.sqrt(np.diag(model.covariance)) / 5.0  # half of the prior's width is 0.2
    exact_mean = model.parameters.denormalize(maps[:, 0])
    np.testing.assert_allclose((posterior.mean - exact_mean) / exact_sd, 0.0, atol=GAUSSIAN_TOLERANCE_SD)
    np.testing.assert_allclose(posterior.sd / exact_sd, 1.0, atol=5 * GAUSSIAN_TOLERANCE_SD)
    np.testing.assert_allclose((posterior.map_estimate - exact_mean) / exact_sd, 0.0, atol=GAUSSIAN_TOLERANCE_SD)
    correlation = posterior.covariance[:, 0, 1] / posterior.sd.prod(axis=1)
    np.testing.assert_allclose(correlation, rho, atol=5 * GAUSSIAN_TOLERANCE_SD)
    assert posterior.notes == ()
    # 9 x 9 points over the prior, then ever smaller boxes; the narrow and correlated one takes most.
    assert posterior.diagnostics["num_evaluations"].max() <= 400


@pytest.mark.parametrize(("names", "num_cases"), [(["Omega_m"], 200), (TWO, 1000), ((*TWO, "A_SN1"), 30)])
def test_hpd_level_of_the_truth_is_uniform(names, num_cases, rng):
    # Wide likelihoods: a third of the posteriors is cut off by the prior.
    model = GaussianModel(names, 0.3**2 * (0.5 * np.eye(len(names)) + 0.5))
    theta = model.parameters.sample_uniform(num_cases, seed=1)
    posterior = infer(model, model.simulate(theta, rng))
    levels = posterior.hpd_level(theta)
    assert kstest(levels, "uniform").pvalue > 0.01
    assert abs(np.mean(levels < 0.68) - 0.68) < 3 * np.sqrt(0.68 * 0.32 / num_cases)


def test_hpd_level_of_a_gaussian_is_that_of_its_ellipse(rng):
    model = GaussianModel(TWO, correlated([0.05, 0.03], 0.8))
    maps = np.zeros((50, 1, 2))
    normalized = rng.multivariate_normal([0.0, 0.0], model.covariance, 50)
    distance = np.einsum("ni,ij,nj->n", normalized, model.precision, normalized)
    levels = infer(model, maps).hpd_level(model.parameters.denormalize(normalized))
    # A cell of 0.05 standard deviations is in or out.
    np.testing.assert_allclose(levels, 1.0 - np.exp(-0.5 * distance), atol=0.01)


def test_log_likelihoods_beyond_the_digits_of_a_float_give_an_answer():
    """As of a map in other units: a distance of some nats from the peak is lost in rounding."""
    model = GaussianModel(TWO, 1e-24 * np.eye(2))
    posterior = infer(model, model.maps_at([0.1, -0.2]))
    exact_mean = model.parameters.denormalize(np.array([[0.1, -0.2]]))
    # Within one spacing of the first points: 2 / 8 of the normalised prior, whose half width is 0.2.
    np.testing.assert_allclose(posterior.mean, exact_mean, atol=0.05)
    assert np.isfinite(posterior.sd).all()


def test_flat_posterior():
    model = GaussianModel(TWO, 1e12 * np.eye(2))
    posterior = infer(model, model.maps_at([0.0, 0.0]))
    np.testing.assert_allclose(posterior.at_edge, 0.02, rtol=1e-6)
    np.testing.assert_allclose(posterior.hpd_level([[0.12, 0.93]]), 0.5, atol=1e-6)


def test_truncated_posterior_says_so():
    model = GaussianModel(["Omega_m"], [[0.2**2]])
    posterior = infer(model, model.maps_at([-1.1]))
    exact = truncnorm(0.1 / 0.2, 2.1 / 0.2, loc=-1.1, scale=0.2)
    normalized_mean = model.parameters.normalize(posterior.mean)[0, 0]
    assert abs(normalized_mean - exact.mean()) < TOLERANCE_SD * exact.std()
    assert abs(posterior.sd[0, 0] / (0.2 * exact.std()) - 1.0) < TOLERANCE_SD
    assert posterior.map_estimate[0, 0] == pytest.approx(0.1)
    # Cells of half of the outer 2 % are cut linearly.
    assert posterior.at_edge[0, 0] == pytest.approx(exact.cdf(-0.96), rel=0.02)
    assert "map 0: " in posterior.notes[0]
    assert "of the posterior of Omega_m lies in the outer 2 % of its prior" in posterior.notes[0]
    assert posterior.hpd_level([[0.05]]) == [1.0]


def test_three_parameters_one_of_them_logarithmic():
    names = (*TWO, "A_SN1")
    model = GaussianModel(names, np.diag([0.1, 0.06, 0.05]) ** 2)
    posterior = infer(model, model.maps_at([0.2, -0.1, 0.3]))
    normalized = model.parameters.normalize(posterior.theta_grid[0])
    mass = np.exp(posterior.log_posterior[0])
    mean = mass @ normalized
    np.testing.assert_allclose((mean - [0.2, -0.1, 0.3]) / [0.1, 0.06, 0.05], 0.0, atol=TOLERANCE_SD)
    np.testing.assert_allclose(np.sqrt(mass @ (normalized - mean) ** 2), [0.1, 0.06, 0.05], rtol=TOLERANCE_SD)


@pytest.mark.parametrize(("options", "tolerance_sd"), [({}, 0.03), ({"tolerance": 0.001}, TOLERANCE_SD)])
def test_lognormal_maps_agree_with_the_exact_posterior(options, tolerance_sd):
    theta = np.array([[0.3, 0.8], [0.2, 0.7], [0.42, 0.9]])
    maps = lognormal.sample(theta, map_size=16, seed=0)
    posterior = infer(LognormalModel(), maps, **options)
    exact = lognormal.exact_posterior_grid(maps, points_per_axis=200)
    np.testing.assert_allclose((posterior.mean - exact.mean) / exact.sd, 0.0, atol=tolerance_sd)
    np.testing.assert_allclose(posterior.sd / exact.sd, 1.0, atol=tolerance_sd)


def test_a_map_does_not_depend_on_the_others(rng):
    model = GaussianModel(TWO, 0.1**2 * np.eye(2))
    maps = model.simulate(model.parameters.sample_uniform(5, seed=0), rng)
    together, alone = infer(model, maps), infer(model, maps[3:4])
    np.testing.assert_array_equal(together.log_posterior[3], alone.log_posterior[0])
    np.testing.assert_array_equal(together.theta_grid[3], alone.theta_grid[0])


def test_two_modes_are_both_kept():
    class TwoModes(GaussianModel):
        def log_prob(self, hi_maps, theta):
            return np.logaddexp(super().log_prob(hi_maps, theta), super().log_prob(-hi_maps, theta))

    model = TwoModes(TWO, 0.05**2 * np.eye(2))
    posterior = infer(model, model.maps_at([0.6, 0.6]))
    np.testing.assert_allclose(posterior.mean, [[0.3, 0.8]], atol=1e-3 * 0.12)
    np.testing.assert_allclose(posterior.sd, 0.2 * np.hypot(0.6, 0.05), rtol=TOLERANCE_SD)


def test_too_few_rounds_are_said():
    model = GaussianModel(TWO, 0.001**2 * np.eye(2))
    posterior = infer(model, model.maps_at([0.111, 0.222]), max_rounds=2)
    assert "map 0: the grid has not converged" in posterior.notes[0]


def test_some_nan_likelihoods_count_as_zero():
    model = BrokenModel(TWO, 0.1**2 * np.eye(2))
    posterior = infer(model, model.maps_at([-0.5, 0.0]), tolerance=TOLERANCE_SD)
    np.testing.assert_allclose(posterior.mean, [[0.2, 0.8]], atol=TOLERANCE_SD * 0.02)
    assert "likelihoods of map 0 were NaN" in posterior.notes[0]


def test_all_nan_names_the_map():
    model = BrokenModel(TWO, 0.1**2 * np.eye(2))
    model.bound = -2.0
    with pytest.raises(InputError, match=r"Received: none for map 0\."):
        infer(model, model.maps_at([0.0, 0.0]))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"method": "mcmc"}, "method: expected one of"),
        ({"points_per_axes": 20}, "did you mean 'points_per_axis'"),
        ({"points_per_axis": 3}, "points_per_axis: expected an integer of at least 4"),
        ({"max_rounds": 1}, "max_rounds: expected an integer of at least 2"),
        ({"tolerance": 2.0}, "tolerance: expected a number in 0-1"),
        ({"prior": "uniform"}, "prior: expected a Prior or None"),
        ({"calibration": 0.5}, "calibration: expected 'stored', None or a Calibration"),
    ],
)
def test_wrong_arguments(arguments, sentence):
    model = GaussianModel(TWO, np.eye(2))
    with pytest.raises(InputError, match=sentence):
        infer(model, model.maps_at([0.0, 0.0]), **arguments)


def test_wrong_maps_and_too_many_parameters():
    model = GaussianModel(TWO, np.eye(2))
    with pytest.raises(InputError, match=r"hi_maps: expected maps \[N, H, W\]"):
        infer(model, np.ones((4, 4)))
    four = GaussianModel([*TWO, "A_SN1", ParameterSpec("A_x", "A_x", 0.0, 1.0)], np.eye(4))
    with pytest.raises(InputError, match="expected 'importance' or 'nuts' for more than 3 parameters"):
        infer(four, four.maps_at([0.0] * 4))


def test_progress_counts_posteriors():
    model, calls = GaussianModel(TWO, np.eye(2)), []
    infer(model, model.maps_at([0.0, 0.0], [0.1, 0.1]), progress=lambda *call: calls.append(call))
    assert calls == [("posteriors", 1, 2), ("posteriors", 2, 2)]
