"""Posterior as weighted draws from a proposal that is fitted to it."""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_t

from higlow_tf.errors import InputError
from higlow_tf.inference.draws import group_of_draws
from higlow_tf.inference.laplace import Unconstrained, laplace, peak_inside
from higlow_tf.inference.psis import LARGEST_GOOD_PARETO_K, pareto_smoothed

__all__ = ["ImportanceOptions", "fitted_gaussian", "importance_group"]

# Student's t with few degrees of freedom has the heavier tails that a proposal needs.
_DEGREES_OF_FREEDOM = 5
# Shares of the proposal: the fitted t, one twice as wide for tails that are not Gaussian, and the uniform prior, so that
# no mode can be missed altogether.
_FITTED_SHARE, _WIDE_SHARE, _UNIFORM_SHARE = 0.7, 0.2, 0.1
_NUM_ADAPTATIONS = 3
# Fewer effective draws leave a mean with an error of a tenth of a standard deviation.
_FEWEST_GOOD_ESS = 100


@dataclass(frozen=True)
class ImportanceOptions:
    """Options of the method "importance".

    Args:
        num_draws: Draws of the final proposal, 100 or more.
        num_adaptation_draws: Draws of each of the three proposals before it, 100 or more.
    """

    num_draws: int = 4096
    num_adaptation_draws: int = 512

    def __post_init__(self):
        for name in ("num_draws", "num_adaptation_draws"):
            value = getattr(self, name)
            if not isinstance(value, (int, np.integer)) or value < 100:
                raise InputError(f"{name}: expected an integer of at least 100. Received: {value!r}.")

    @staticmethod
    def check(num_parameters):
        """Any number of parameters will do."""


def importance_group(target, widening_at, options, *, seed, **_unused):
    """Posterior of one group of maps.

    The proposal is a Student's t round the peak, in coordinates without edges, mixed with a wider t and the prior. Three times
    it gets the mean and covariance of its own weighted draws. The draws of the last proposal are kept, and their largest
    weights are smoothed.

    Args:
        target: `Target`.
        widening_at: Function from the mean, normalised `[P]`, to the standard deviation of the convolution there, `[P]`.
        options: `ImportanceOptions`.
        seed: Seed of all draws.

    Returns:
        `GroupResult` of weighted draws.
    """
    rng = np.random.default_rng(seed)
    log_density = Unconstrained(target)
    location, covariance = fitted_gaussian(target, seed, rng, options.num_adaptation_draws)
    v, log_weights, pareto_k = _weighted_draws(log_density, location, covariance, options.num_draws, rng)
    mass = np.exp(log_weights - logsumexp(log_weights))
    ess = 1.0 / np.sum(mass**2)
    notes = []
    if pareto_k > LARGEST_GOOD_PARETO_K:
        notes.append(
            f"the importance weights cannot be trusted: Pareto k-hat {pareto_k:.2f} is above {LARGEST_GOOD_PARETO_K}"
        )
    if ess < _FEWEST_GOOD_ESS:
        notes.append(f"the {len(mass)} weighted draws count as only {ess:.0f}: use more of them, or another method")
    return group_of_draws(
        target,
        log_density.to_normalized(v),
        log_weights,
        peak_inside(target, v),
        widening_at,
        rng,
        {"ess": ess, "pareto_k": pareto_k},
        notes,
    )


def fitted_gaussian(target, seed, rng, num_draws=512):
    """Mean and covariance of a posterior in unconstrained coordinates.

    The Laplace approximation is the first proposal. Three times it gets the mean and covariance of its own weighted draws, since
    the curvature at a peak says little of a posterior with bumps.

    Args:
        target: `Target`.
        seed: Seed of the Laplace approximation.
        rng: Generator of the draws.
        num_draws: Draws each time.

    Returns:
        Mean `[P]` and covariance `[P, P]` of v.
    """
    log_density = Unconstrained(target)
    location, covariance = laplace(target, seed)
    for _ in range(_NUM_ADAPTATIONS):
        v, log_weights, _ = _weighted_draws(log_density, location, covariance, num_draws, rng)
        mass = np.exp(log_weights - logsumexp(log_weights))
        if 1.0 / np.sum(mass**2) > 10 * len(location):
            location, covariance = mass @ v, np.cov(v.T, aweights=mass).reshape(covariance.shape)
    return location, covariance


def _weighted_draws(log_density, location, covariance, num_draws, rng):
    """Draws v `[S, P]` of the mixture, their smoothed log-weights `[S]`, and k-hat."""
    fitted, wide = (multivariate_t(location, factor * covariance, df=_DEGREES_OF_FREEDOM) for factor in (1.0, 4.0))
    num_uniform, num_wide = int(_UNIFORM_SHARE * num_draws), int(_WIDE_SHARE * num_draws)
    v = np.concatenate(
        [
            # The logit of a uniform variable.
            rng.logistic(size=(num_uniform, len(location))),
            wide.rvs(num_wide, random_state=rng).reshape(num_wide, -1),
            fitted.rvs(num_draws - num_wide - num_uniform, random_state=rng).reshape(-1, len(location)),
        ]
    )
    log_shares = np.log([[_FITTED_SHARE], [_WIDE_SHARE], [_UNIFORM_SHARE]])
    log_proposal = logsumexp(
        log_shares + np.stack([fitted.logpdf(v), wide.logpdf(v), log_density.log_jacobian(v)]), axis=0
    )
    return v, *pareto_smoothed(log_density(v) - log_proposal)
