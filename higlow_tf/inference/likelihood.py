"""The likelihood of one map at many points of the parameters, and the posterior density of a group of maps."""

import warnings

import numpy as np
from scipy.special import logsumexp

from higlow_tf.errors import InputError, InputWarning
from higlow_tf.inference.marginal_likelihood import MarginalLikelihood
from higlow_tf.inference.symmetry import symmetric_copies
from higlow_tf.map_transforms import map_transform_of

__all__ = ["MapLikelihood", "Target", "checked_maps"]

# Rows a call: a batch of 64 stays in the cache of a CPU core, and is one compiled shape.
_ROWS = 64


def checked_maps(hi_maps):
    """Maps as an array `[N, H, W]` or `[N, H, W, C]` of at least one map."""
    hi_maps = np.asarray(hi_maps)
    if hi_maps.ndim not in (3, 4) or not len(hi_maps):
        raise InputError(f"hi_maps: expected maps [N, H, W] or [N, H, W, C]. Received: shape {hi_maps.shape}.")
    return hi_maps


class MapLikelihood:
    """Log-likelihood of one map, in chunks of rows.

    Math:
        log L(theta) = mean over the T symmetric copies of log p(copy | theta);
        with nuisance parameters nu, log(mean over draws nu_j of w_j exp(mean over the copies of log p(copy | theta, nu_j))),
        see `MarginalLikelihood`

    A model that knew the symmetries would give equal terms. A trained model knows them only roughly. Between two parameters its
    errors differ from copy to copy by several nats, and they partly cancel in the mean.

    Args:
        model: An object with `log_prob(hi_maps, theta)`, row by row, and `parameters`; or a `MarginalLikelihood`.
        hi_map: Physical map `[H, W]` or `[H, W, C]`.
        index: Its number, for messages.
        num_symmetries: T, see `symmetry_indices`; 1 for the model's likelihood of the map as it is.
    """

    def __init__(self, model, hi_map, index, num_symmetries=1):
        self.hi_map = hi_map
        self.copies = symmetric_copies(hi_map, num_symmetries)
        self.index = index
        self.num_evaluations = 0
        self.num_nan = 0
        self._marginal = model if isinstance(model, MarginalLikelihood) else MarginalLikelihood(model)
        self._moments = None

    def __call__(self, theta):
        """Log-likelihood `[G]` at theta `[G, P]`; NaN and +inf count as zero likelihood.

        Raises:
            InputError: If none of the points of the first call, which spread over the prior, has a finite likelihood.
        """
        return self._averages(self.of_draws(theta)[None])[0]

    def averaged_and_plain(self, theta):
        """The log-likelihood as above and that of the map as it is, `[2, G]`."""
        of_copies = self.of_copies(theta)
        return self._averages(np.stack([of_copies.mean(axis=0), of_copies[0]]))

    def of_draws(self, theta):
        """The mean over the copies of what the model says at theta `[G, P]` with each nuisance draw, plus ln w: `[G, J]`."""
        return self.of_copies(theta).mean(axis=0)

    def nuisance_ess(self, theta):
        """How many of the nuisance draws count at one theta `[P]`: (sum of likelihoods)**2 over the sum of their squares."""
        log_prob = self.of_draws(np.asarray(theta)[None])[0]
        log_prob = np.where(np.isfinite(log_prob), log_prob, -np.inf)
        weights = np.exp(log_prob - logsumexp(log_prob))
        return float(1.0 / np.sum(weights**2))

    def of_copies(self, theta):
        """What the model says of each copy at theta `[G, P]` with each draw, plus ln w: `[T, G, J]`."""
        rows, log_weights = self._rows(np.asarray(theta, dtype=np.float64))
        return self._of_rows(rows).reshape(len(self.copies), len(theta), -1) + log_weights

    @property
    def nuisance_moments(self):
        """Where the nuisance parameters of the map are: what its `NuisanceProposal` was fitted to; `()` without one."""
        if self._moments is None:
            proposal = self._marginal.proposal
            self._moments = () if proposal is None else proposal.fit(lambda theta: self._mean_of_rows(theta[0])[None])
        return self._moments

    def _mean_of_rows(self, rows):
        return self._of_rows(np.asarray(rows)).mean(axis=0)

    def _rows(self, theta):
        """Each theta `[G, P]` with each draw of the nuisance, `[G * J, P + Q]`, and ln w, `[G, J]` or zero."""
        proposal = self._marginal.proposal
        if proposal is None or not len(theta):
            return self._marginal.rows(theta), 0.0
        rows, log_weights = proposal.draws(*self.nuisance_moments, theta[None])
        return rows.numpy().reshape(-1, rows.shape[-1]), log_weights[0].numpy()

    def _of_rows(self, rows):
        """What the model says of each copy at rows of its theta `[R, P + Q]`: `[T, R]`."""
        num_copies = len(self.copies)
        # Copies and points in one sequence of rows, so that only the last batch is not full.
        copy, point = np.divmod(np.arange(num_copies * len(rows)), max(len(rows), 1))
        log_prob = np.empty(len(copy))
        with warnings.catch_warnings():
            # A prior wider than that of training has been warned of once, for all points.
            warnings.filterwarnings("ignore", "The model extrapolates", InputWarning)
            for start in range(0, len(copy), _ROWS):
                chunk = slice(start, start + _ROWS)
                values = self._marginal.model.log_prob(self.copies[copy[chunk]], rows[point[chunk]])
                log_prob[chunk] = np.asarray(values, dtype=np.float64)
        return log_prob.reshape(num_copies, len(rows))

    def _averages(self, log_prob):
        """Log-likelihoods `[K, G, J]` -> `[K, G]`; counts those that are NaN or +inf, once for each point and draw."""
        is_bad = np.isnan(log_prob) | (log_prob == np.inf)
        log_prob = np.where(is_bad, -np.inf, log_prob)
        if self.num_evaluations == 0 and not np.isfinite(log_prob).any(axis=(1, 2)).all():
            pixels = "positive, finite" if map_transform_of(self._marginal.model) == "log10" else "finite"
            raise InputError(
                f"hi_maps: expected {pixels} pixels and a finite likelihood somewhere in the prior. "
                f"Received: none for map {self.index}."
            )
        self.num_evaluations += log_prob[0].size
        self.num_nan += int(is_bad[0].sum())
        return self._marginal.average(log_prob)


