"""Fits the repair of over-confident posteriors on validation simulations."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.optimize import minimize, minimize_scalar

from higlow_tf.errors import InputError
from higlow_tf.inference.calibration import Calibration
from higlow_tf.inference.map_correlation import fit_map_correlation
from higlow_tf.inference.prior_grid import PriorGrid

__all__ = ["MIN_SIMULATIONS", "CalibrationFit", "fit_calibration"]

_LOG_TEMPERING_BOUNDS = (np.log(0.01), np.log(1.5))

# Squared widenings are fitted in units of the square of a twentieth of a parameter's range, up to a quarter of it.
_WIDENING_SCALE = 0.1
_MAX_WIDENING2 = (0.5 / _WIDENING_SCALE) ** 2

# Steps of the finite differences round the optimum, in log tempering and squared widening over its scale squared.
_LOG_TEMPERING_STEP, _WIDENING2_STEP = 0.05, 0.2
_NUM_SWEEPS = 60

MIN_SIMULATIONS = 4


@dataclass(frozen=True)
class CalibrationFit:
    """A fitted calibration with its errors over simulations.

    Args:
        calibration: What `infer` applies.
        tempering_error: Bootstrap error of the tempering.
        widening_error: That of the widening, one a parameter, in the units of theta; 0 where none was needed.
        map_correlation_error: That of the map correlation; None where it was not fitted.
        raw_gain_nats: Mean log of raw posterior over prior density at the truth, simulations weighing the same.
        gain_nats: The same after the calibration; never lower by much, as it is what was maximised.
    """

    calibration: Calibration
    tempering_error: float
    widening_error: tuple
    map_correlation_error: float | None
    raw_gain_nats: float
    gain_nats: float


def fit_calibration(
    log_likelihood,
    theta_grid,
    truth,
    simulation,
    parameters,
    *,
    num_symmetries=1,
    num_flows=1,
    label="",
    num_bootstrap=200,
    seed=0,
):
    """Fits tempering, widening and map correlation on simulations that the model was not trained on.

    Math:
        tempering, widening maximise  sum over simulations of the mean over its maps of log p(truth | map) + log prior
        map_correlation maximises, with these two fixed, the same of joint posteriors of n maps of a simulation,
            log p(theta | n maps) = tempering / (1 + (n - 1) * map_correlation) * sum of log-likelihoods + constant,
        averaged over disjoint random subsets of n = 2, 4, 8, ... and all maps of a simulation

    The log-density of the truth is a proper score: its expectation is largest for the true posterior. A posterior that is wider
    than need be loses. A simulation counts once, however many maps it has.

    With few simulations a tempering and a widening can stand in for each other. So the tempering is fitted first. Then a
    parameter gets a widening if that raises the sum of scores by more than log(S) / 2 (the price that BIC puts on a
    parameter; S simulations), first the parameter that gains most. The logarithm of the tempering has a normal prior of mean
    0 and standard deviation 1, which weighs about as much as one simulation. `infer` applies the widening with the code that
    the fit scores (`widening`).

    Errors come from resampling simulations with replacement, with the same parameters widened. An error is half of the range
    that holds the central 68 %. The scores of a resample are taken as a quadratic about the optimum (from finite
    differences), whose maximum inside the bounds is exact.

    Args:
        log_likelihood: Raw log-likelihoods `[N, G]`, each the mean over `num_symmetries` copies of a map.
        theta_grid: Centres `[G, P]` of equal cells of the prior, see `PriorGrid`. A spline interpolates between them, so that
            they may be about as wide as the raw posteriors.
        truth: True parameters `[N, P]`, in the prior.
        simulation: Simulation of each map, `[N]`.
        parameters: `ParameterSpace` of the `P` columns.
        num_symmetries, num_flows: What `infer` is to do as well, stored in the calibration.
        label: Where the maps come from, stored in the calibration.
        num_bootstrap: Number of resamples.
        seed: Seed of subsets and resamples.

    Returns:
        `CalibrationFit`. The map correlation is None if no simulation has two maps.

    Raises:
        InputError: If shapes disagree, a truth lies outside the prior, or there are fewer than four simulations.

    References:
        [1] Gneiting & Raftery. Strictly proper scoring rules. JASA 2007.
    """
    grid = PriorGrid(log_likelihood, theta_grid, parameters)
    truth, simulation = np.asarray(truth, np.float64), np.asarray(simulation)
    num_rows = len(grid.log_likelihood)
    if truth.shape != (num_rows, len(parameters)) or simulation.shape != (num_rows,):
        raise InputError(
            f"truth, simulation: expected the shapes {(num_rows, len(parameters))} and {(num_rows,)}. "
            f"Received: {truth.shape} and {simulation.shape}."
        )
    if np.any(parameters.outside(truth)):
        raise InputError(f"truth: expected parameters in the prior. Received: {parameters.describe_outside(truth)}.")
    names, position = np.unique(simulation, return_inverse=True)
    if len(names) < MIN_SIMULATIONS:
        raise InputError(f"simulation: expected at least {MIN_SIMULATIONS} simulations. Received: {len(names)}.")
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=num_bootstrap)
    scores = _SingleMapScores(grid, truth, position)
    best = scores.fit()
    tempering, widening = scores.physical(best)
    resampled = [[t, *w] for t, w in map(scores.physical, scores.resampled_fits(best, weights))]
    errors = 0.5 * np.subtract(*np.percentile(resampled, [84, 16], axis=0))
    correlation, correlation_error = fit_map_correlation(grid, truth, position, tempering, widening, weights, rng)
    return CalibrationFit(
        calibration=Calibration(
            tempering,
            tuple(widening),
            correlation,
            label=label,
            num_simulations=len(names),
            num_symmetries=num_symmetries,
            num_flows=num_flows,
            parameters=parameters.names,
        ),
        tempering_error=float(errors[0]),
        widening_error=tuple(errors[1:].tolist()),
        map_correlation_error=correlation_error,
        raw_gain_nats=float(scores.by_simulation(1.0, 0.0 * widening).mean()),
        gain_nats=float(scores.by_simulation(tempering, widening).mean()),
    )


class _SingleMapScores:
    """Mean score of each simulation as a function of x = (log tempering, squared widenings over their scale squared)."""

    def __init__(self, grid, truth, position):
        self._grid = grid
        self._truth = truth
        self._position = position
        self._count = np.bincount(position)
        spec = grid.parameters
        self._unit = _WIDENING_SCALE * 0.5 * (spec.high - spec.low)
        self._low = np.array([_LOG_TEMPERING_BOUNDS[0]] + [0.0] * len(spec))
        self._high = np.array([_LOG_TEMPERING_BOUNDS[1]] + [_MAX_WIDENING2] * len(spec))

    def physical(self, x):
        """Tempering and widening `[P]` in the units of theta."""
        return float(np.exp(x[0])), np.sqrt(x[1:]) * self._unit

    def by_simulation(self, tempering, widening):
        """Mean log of posterior over prior density at the truth, `[S]`."""
        scores = self._grid.log_density_ratio(tempering, widening, self._truth)
        return np.bincount(self._position, scores) / self._count

    def fit(self):
        """The maximum in the tempering alone (a concave problem), and in those widenings that pay for themselves."""
        log_tempering = minimize_scalar(
            lambda x: self._loss(np.append(x, np.zeros(len(self._low) - 1))),
            bounds=_LOG_TEMPERING_BOUNDS,
            method="bounded",
        ).x
        best, is_free = np.append(log_tempering, np.zeros(len(self._low) - 1)), np.eye(len(self._low))[0] > 0
        price = 0.5 * np.log(len(self._count)) / len(self._count)
        while not is_free.all():
            trials = [self._fit_free(best, is_free, added) for added in np.flatnonzero(~is_free)]
            trial = min(trials, key=self._loss)
            if self._loss(trial) > self._loss(best) - price:
                break
            best, is_free = trial, trial > 0
            is_free[0] = True
        return best

    def _fit_free(self, best, is_free, added):
        """The maximum where also the widening `added` is free."""
        is_free = is_free | (np.arange(len(best)) == added)
        start = np.where(np.arange(len(best)) == added, 1.0, best)
        bounds = [
            (low, high) if free else (0.0, 0.0) for low, high, free in zip(self._low, self._high, is_free, strict=True)
        ]
        return minimize(self._loss, start, method="L-BFGS-B", bounds=bounds, options={"eps": 1e-4}).x

    def resampled_fits(self, best, weights):
        """The maximum for each row of weights `[R, S]`, by a quadratic about `best`; `[R, 1 + P]`."""
        free = np.flatnonzero(np.append(True, best[1:] > 0))
        steps = np.array([_LOG_TEMPERING_STEP] + [_WIDENING2_STEP] * (len(best) - 1))[free]
        low, high = self._low[free], self._high[free]
        centre = best.copy()
        centre[free] = np.clip(best[free], low + steps, high - steps)
        gradient, hessian = self._derivatives(centre, free, steps)
        gradient, hessian = weights @ gradient, np.tensordot(weights, hessian, axes=1)
        gradient[:, 0] -= centre[0]
        hessian[:, 0, 0] -= 1.0
        shift = _maximum_in_box(gradient, hessian, low - centre[free], high - centre[free])
        fits = np.tile(centre, (len(weights), 1))
        fits[:, free] += shift
        return fits

    def _loss(self, x):
        return -(self.by_simulation(*self.physical(x)).sum() - 0.5 * x[0] ** 2) / len(self._count)

    def _derivatives(self, centre, free, steps):
        """Gradient `[S, D]` and Hessian `[S, D, D]` of the scores in D coordinates by finite differences."""
        moves = np.zeros((len(free), len(centre)))
        moves[np.arange(len(free)), free] = steps

        def at(move):
            return self.by_simulation(*self.physical(centre + move))

        middle, plus, minus = at(0.0), [at(m) for m in moves], [at(-m) for m in moves]
        gradient = np.stack([(p - m) / (2 * h) for p, m, h in zip(plus, minus, steps, strict=True)], axis=1)
        hessian = np.empty((*gradient.shape, len(steps)))
        for i, step in enumerate(steps):
            hessian[:, i, i] = (plus[i] - 2 * middle + minus[i]) / step**2
        for i, j in combinations(range(len(steps)), 2):
            mixed = (at(moves[i] + moves[j]) - plus[i] - plus[j] + middle) / (steps[i] * steps[j])
            hessian[:, i, j] = hessian[:, j, i] = mixed
        return gradient, hessian


def _maximum_in_box(gradient, hessian, low, high):
    """Where quadratics about 0 are largest between bounds, `[R, D]`: coordinate after coordinate, many times."""
    found = np.zeros_like(gradient)
    diagonal = np.minimum(np.diagonal(hessian, axis1=1, axis2=2), -1e-6)
    for _ in range(_NUM_SWEEPS):
        for i in range(len(low)):
            slope = gradient[:, i] + np.einsum("rj,rj->r", hessian[:, i], found)
            found[:, i] = np.clip(found[:, i] - slope / diagonal[:, i], low[i], high[i])
    return found
