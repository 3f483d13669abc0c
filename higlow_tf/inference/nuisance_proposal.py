"""Draws of the nuisance parameters where those of a map are, and their importance weights. Graph functions, also used eagerly."""

import math

import numpy as np
import tensorflow as tf
from scipy.stats import chi2, norm, qmc

from higlow_tf.data.parameter_tensors import denormalize, normalize

__all__ = ["NUM_FIT_EVALUATIONS", "NuisanceProposal"]

# Points of the prior that are tried first, and draws of each of the proposals after that.
_NUM_FIRST, _NUM_LATER, _NUM_LATER_ROUNDS = 512, 256, 3
NUM_FIT_EVALUATIONS = _NUM_FIRST + _NUM_LATER * _NUM_LATER_ROUNDS
"""Likelihoods that the fit of a proposal takes, for each copy of a map."""

# The likelihood is tempered so far that this many draws count, and at least to this power: the likelihood of a flow is bumpy and
# too sure of itself, and a proposal that is too narrow is worse than one that is too wide.
_FEWEST_ESS = 24.0
_LARGEST_POWER = 0.5
_POWERS = _LARGEST_POWER * 0.8 ** np.arange(48)
# Of the prior among the draws: no place can be missed altogether.
_PRIOR_SHARE = 0.25
_DEGREES_OF_FREEDOM = 5
# Of the covariance of the nuisance parameters given those of interest.
_WIDER = 1.5
# In logits: the least variance, how far the centre may be led, and the edge of what is a number.
_LEAST_VARIANCE, _FARTHEST_CENTRE, _LARGEST_LOGIT = 1e-3, 3.0, 9.0
_SEED = 0