class Target:
    """Log posterior density of a group of maps in normalised coordinates, up to a constant.

    Definition:
        weight * sum over the maps of log-likelihood(theta) + log prior(normalised theta)

    Args:
        likelihoods: `MapLikelihood` of each map of the group.
        prior: `BoundPrior`.
        weight: Factor of the log-likelihood: tempering, and what correlated maps count less.
    """

    def __init__(self, likelihoods, prior, weight):
        self.likelihoods = list(likelihoods)
        self.prior = prior
        self.weight = weight

    @property
    def num_evaluations(self):
        return sum(likelihood.num_evaluations for likelihood in self.likelihoods)

    def __call__(self, normalized):
        """`[G, P]` -> `[G]`; -inf outside the prior."""
        normalized = np.asarray(normalized, dtype=np.float64)
        low, high = self.prior.low, self.prior.high
        inside = np.clip(normalized, low, high)
        log_density = self.log_likelihood(inside) + self.log_prior(inside)
        return np.where(np.all(normalized == inside, axis=1), log_density, -np.inf)

    def log_likelihood(self, normalized):
        """The weighted log-likelihood at points inside the prior, `[G, P]` -> `[G]`."""
        theta = self.prior.parameters.denormalize(normalized)
        return self.weight * sum(likelihood(theta) for likelihood in self.likelihoods)

    def log_prior(self, normalized):
        """Log of the prior density at points inside the prior, up to a constant, `[G, P]` -> `[G]`."""
        theta = self.prior.parameters.denormalize(normalized)
        log_prior = np.asarray(self.prior.log_density(normalized, theta), dtype=np.float64)
        is_bad = ~(log_prior < np.inf)
        if is_bad.any():
            raise InputError(
                "prior: expected log_prob to be finite or -inf inside the prior. "
                f"Received: {log_prior[is_bad][0]} at theta {theta[is_bad][0].tolist()}."
            )
        return log_prior

    def counts(self):
        """How many likelihoods of each map were NaN or +inf, and how many there were, `[n, 2]`."""
        return [[likelihood.num_nan, likelihood.num_evaluations] for likelihood in self.likelihoods]
