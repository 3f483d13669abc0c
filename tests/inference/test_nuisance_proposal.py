"""Draws of the nuisance parameters near those of a map: their weights, what they integrate, and where they stay."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import logsumexp
from scipy.stats import norm

from higlow_tf.data.parameters import ParameterSpace, ParameterSpec
from higlow_tf.errors import InputError
from higlow_tf.inference import MarginalLikelihood
from higlow_tf.inference.nuisance_proposal import NUM_FIT_EVALUATIONS, NuisanceProposal

# The parameter of interest stands between two of nuisance, of which one is uniform in its logarithm.
SPACE = ParameterSpace(
    (ParameterSpec("n", "n", -1.0, 3.0), ParameterSpec("a", "a", 0.0, 1.0), ParameterSpec("m", "m", 0.25, 4.0, "log"))
)
THETA = np.array([[[0.0], [0.3], [0.5], [1.0]]])


def fitted(log_likelihood, num_draws=64, num_maps=1):
    proposal = NuisanceProposal(SPACE, [1], num_draws)
    return proposal, proposal.fit(log_likelihood, num_maps)


def estimate(log_likelihood, num_draws=64):
    """Log of the mean likelihood over the nuisance, at each of THETA."""
    proposal, moments = fitted(log_likelihood, num_draws)
    rows, log_weights = proposal.draws(*moments, THETA)
    return logsumexp(log_likelihood(rows)[0] + log_weights[0], axis=-1) - np.log(num_draws)


def unit(theta):
    """All parameters in 0-1 of their prior."""
    return 0.5 * (SPACE.normalize(np.asarray(theta)) + 1.0)


def ridge(theta):
    """Narrow in both nuisance parameters, which go with the one of interest."""
    n, a, m = np.moveaxis(unit(theta), -1, 0)
    return norm.logpdf(n, 0.3 + 0.4 * a, 0.02) + norm.logpdf(m, 0.8 - 0.5 * a, 0.03) + norm.logpdf(a, 0.4, 0.2)


def two_hills(theta):
    n, a, _ = np.moveaxis(unit(theta), -1, 0)
    return np.logaddexp(norm.logpdf(n, 0.15, 0.03), norm.logpdf(n, 0.85, 0.03)) + norm.logpdf(a, 0.4, 0.2)


def test_a_narrow_ridge_is_integrated():
    # Both nuisance parameters are far from their edges, and each density integrates to one.
    expected = norm.logpdf(THETA[0, :, 0], 0.4, 0.2)
    np.testing.assert_allclose(estimate(ridge), expected, atol=0.15)
    np.testing.assert_allclose(estimate(ridge, 1024), expected, atol=0.02)


def test_draws_of_the_prior_do_not_integrate_it():
    marginal = MarginalLikelihood(_Model(ridge), num_draws=64, nuisance_draws="prior")
    rows = marginal.rows(THETA[0])
    found = marginal.average(ridge(rows).reshape(len(THETA[0]), -1))
    assert np.abs(found - norm.logpdf(THETA[0, :, 0], 0.4, 0.2)).max() > 1.0


def test_both_hills_are_found():
    expected = norm.logpdf(THETA[0, :, 0], 0.4, 0.2) + np.log(2.0)
    np.testing.assert_allclose(estimate(two_hills, 1024), expected, atol=0.1)


def test_a_flat_likelihood_needs_nothing():
    np.testing.assert_allclose(estimate(lambda theta: np.zeros(theta.shape[:-1])), 0.0, atol=0.1)


@pytest.mark.parametrize("log_likelihood", [ridge, two_hills])
def test_weights_are_those_of_the_prior(log_likelihood):
    proposal, moments = fitted(log_likelihood, 4096)
    rows, log_weights = proposal.draws(*moments, THETA)
    weights = np.exp(log_weights[0].numpy())
    # Their mean is the volume of the prior, and the share of the prior bounds them.
    np.testing.assert_allclose(weights.mean(axis=1), 1.0, atol=0.03)
    assert weights.max() <= 4.0 + 1e-9
    # Weighted, the draws are those of the prior: uniform in their units.
    u = unit(rows[0])[..., [0, 2]]
    np.testing.assert_allclose(np.mean(weights[..., None] * u, axis=1), 0.5, atol=0.03)
    np.testing.assert_allclose(np.mean(weights[..., None] * (u - 0.5) ** 2, axis=1), 1.0 / 12.0, atol=0.01)


def test_theta_stays_and_draws_stay_inside():
    proposal, moments = fitted(ridge)
    rows = proposal.draws(*moments, THETA)[0].numpy()
    np.testing.assert_array_equal(rows[0, :, :, 1], np.repeat(THETA[0], 64, axis=1))
    assert not SPACE.outside(rows.reshape(-1, 3)).any()


def test_maps_are_fitted_each_alone():
    both = fitted(lambda theta: np.stack([ridge(theta[0]), two_hills(theta[1])]), num_maps=2)[1]
    for row, log_likelihood in enumerate((ridge, two_hills)):
        for found, alone in zip(both, fitted(log_likelihood)[1], strict=True):
            np.testing.assert_allclose(found[row], alone[0], rtol=1e-9, atol=1e-9)


def test_the_fit_takes_as_many_evaluations_as_it_says():
    asked = []

    def counted(theta):
        asked.append(theta.shape[1])
        return ridge(theta)

    fitted(counted)
    assert sum(asked) == NUM_FIT_EVALUATIONS


@pytest.mark.parametrize("value", [np.nan, -np.inf, np.inf])
def test_without_a_finite_likelihood_draws_are_finite(value):
    proposal, moments = fitted(lambda theta: np.full(theta.shape[:2], value))
    rows, log_weights = proposal.draws(*moments, THETA)
    assert np.isfinite(rows).all()
    assert np.isfinite(log_weights).all()


def test_a_graph_gives_the_same():
    proposal, moments = fitted(ridge)
    expected = proposal.draws(*moments, THETA)

    @tf.function
    def in_graph(theta):
        def log_likelihood(theta):
            return tf.ensure_shape(tf.numpy_function(ridge, [theta], tf.float64), [1, None])

        return proposal.draws(*proposal.fit(log_likelihood), theta)

    for found, value in zip(in_graph(tf.constant(THETA)), expected, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-6, atol=1e-6)


def test_an_unknown_kind_of_draws_is_refused():
    with pytest.raises(InputError, match="nuisance_draws: expected one of adapted, prior. Received: 'posterior'"):
        MarginalLikelihood(_Model(ridge), nuisance_draws="posterior")


class _Model:
    parameters, nuisance = SPACE, ("n", "m")

    def __init__(self, log_likelihood):
        self._log_likelihood = log_likelihood

    def log_prob(self, hi_maps, theta):
        return self._log_likelihood(theta)
