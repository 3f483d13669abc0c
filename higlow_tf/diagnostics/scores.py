"""Scores of densities and posteriors, each with an error over simulations."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from higlow_tf.diagnostics.bootstrap import NUM_BOOTSTRAP, bootstrap_error, sums_by_simulation
from higlow_tf.diagnostics.fields import as_simulation
from higlow_tf.diagnostics.metrics import Metric
from higlow_tf.errors import InputError

__all__ = ["ParameterScores", "coverage", "density_score", "paired_difference", "parameter_scores"]

# Equal truths have a variance of some rounding errors (1e-16 of their mean square), which counts as none.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class ParameterScores:
    """Scores of posterior means and standard deviations, by parameter name.

    Attributes:
        rmse: sqrt(mean((mean - truth)**2)), in the parameter's unit.
        r2: 1 - sum((mean - truth)**2) / sum((truth - mean(truth))**2); value None where the truth does not vary.
        pull2: mean(((mean - truth) / sd)**2); 1 for calibrated error bars, larger for over-confident ones.
        average: The plain averages over the parameters of "rmse", "r2" and "pull2".
    """

    rmse: dict[str, Metric]
    r2: dict[str, Metric]
    pull2: dict[str, Metric]
    average: dict[str, Metric]

    def metrics(self) -> dict[str, Metric]:
        """All of it under flat names: `rmse`, `r2`, `pull2` (averages), then `rmse_Omega_m` and so on."""
        by_parameter = {"rmse": self.rmse, "r2": self.r2, "pull2": self.pull2}
        flat = {f"{score}_{name}": metric for score, group in by_parameter.items() for name, metric in group.items()}
        return self.average | flat


def parameter_scores(
    truth: ArrayLike,
    mean: ArrayLike,
    sd: ArrayLike,
    simulation: ArrayLike,
    names: Sequence[str],
    *,
    num_bootstrap: int = NUM_BOOTSTRAP,
    seed: int = 0,
) -> ParameterScores:
    """Scores posterior means and standard deviations against the true parameters.

    Definition: see `ParameterScores`. Every row counts once; errors come from resampling simulations with their rows.

    Convention: R2 divides by the variance of the truth, never by that of the prediction.

    What it can and cannot show: mean pull**2 is 1 also for a posterior of the wrong shape; see coverage and ranks.

    Checked against: closed forms for Gaussian scatter.

    Args:
        truth, mean, sd: True parameters, posterior means and standard deviations, `[N, P]`.
        simulation: Simulation of each row, `[N]`.
        names: Names of the `P` parameters.
        num_bootstrap: Number of resamples.
        seed: Seed of the resamples.

    Returns:
        `ParameterScores`. Errors are None, with an `InputWarning`, below four simulations.

    Raises:
        InputError: If shapes disagree, numbers are not finite, or a standard deviation is not positive.
    """
    truth = _finite(truth, "truth", ndim=2)
    mean, sd = _finite(mean, "mean", shape=truth.shape), _finite(sd, "sd", shape=truth.shape)
    if len(names) != truth.shape[1]:
        raise InputError(f"names: expected {truth.shape[1]} parameter names. Received: {list(names)}.")
    if np.any(sd <= 0):
        raise InputError(f"sd: expected positive standard deviations. Received: {sd.min():.3g}.")
    # Moments about the overall mean: the variance of the truth then does not suffer from cancellation.
    centred = truth - truth.mean(axis=0)
    rows = np.hstack([(mean - truth) ** 2, ((mean - truth) / sd) ** 2, centred, centred**2])
    indices, sums = sums_by_simulation(rows, as_simulation(simulation, len(truth), "simulation"))
    values = _parameter_statistics(sums.sum(axis=0, keepdims=True))[0]
    error = bootstrap_error(
        _parameter_statistics, sums, num_bootstrap=num_bootstrap, seed=seed, name="parameter_scores"
    )

    def metric(score: int, column: int) -> Metric:
        spread = None if error is None else _number_or_none(error[score, column])
        return Metric(_number_or_none(values[score, column]), spread, n_simulations=len(indices))

    scores = [{name: metric(score, column) for column, name in enumerate(names)} for score in range(3)]
    average = {name: metric(score, len(names)) for score, name in enumerate(("rmse", "r2", "pull2"))}
    return ParameterScores(*scores, average=average)


def coverage(
    hpd_level: ArrayLike,
    simulation: ArrayLike,
    level: float = 0.68,
    *,
    num_bootstrap: int = NUM_BOOTSTRAP,
    seed: int = 0,
) -> Metric:
    """Share of truths inside the highest-density region of mass `level`; `level` itself for calibrated posteriors.

    Definition:
        coverage = mean(hpd_level <= level)

    What it can and cannot show: a posterior that always returns the prior is calibrated, too. One level can be right by
        chance while others are wrong.

    Args:
        hpd_level: Posterior mass denser than the truth, `[N]`, in [0, 1].
        simulation: Simulation of each row, `[N]`.
        level: Mass of the region.
        num_bootstrap: Number of resamples.
        seed: Seed of the resamples.

    Returns:
        A `Metric`; its error is None, with an `InputWarning`, below four simulations.

    Raises:
        InputError: If shapes disagree or a level lies outside [0, 1].
    """
    hpd_level = _finite(hpd_level, "hpd_level", ndim=1)
    if not 0 < level < 1:
        raise InputError(f"level: expected a mass between 0 and 1. Received: {level}.")
    if np.any((hpd_level < 0) | (hpd_level > 1)):
        raise InputError(
            f"hpd_level: expected masses in [0, 1]. Received: {hpd_level.min():.3g} to {hpd_level.max():.3g}."
        )
    return _mean_metric(hpd_level <= level, simulation, num_bootstrap, seed, "coverage")


def density_score(
    log_prob: ArrayLike, simulation: ArrayLike, num_pixels: int, *, num_bootstrap: int = NUM_BOOTSTRAP, seed: int = 0
) -> Metric:
    """Mean negative log-density of test maps, nats per pixel of the log10 map; lower is better.

    Definition:
        score = -mean(log_prob) / num_pixels

    What it can and cannot show: only differences on the same maps have a meaning; see `paired_difference`.

    Args:
        log_prob: Total nats of each log10 map, `[N]`.
        simulation: Simulation of each map, `[N]`.
        num_pixels: Pixels (times channels) of a map.
        num_bootstrap: Number of resamples.
        seed: Seed of the resamples.

    Returns:
        A `Metric`; its error is None, with an `InputWarning`, below four simulations.

    Raises:
        InputError: If shapes disagree, a log-density is not finite, or `num_pixels` is not positive.
    """
    if num_pixels < 1:
        raise InputError(f"num_pixels: expected a positive number of pixels. Received: {num_pixels}.")
    log_prob = _finite(log_prob, "log_prob", ndim=1)
    return _mean_metric(-log_prob / num_pixels, simulation, num_bootstrap, seed, "density_score")


def paired_difference(
    a: ArrayLike, b: ArrayLike, simulation: ArrayLike, *, num_bootstrap: int = NUM_BOOTSTRAP, seed: int = 0
) -> Metric:
    """Mean of a - b over the same rows: what two models, or a model and the truth, differ by.

    The scatter that both share cancels (a map that is hard for every model). The error is then far below that of a or b.

    Args:
        a, b: Two numbers for each row, `[N]`.
        simulation: Simulation of each row, `[N]`.
        num_bootstrap: Number of resamples.
        seed: Seed of the resamples.

    Returns:
        A `Metric`; its error is None, with an `InputWarning`, below four simulations.

    Raises:
        InputError: If shapes disagree or a number is not finite.
    """
    a = _finite(a, "a", ndim=1)
    return _mean_metric(a - _finite(b, "b", shape=a.shape), simulation, num_bootstrap, seed, "paired_difference")


def _finite(
    values: ArrayLike, name: str, *, ndim: int | None = None, shape: tuple[int, ...] | None = None
) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    if shape is not None and values.shape != shape:
        raise InputError(f"{name}: expected the shape {shape}. Received: {values.shape}.")
    if (ndim is not None and values.ndim != ndim) or not values.size:
        raise InputError(f"{name}: expected an array of {ndim} axes that is not empty. Received: {values.shape}.")
    if not np.isfinite(values).all():
        raise InputError(
            f"{name}: expected finite numbers. Received: {np.count_nonzero(~np.isfinite(values))} that are not."
        )
    return values


def _mean_metric(values: np.ndarray, simulation: ArrayLike, num_bootstrap: int, seed: int, name: str) -> Metric:
    simulation = as_simulation(simulation, len(values), "simulation")
    indices, sums = sums_by_simulation(np.asarray(values, np.float64)[:, None], simulation)
    error = bootstrap_error(
        lambda totals: totals[:, 1] / totals[:, 0], sums, num_bootstrap=num_bootstrap, seed=seed, name=name
    )
    return Metric(float(np.mean(values)), None if error is None else float(error), n_simulations=len(indices))


def _number_or_none(number: np.float64) -> float | None:
    return float(number) if np.isfinite(number) else None


def _parameter_statistics(totals: np.ndarray) -> np.ndarray:
    """rmse, R2 and pull**2 of each parameter and, last, their average: totals `[R, 1 + 4 P]` -> `[R, 3, P + 1]`."""
    squared_error, pull2, centred, centred2 = np.split(totals[:, 1:] / totals[:, :1], 4, axis=1)
    variance = centred2 - centred**2
    varies = variance > _ROUNDING * centred2
    r2 = np.where(varies, 1 - squared_error / np.where(varies, variance, 1.0), np.nan)
    scores = np.stack([np.sqrt(squared_error), r2, pull2], axis=1)
    return np.concatenate([scores, scores.mean(axis=2, keepdims=True)], axis=2)
