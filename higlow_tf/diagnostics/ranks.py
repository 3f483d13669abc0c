"""Ranks of the truth in its posteriors, and whether they are uniform."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import PchipInterpolator
from scipy.stats import binom

from higlow_tf.diagnostics.bootstrap import sums_by_simulation
from higlow_tf.diagnostics.fields import as_simulation
from higlow_tf.diagnostics.weighted_points import WeightedPoints, cell_edges
from higlow_tf.errors import InputError

__all__ = ["RankECDF", "marginal_ranks", "rank_ecdf"]

_NUM_LEVELS = 99
_NUM_NULL = 4000
_NULL_STREAM = 0x6E756C6C


@dataclass(frozen=True, eq=False)
class RankECDF:
    """Distribution of ranks, which is uniform for a calibrated posterior, with a simultaneous band.

    Attributes:
        levels: Ranks `[K]` at which the distribution is evaluated, in (0, 1).
        ecdf: Share of ranks up to each, `[K]`; equal to `levels` but for noise if calibrated.
        lower, upper: Band `[K]` that holds the whole curve of uniform ranks in a share `band_mass` of cases.
        band_mass: That share.
        p_value: Share of uniform rank sets of this size that stray as far from the diagonal.
        effective_number: How many independent ranks the ranks are worth.
        num_simulations: How many simulations they come from.
    """

    levels: np.ndarray
    ecdf: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    band_mass: float
    p_value: float
    effective_number: int
    num_simulations: int

    @property
    def is_inside(self) -> bool:
        """Whether the whole curve lies inside the band."""
        return self.p_value > 1 - self.band_mass


def marginal_ranks(theta_points: ArrayLike, log_mass: ArrayLike, truth: ArrayLike) -> np.ndarray:
    """Posterior mass below the truth, for each parameter: its probability integral transform.

    Definition:
        rank = integral of p(theta_p | map) up to the true theta_p

    Convention: the marginal mass of each value is spread over its cell, whose edges lie halfway to the neighbouring
        values. The cumulative mass is interpolated between the edges by a monotone cubic. Grids and draws are treated
        alike, and no half cell is lost.

    Args:
        theta_points, log_mass, truth: See `WeightedPoints`.

    Returns:
        Ranks `[N, P]` in [0, 1].

    Raises:
        InputError: As `WeightedPoints`, or if all points of a row agree in a parameter.
    """
    posterior = WeightedPoints(theta_points, log_mass, truth)
    ranks = np.empty_like(posterior.truth)
    for row, parameter in np.ndindex(ranks.shape):
        values, position = np.unique(posterior.points[row, :, parameter], return_inverse=True)
        if len(values) < 2:
            raise InputError(
                f"theta_points: expected two or more values of parameter {parameter}. Received: {values[0]} only."
            )
        cumulative = np.append(0.0, np.cumsum(np.bincount(position, posterior.mass[row])))
        edges = cell_edges(values)
        inside = np.clip(posterior.truth[row, parameter], edges[0], edges[-1])
        ranks[row, parameter] = PchipInterpolator(edges, cumulative / cumulative[-1])(inside)
    return np.clip(ranks, 0.0, 1.0)


def rank_ecdf(ranks: ArrayLike, simulation: ArrayLike, *, band_mass: float = 0.95, seed: int = 0) -> RankECDF:
    """Compares the distribution of ranks with the uniform one.

    Definition:
        ecdf(z) = mean(ranks <= z), at z = 0.01, 0.02, ..., 0.99
        n * ecdf(z) ~ Binomial(n, z) at each z; the band has the same two-sided tail probability at every z. It is
        chosen by simulation: in a share `band_mass` of cases, uniform ranks stay inside at every z

    Convention: ranks of maps of one simulation are not independent, and the binomial law needs independent ones. n is
        therefore the number of independent ranks with the same variance of the curve,
            n = sum_z ecdf (1 - ecdf) / sum_z var(ecdf),  var from the scatter between simulations,
        rounded down. It is at most the number of rows, and at least that of simulations (of as many maps each). With one
        map a simulation it is the number of rows, and the band is exact. Otherwise it is as good as the estimated
        variance.

    What it can and cannot show: a posterior that always returns the prior has uniform ranks. Errors that compensate between
        different truths do not show.

    Checked against: uniform ranks, independent and in clusters (share of false alarms).

    Args:
        ranks: Ranks in [0, 1], `[N]`.
        simulation: Simulation of each, `[N]`.
        band_mass: Share of cases in which uniform ranks stay inside; 1 - 0.05 / P to test P parameters at once.
        seed: Seed of the simulated uniform ranks.

    Returns:
        `RankECDF`.

    Raises:
        InputError: If shapes disagree or a number lies outside its range.

    References:
        [1] Saeilynoja, Buerkner, Vehtari. Graphical test for discrete uniformity. 2022. https://arxiv.org/abs/2103.10522
        [2] Talts et al. Simulation-based calibration. 2018. https://arxiv.org/abs/1804.06788
    """
    ranks = np.asarray(ranks, np.float64)
    if ranks.ndim != 1 or not ranks.size or not np.all((ranks >= 0) & (ranks <= 1)):
        raise InputError(f"ranks: expected numbers [N] in [0, 1]. Received: {ranks.shape} with others.")
    if not 0 < band_mass < 1:
        raise InputError(f"band_mass: expected a share between 0 and 1. Received: {band_mass}.")
    levels = np.arange(1, _NUM_LEVELS + 1) / (_NUM_LEVELS + 1)
    is_below = (ranks[:, None] <= levels).astype(np.float64)
    ecdf = is_below.mean(axis=0)
    indices, sums = sums_by_simulation(is_below, as_simulation(simulation, len(ranks), "simulation"))
    number = _effective_number(sums, ecdf)
    null = _least_tails_of_uniform(number, seed)
    observed = _least_tail(ecdf, number)
    tail = max(np.quantile(null, 1 - band_mass), np.finfo(np.float64).tiny) / 2
    return RankECDF(
        levels,
        ecdf,
        binom.ppf(tail, number, levels) / number,
        binom.isf(tail, number, levels) / number,
        band_mass,
        p_value=float((1 + np.sum(null <= observed)) / (1 + len(null))),
        effective_number=number,
        num_simulations=len(indices),
    )


def _effective_number(sums: np.ndarray, ecdf: np.ndarray) -> int:
    """Number of independent ranks with the variance of `ecdf`, from sums of each simulation `[S, 1 + K]`."""
    size, num_simulations = sums[:, 0], len(sums)
    total = size.sum()
    least = total**2 / np.sum(size**2)
    if num_simulations < 2 or least >= total:
        return int(least)
    residual = sums[:, 1:] - size[:, None] * ecdf
    variance = np.sum(residual**2) / total**2 * num_simulations / (num_simulations - 1)
    number = np.sum(ecdf * (1 - ecdf)) / variance if variance > 0 else least
    return int(np.clip(number, least, total) + 1e-9)


@lru_cache(maxsize=16)
def _two_sided_tails(number: int) -> np.ndarray:
    """Probability that a binomial count strays as far to its side as each count does, times two: `[number + 1, K]`."""
    levels = np.arange(1, _NUM_LEVELS + 1) / (_NUM_LEVELS + 1)
    mass = binom.pmf(np.arange(number + 1)[:, None], number, levels)
    below, above = np.cumsum(mass, axis=0), np.cumsum(mass[::-1], axis=0)[::-1]
    return np.minimum(1.0, 2 * np.minimum(below, above))


def _least_tail(ecdf: np.ndarray, number: int) -> float:
    """The least two-sided tail of a curve `[K]` over all levels."""
    # Shares of clustered ranks fall between those of `number` ranks: then the neighbour that strays less counts.
    count = np.round(number * ecdf, 9)
    columns, tails = np.arange(_NUM_LEVELS), _two_sided_tails(number)
    either_side = [tails[side(count).astype(int), columns] for side in (np.floor, np.ceil)]
    return float(np.max(either_side, axis=0).min())


@lru_cache(maxsize=16)
def _least_tails_of_uniform(number: int, seed: int) -> np.ndarray:
    """The least two-sided tail over all levels, of `_NUM_NULL` sets of `number` uniform ranks."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_NULL_STREAM,)))
    counts = rng.multinomial(number, np.full(_NUM_LEVELS + 1, 1 / (_NUM_LEVELS + 1)), size=_NUM_NULL)
    count = np.cumsum(counts[:, :-1], axis=1)
    return _two_sided_tails(number)[count, np.arange(_NUM_LEVELS)].min(axis=1)