class NuisanceProposal:
    """Where the nuisance parameters are, given a map and the parameters of interest.

    Math:
        v = logits of all parameters in their prior (in log for log-uniform ones)
        q(v) = 3/4 t_5(v; m, S) + 1/4 prior(v)        m, S: from weighted draws, prior first, then three times from q itself;
                                                      weights (likelihood**power prior / q), power at most 1/2
        q(nu | theta) = the same for the conditional of t_5's Gaussian, 1.5 times as wide
        mean of p(map | theta, nu) over the prior of nu = mean over nu_j from q(nu | theta) of p(map | theta, nu_j) w_j
        w_j = prior(nu_j) / q(nu_j | theta), below 4

    Draws of the prior do the same with w = 1, but few of them come near the nuisance parameters of a map. Then those few
    decide, and theta cannot be varied against them: posteriors are too narrow. The underlying points are the same for all
    theta and all maps (scrambled Sobol points), so that the estimate is smooth in theta.

    Args:
        space: `ParameterSpace` of all D parameters.
        columns: Those of interest in it, P numbers.
        num_draws: J.

    References:
        [1] Cappe et al. Population Monte Carlo. J. Comput. Graph. Stat. 13, 907 (2004).
        [2] Owen & Zhou. Safe and effective importance sampling. JASA 95, 135 (2000).
    """

    def __init__(self, space, columns, num_draws):
        self._space = space
        self._columns = [int(column) for column in columns]
        self._others = [column for column in range(len(space)) if column not in self._columns]
        self._order = np.argsort(self._columns + self._others)
        size = len(space)
        self._first = _logit(_sobol(_NUM_FIRST, size, 0))
        self._later = [_Points(_NUM_LATER, size, seed=1 + number) for number in range(_NUM_LATER_ROUNDS)]
        self._points = _Points(num_draws, len(self._others), seed=1 + _NUM_LATER_ROUNDS)

    def fit(self, log_likelihood, num_maps=1):
        """Mean `[B, D]` and covariance `[B, D, D]` for each map: of logits of the nuisance parameters, and of those of interest.

        Args:
            log_likelihood: Function of theta, physical, float64 `[B, S, D]` -> `[B, S]`; what is not a number counts as zero
                likelihood.
            num_maps: B, a number or a scalar tensor.
        """
        v = tf.tile(tf.constant(self._first)[None], [num_maps, 1, 1])
        mass = self._tempered_mass(log_likelihood, v, tf.zeros(tf.shape(v)[:2], v.dtype))
        for points in self._later:
            mean, covariance = _mean_and_covariance(mass, v)
            v, log_weights = points.draws(mean[:, None], tf.linalg.cholesky(covariance)[:, None])
            v = v[:, 0]
            mass = self._tempered_mass(log_likelihood, v, log_weights[:, 0])
        # Points of interest reach the edges of the prior, where logits have no end.
        columns = tf.unstack(v, axis=-1)
        for column in self._columns:
            columns[column] = _stretched(tf.sigmoid(columns[column]))
        return _mean_and_covariance(mass, tf.stack(columns, axis=-1))

    def draws(self, mean, covariance, theta):
        """Theta of all parameters `[B, G, J, D]`, and the logarithms of w, `[B, G, J]`; float64.

        Args:
            mean, covariance: What `fit` returns.
            theta: Those of interest, physical `[B, G, P]`.
        """
        theta = tf.cast(theta, tf.float64)
        among, across, rest = (self._block(covariance, *which) for which in ("II", "NI", "NN"))
        slopes = tf.linalg.matrix_transpose(tf.linalg.solve(among, tf.linalg.matrix_transpose(across)))
        scatter = _WIDER * (rest - tf.matmul(slopes, across, transpose_b=True))
        unit = 0.5 * (normalize(self._specs(self._columns), theta) + 1.0)
        away = _stretched(unit) - tf.gather(mean, self._columns, axis=1)[:, None]
        centre = tf.gather(mean, self._others, axis=1)[:, None] + tf.matmul(away, slopes, transpose_b=True)
        centre = tf.clip_by_value(centre, -_FARTHEST_CENTRE, _FARTHEST_CENTRE)
        v, log_weights = self._points.draws(centre, tf.linalg.cholesky(_symmetric(scatter))[:, None])
        nuisance = self._physical(v, self._others)
        given = tf.broadcast_to(theta[:, :, None], tf.concat([tf.shape(v)[:3], [len(self._columns)]], axis=0))
        return tf.gather(tf.concat([given, nuisance], axis=-1), self._order, axis=-1), log_weights

    def to_config(self):
        """What tells two proposals apart, beside the spaces, as JSON-compatible values."""
        of_fit = [_NUM_FIRST, _NUM_LATER, _NUM_LATER_ROUNDS, _FEWEST_ESS, _LARGEST_POWER, _LEAST_VARIANCE]
        return [*of_fit, _PRIOR_SHARE, _DEGREES_OF_FREEDOM, _WIDER, _FARTHEST_CENTRE, _LARGEST_LOGIT, _SEED]

    def _tempered_mass(self, log_likelihood, v, log_weights):
        """Masses `[B, S]` of draws v `[B, S, D]` with weights prior / proposal, under the tempered likelihood."""
        likelihood = tf.cast(log_likelihood(self._physical(v, range(len(self._space)))), tf.float64)
        likelihood = tf.where(tf.math.is_finite(likelihood), likelihood, tf.constant(-1e30, tf.float64))
        likelihood -= tf.reduce_max(likelihood, axis=1, keepdims=True)
        # [B, powers, S]: the highest power at which enough draws count.
        log_mass = tf.constant(_POWERS)[:, None] * likelihood[:, None] + log_weights[:, None]
        mass = tf.nn.softmax(log_mass, axis=-1)
        is_enough = 1.0 / tf.reduce_sum(mass**2, axis=-1) >= _FEWEST_ESS
        chosen = tf.where(
            tf.reduce_any(is_enough, axis=-1), tf.argmax(tf.cast(is_enough, tf.int32), axis=-1), len(_POWERS) - 1
        )
        return tf.gather(mass, chosen, axis=1, batch_dims=1)

    def _block(self, covariance, rows, columns):
        of = {"I": self._columns, "N": self._others}
        return tf.gather(tf.gather(covariance, of[rows], axis=1), of[columns], axis=2)

    def _physical(self, v, columns):
        specs = self._specs(columns)
        theta = denormalize(specs, 2.0 * tf.sigmoid(v) - 1.0)
        # The exponential of a logarithm may miss an edge by one rounding.
        return tf.clip_by_value(theta, [spec.low for spec in specs], [spec.high for spec in specs])

    def _specs(self, columns):
        return [self._space.specs[column] for column in columns]


