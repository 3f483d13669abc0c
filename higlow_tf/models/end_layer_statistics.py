"""Statistics of standardised maps that the end layers set, and the layers' numbers that follow from them."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from higlow_tf.networks import NUM_KNOTS, condition_features, knots_through, wave_numbers

__all__ = ["TrainingStatistics", "curve_knots", "transport", "wave_power"]

# Normal quantiles of the outermost knots where there are pixels enough, and how many pixels lie beyond them otherwise.
_OUTERMOST = 4.4
_PIXELS_BEYOND = 50
# Simulations a term of the polynomials.
_SIMULATIONS_PER_TERM = 3


@dataclass(frozen=True)
class TrainingStatistics:
    """What the training maps have, with sampling errors over simulations.

    Attributes:
        power: Mean power at the wave numbers 1 ... H / 2, `[C, H / 2]`.
        power_error: Its relative sampling error, `[C, H / 2]`.
        levels: Shares of pixels, `[K]`: the knots of the curve.
        quantiles: Pixels at these levels, `[C, K]`.
        level_error: Sampling error of the share of pixels below each quantile, `[C, K]`.
    """

    power: np.ndarray
    power_error: np.ndarray
    levels: np.ndarray
    quantiles: np.ndarray
    level_error: np.ndarray

    @classmethod
    def measure(cls, maps, waves, simulation):
        """From standardised maps `[C, H, H, N]`, their Hartley coefficients, and the simulation of each map `[N]`."""
        groups = [np.flatnonzero(simulation == number) for number in np.unique(simulation)]
        of_groups = np.stack([wave_power(waves[..., group]) for group in groups])
        power = wave_power(waves)
        farthest = min(_OUTERMOST, -ndtri(_PIXELS_BEYOND / maps[0].size)) if maps[0].size > 4 * _PIXELS_BEYOND else 1.0
        levels = ndtr(np.linspace(-farthest, farthest, NUM_KNOTS))
        quantiles = np.stack([np.quantile(channel, levels) for channel in maps])
        shares = np.stack([_shares_below(maps[..., group], quantiles) for group in groups])
        per_root = 1.0 / np.sqrt(len(groups))
        return cls(
            power=power,
            power_error=of_groups.std(axis=0, ddof=1) * per_root / power,
            levels=levels,
            quantiles=quantiles,
            level_error=shares.std(axis=0, ddof=1) * per_root,
        )

    def compare(self, maps, waves):
        """How far other maps are off, in sampling errors: the worst wave number and the worst quantile, by name."""
        power = np.abs(wave_power(waves) / self.power - 1.0) / self.power_error
        # A pixel more or less is no error where hardly any lie beyond.
        least = np.sqrt(self.levels * (1.0 - self.levels) / maps[0].size)
        pixels = np.abs(_shares_below(maps, self.quantiles) - self.levels) / np.maximum(self.level_error, least)
        return {"P(k)": float(power.max()), "pixels": float(pixels.max())}


def wave_power(waves):
    """Mean square of Hartley coefficients `[C, H, H, N]` at the wave numbers 1 ... H / 2, rounded: `[C, H / 2]`."""
    side = waves.shape[1]
    number = np.rint(wave_numbers(side)).astype(int).ravel()
    squares = np.mean(np.square(waves, dtype=np.float64), axis=-1).reshape(len(waves), -1)
    sums = np.stack([np.bincount(number, of_channel) for of_channel in squares])
    return (sums / np.bincount(number))[:, 1 : side // 2 + 1]


def curve_knots(maps, statistics):
    """Knots (x, y, slope), `[C, K]` each, of the curve that takes the quantiles of maps `[C, H, H, N]` to those of training."""
    x = np.stack([np.quantile(channel, statistics.levels) for channel in maps])
    return knots_through(x, statistics.quantiles)


def transport(drawn, real, condition, real_condition, num_simulations):
    """Affine map of the summaries (mean and band powers) of drawn maps: their spread around the flow's mean at fixed parameters.

    Definition:
        after = mean(c) + matrix @ (before - mean(c))
        mean(c): polynomial in the condition, fitted to drawn maps; matrix: optimal transport of the Gaussians of the
        residuals of drawn and of training maps

    The flow's own mean at each condition stays. It was learned from every pixel, and it is better than what a few hundred
    simulations say of it: a polynomial fitted to the difference costs more likelihood than all end layers together. Means
    over all parameters are the business of the filter and of the curve.

    Args:
        drawn, real: Summaries, `[D, N]` and `[D, M]`.
        condition, real_condition: `[N, P]` and `[M, P]`.
        num_simulations: How many simulations the maps are of.

    Returns:
        The tuple (matrix `[D, D]`, coefficients `[F, D]`, number of terms of the polynomial); see `EndLayerWeights`.
    """
    num_terms = _num_terms(num_simulations, condition.shape[1])
    covariances, means = [], []
    for summaries, at in ((drawn, condition), (real, real_condition)):
        features = condition_features(at)[:, :num_terms]
        means.append(np.linalg.lstsq(features, summaries.T, rcond=None)[0])
        covariances.append(np.cov(summaries - (features @ means[-1]).T))
    matrix = _optimal_transport(*covariances)
    coefficients = np.zeros((condition_features(condition[:1]).shape[1], len(matrix)))
    coefficients[:num_terms] = means[0] - means[0] @ matrix.T
    return matrix, coefficients, num_terms


def _num_terms(num_simulations, num_parameters):
    """Terms of the polynomials: of second degree, or linear, or only a constant where there are few simulations."""
    of_degree = (1, 1 + num_parameters, (num_parameters + 1) * (num_parameters + 2) // 2)
    return max(terms for terms in of_degree if terms == 1 or _SIMULATIONS_PER_TERM * terms <= num_simulations)


def _optimal_transport(source, target):
    """The symmetric matrix that takes one covariance to the other."""
    root, inverse_root = _power(source, 0.5), _power(source, -0.5)
    return inverse_root @ _power(root @ target @ root, 0.5) @ inverse_root


def _power(matrix, exponent):
    """Power of a symmetric matrix, whose smallest eigenvalues are lifted: a combination that never varies stays as it is."""
    values, vectors = np.linalg.eigh(np.atleast_2d(matrix))
    return (vectors * np.maximum(values, 1e-9 * values[-1]) ** exponent) @ vectors.T


def _shares_below(maps, quantiles):
    """Share of pixels at or below each quantile `[C, K]`, of maps `[C, H, H, N]`."""
    return np.stack(
        [
            np.cumsum(np.bincount(np.searchsorted(q, m.ravel()), minlength=len(q) + 1))[:-1] / m.size
            for m, q in zip(maps, quantiles, strict=True)
        ]
    )
