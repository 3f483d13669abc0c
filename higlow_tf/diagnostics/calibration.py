"""Whether posteriors mean what they say: coverage, ranks, pulls and information, and a verdict in words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student_t

from higlow_tf.diagnostics.bootstrap import NUM_BOOTSTRAP, bootstrap_error, sums_by_simulation
from higlow_tf.diagnostics.fields import as_simulation
from higlow_tf.diagnostics.metrics import Metric
from higlow_tf.diagnostics.ranks import RankECDF, marginal_ranks, rank_ecdf
from higlow_tf.diagnostics.scores import ParameterScores, coverage, paired_difference, parameter_scores
from higlow_tf.diagnostics.tarp import tarp_ranks
from higlow_tf.diagnostics.weighted_points import WeightedPoints
from higlow_tf.errors import InputError

__all__ = [
    "CalibrationScores",
    "CalibrationVerdict",
    "CoverageCurve",
    "calibration_scores",
    "calibration_verdict",
    "coverage_curve",
]

COVERAGE_LEVELS = np.round(np.arange(0.05, 0.951, 0.05), 2)
"""Masses of the highest-density regions whose coverage is measured."""

_VERDICT_LEVEL = 0.95
# Of a posterior that is wrong by many orders, all digits would fill the line.
_ABSURD = 1e6
_PULL2_OF_GAUSSIAN = 2.0  # variance of a squared standard normal


@dataclass(frozen=True, eq=False)
class CoverageCurve:
    """Share of truths inside highest-density regions.

    Attributes:
        levels: Masses of the regions, `[K]`.
        coverage: Share of truths inside each, `[K]`; equal to `levels` if calibrated, below if over-confident.
        error: Bootstrap errors over simulations, `[K]`; None with too few simulations.
        num_simulations: How many simulations stand behind it.
    """

    levels: np.ndarray
    coverage: np.ndarray
    error: np.ndarray | None
    num_simulations: int


@dataclass(frozen=True, eq=False)
class CalibrationScores:
    """All measurements of a set of posteriors whose truths are known.

    Attributes:
        parameters: RMSE, R2 and mean pull**2 of the posterior means.
        coverage: Coverage of highest-density regions of many masses.
        coverage_68, coverage_95: The same at two masses, as metrics.
        ranks: Distribution of the ranks of the truth in each marginal, by parameter name.
        tarp: Distribution of the TARP ranks, see `tarp_ranks`.
        tarp_68: Share of TARP ranks between 0.16 and 0.84; 0.68 if calibrated, below if over-confident.
        gain: Log of posterior over prior density at the truth of each row, nats, `[N]`; None without a prior density. Two models
            on the same maps can be compared in pairs.
        information_gain: Its mean.
        num_rows: Number of posteriors.
    """

    parameters: ParameterScores
    coverage: CoverageCurve
    coverage_68: Metric
    coverage_95: Metric
    ranks: dict[str, RankECDF]
    tarp: RankECDF
    tarp_68: Metric
    gain: np.ndarray | None
    information_gain: Metric | None
    num_rows: int

    def metrics(self) -> dict[str, Metric]:
        """The numbers under flat names, as they go to metrics.json."""
        metrics = {"coverage_68": self.coverage_68, "coverage_95": self.coverage_95, **self.parameters.metrics()}
        if self.information_gain is not None:
            metrics["information_gain_nats"] = self.information_gain
        metrics["tarp_68"] = self.tarp_68
        metrics["tarp_p_value"] = Metric(self.tarp.p_value, n_simulations=self.tarp.num_simulations)
        return metrics | {
            f"rank_p_value_{name}": Metric(ecdf.p_value, n_simulations=ecdf.num_simulations)
            for name, ecdf in self.ranks.items()
        }


@dataclass(frozen=True)
class CalibrationVerdict:
    """Whether a set of posteriors is calibrated.

    Attributes:
        is_calibrated: Whether all checks pass; None where there are too few simulations for error bars.
        sentences: What each check found.
    """

    is_calibrated: bool | None
    sentences: tuple[str, ...]

    def __str__(self):
        return " ".join(self.sentences)


def coverage_curve(
    hpd_level: ArrayLike,
    simulation: ArrayLike,
    *,
    levels: ArrayLike = COVERAGE_LEVELS,
    num_bootstrap: int = NUM_BOOTSTRAP,
    seed: int = 0,
) -> CoverageCurve:
    """Share of truths inside the highest-density region of each mass in `levels`.

    Definition, caveats and errors: see `coverage`. The errors of different levels are correlated.
    """
    levels = np.asarray(levels, np.float64)
    hpd_level = np.asarray(hpd_level, np.float64)
    if hpd_level.ndim != 1 or not hpd_level.size or not np.all((hpd_level >= 0) & (hpd_level <= 1)):
        raise InputError(f"hpd_level: expected masses [N] in [0, 1]. Received: {hpd_level.shape} with others.")
    is_inside = (hpd_level[:, None] <= levels).astype(np.float64)
    indices, sums = sums_by_simulation(is_inside, as_simulation(simulation, len(hpd_level), "simulation"))
    error = bootstrap_error(
        lambda totals: totals[:, 1:] / totals[:, :1],
        sums,
        num_bootstrap=num_bootstrap,
        seed=seed,
        name="coverage_curve",
    )
    return CoverageCurve(levels, is_inside.mean(axis=0), error, len(indices))


def calibration_scores(
    theta_points: ArrayLike,
    log_mass: ArrayLike,
    truth: ArrayLike,
    simulation: ArrayLike,
    hpd_level: ArrayLike,
    names: Sequence[str],
    *,
    log_prior_density: ArrayLike | None = None,
    box: tuple[ArrayLike, ArrayLike] | None = None,
    num_bootstrap: int = NUM_BOOTSTRAP,
    seed: int = 0,
) -> CalibrationScores:
    """Measures posteriors against the parameters that their maps were simulated with.

    Definition: see `parameter_scores`, `coverage`, `marginal_ranks`, `rank_ecdf`, `tarp_ranks`;
        information_gain = mean(log p(truth | map) - log p(truth)), a proper score: what the maps tell, minus what a
        miscalibration costs.

    What it can and cannot show: the prior itself is calibrated and gains no information; look at both.

    Args:
        theta_points, log_mass, truth: Posteriors and true parameters, see `WeightedPoints`.
        simulation: Simulation of each row, `[N]`; errors come from resampling simulations.
        hpd_level: Posterior mass denser than the truth, `[N]`.
        names: Names of the `P` parameters.
        log_prior_density: Log of the prior density at the truth per unit of theta, one number or `[N]`; None leaves the
            information gain out.
        box: Edges of the prior for the reference points of TARP; None for the extent of the points.
        num_bootstrap: Number of resamples.
        seed: Seed of resamples, references and bands.

    Returns:
        `CalibrationScores`. Errors are None, with an `InputWarning`, below four simulations.

    Raises:
        InputError: If shapes disagree or a number lies outside its range.
    """
    posterior = WeightedPoints(theta_points, log_mass, truth)
    num_rows, num_parameters = posterior.truth.shape
    options = {"num_bootstrap": num_bootstrap, "seed": seed}
    parameters = parameter_scores(posterior.truth, posterior.mean, posterior.sd, simulation, names, **options)
    # All parameters are tested at once.
    band_mass = 1 - (1 - _VERDICT_LEVEL) / num_parameters
    ranks = marginal_ranks(theta_points, log_mass, truth)
    tarp = tarp_ranks(theta_points, log_mass, truth, box=box, seed=seed)
    gain = information_gain = None
    if log_prior_density is not None:
        prior = np.broadcast_to(np.asarray(log_prior_density, np.float64), num_rows)
        log_density = posterior.log_density_at_truth()
        gain = log_density - prior
        information_gain = paired_difference(log_density, prior, simulation, **options)
    return CalibrationScores(
        parameters=parameters,
        coverage=coverage_curve(hpd_level, simulation, **options),
        coverage_68=coverage(hpd_level, simulation, 0.68, **options),
        coverage_95=coverage(hpd_level, simulation, 0.95, **options),
        ranks={
            name: rank_ecdf(column, simulation, band_mass=band_mass, seed=seed)
            for name, column in zip(names, ranks.T, strict=True)
        },
        tarp=rank_ecdf(tarp, simulation, seed=seed),
        # Ranks inside the central 68 %: their distance from 0.5 is the level of a two-sided region.
        tarp_68=coverage(2 * np.abs(tarp - 0.5), simulation, 0.68, **options),
        gain=gain,
        information_gain=information_gain,
        num_rows=num_rows,
    )


def calibration_verdict(scores: CalibrationScores) -> CalibrationVerdict:
    """Says in words whether posteriors are calibrated.

    Definition: calibrated, if
        0.68 lies in the 95 % interval of coverage_68,
        1 lies in the 95 % interval of the mean pull**2 (average over parameters), and
        the distribution of ranks of every parameter lies inside its band (95 % for all parameters together).
    Intervals are value -+ t * error. Student's t has one degree of freedom less than there are simulations. The error is at
    least that of independent Gaussian posteriors, so that a chance agreement of few rows is no proof.

    What it can and cannot show: an exact posterior fails one or more of the three checks in about a tenth of all cases.

    Returns:
        `CalibrationVerdict`.
    """
    num_simulations = scores.coverage.num_simulations
    pull2 = scores.parameters.average["pull2"]
    if scores.coverage_68.error is None or pull2.error is None:
        return CalibrationVerdict(None, (f"Too few simulations to tell: {num_simulations}.",))
    factor = float(student_t.ppf(0.5 + _VERDICT_LEVEL / 2, num_simulations - 1))
    num_values = scores.num_rows * len(scores.ranks)
    coverage_ok, first = _coverage_check(scores.coverage_68, scores.num_rows, factor)
    pull_ok, second = _pull2_check(pull2, num_values, factor)
    outside = [name for name, ecdf in scores.ranks.items() if not ecdf.is_inside]
    third = (
        f"The ranks of {' and '.join(outside)} leave their band: the marginal posteriors are biased or of the wrong width."
        if outside
        else "The ranks of all parameters stay inside their bands."
    )
    is_calibrated = coverage_ok and pull_ok and not outside
    opening = "Calibrated as far as these simulations can tell" if is_calibrated else "Not calibrated"
    return CalibrationVerdict(is_calibrated, (f"{opening} ({num_simulations}).", first, second, third))


def _coverage_check(metric: Metric, num_rows: int, factor: float) -> tuple[bool, str]:
    half = factor * max(metric.error, np.sqrt(0.68 * 0.32 / num_rows))
    is_ok = bool(abs(metric.value - 0.68) <= half)
    text = f"The 68 % regions hold {100 * metric.value:.0f} +- {100 * half:.0f} % of the truths (95 % interval)"
    return is_ok, text + ("." if is_ok else f": the posteriors are too {'narrow' if metric.value < 0.68 else 'wide'}.")


def _pull2_check(metric: Metric, num_values: int, factor: float) -> tuple[bool, str]:
    half = factor * max(metric.error, np.sqrt(_PULL2_OF_GAUSSIAN / num_values))
    is_ok = bool(abs(metric.value - 1) <= half)
    digits = ".2f" if metric.value < _ABSURD else ".3g"
    text = f"The mean squared pull is {metric.value:{digits}} +- {half:{digits}}"
    return is_ok, text + ("." if is_ok else f": the errors are too {'small' if metric.value > 1 else 'large'}.")