class _Points:
    """Fixed points, from which draws of a proposal with any mean and covariance are made.

    A quarter are draws of the prior, the others of Student's t.
    """

    def __init__(self, number, size, seed):
        num_prior = min(max(round(_PRIOR_SHARE * number), 1), number)
        self._prior = _logit(_sobol(num_prior, size, seed, part=0))
        unit = _sobol(number - num_prior, size + 1, seed, part=1)
        factor = np.sqrt(_DEGREES_OF_FREEDOM / chi2.ppf(unit[:, size:], _DEGREES_OF_FREEDOM))
        self._t = norm.ppf(unit[:, :size]) * factor
        # Where all are of one kind the other has no share.
        with np.errstate(divide="ignore"):
            self._log_shares = np.log([num_prior / number, 1.0 - num_prior / number])

    def draws(self, centre, cholesky):
        """Draws `[B, G, S, Q]`, and log(prior / proposal) `[B, G, S]`, of centres `[B, G, Q]` and factors `[B, 1, Q, Q]`."""
        from_t = centre[:, :, None] + tf.matmul(tf.constant(self._t), cholesky, transpose_b=True)
        shape = tf.concat([tf.shape(from_t)[:2], self._prior.shape], axis=0)
        v = tf.concat([tf.broadcast_to(tf.constant(self._prior), shape), from_t], axis=2)
        v = tf.clip_by_value(v, -_LARGEST_LOGIT, _LARGEST_LOGIT)
        log_prior = tf.reduce_sum(tf.math.log_sigmoid(v) + tf.math.log_sigmoid(-v), axis=-1)
        log_ratio = _log_t(v - centre[:, :, None], cholesky) - log_prior
        terms = self._log_shares[0] + tf.zeros_like(log_ratio), self._log_shares[1] + log_ratio
        return v, -tf.reduce_logsumexp(tf.stack(terms), axis=0)


def _log_t(away, cholesky):
    """Log-density of the multivariate t at `[B, G, S, Q]` from its centre."""
    size, df = away.shape[-1], _DEGREES_OF_FREEDOM
    turned = tf.linalg.matrix_transpose(away)
    cholesky = tf.broadcast_to(cholesky, tf.concat([tf.shape(turned)[:2], [size, size]], axis=0))
    distance = tf.reduce_sum(tf.linalg.triangular_solve(cholesky, turned) ** 2, axis=2)
    log_det = tf.reduce_sum(tf.math.log(tf.linalg.diag_part(cholesky)), axis=-1)
    constant = math.lgamma(0.5 * (df + size)) - math.lgamma(0.5 * df) - 0.5 * size * math.log(df * math.pi)
    return constant - log_det[..., None] - 0.5 * (df + size) * tf.math.log1p(distance / df)


def _sobol(number, size, *seed, part=0):
    """Scrambled points `[number, size]` in 0-1. Any first ones of a sequence are evenly spread, every fourth is not."""
    if not number:
        return np.empty((0, size))
    sobol = qmc.Sobol(size, scramble=True, rng=np.random.default_rng([_SEED, *seed, part]))
    unit = sobol.random_base2(math.ceil(math.log2(number)))[:number]
    return np.clip(unit, 1e-6, 1.0 - 1e-6)


def _logit(unit):
    return np.log(unit) - np.log(1.0 - unit)


def _stretched(unit):
    """A number in 0-1, as far from the middle as its logit near there."""
    return 4.0 * (unit - 0.5)


def _mean_and_covariance(mass, x):
    """Of x `[B, S, D]` with masses `[B, S]`."""
    mean = tf.einsum("bs,bsd->bd", mass, x)
    away = x - mean[:, None]
    covariance = _symmetric(tf.einsum("bs,bsd,bse->bde", mass, away, away))
    return mean, covariance + _LEAST_VARIANCE * tf.eye(x.shape[-1], dtype=x.dtype)


def _symmetric(matrix):
    return 0.5 * (matrix + tf.linalg.matrix_transpose(matrix))
