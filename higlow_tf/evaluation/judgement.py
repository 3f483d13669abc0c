"""How far posteriors can be trusted: raw and repaired posteriors of test maps, compared with the truth."""

from dataclasses import dataclass

import numpy as np

from higlow_tf.diagnostics import (
    CalibrationScores,
    CalibrationVerdict,
    Metric,
    calibration_scores,
    calibration_verdict,
)
from higlow_tf.files import whole_path
from higlow_tf.inference import Calibration, PriorGrid

__all__ = ["Judgement", "PosteriorSet", "judge_posteriors", "log_mass"]


@dataclass(frozen=True, eq=False)
class PosteriorSet:
    """Posteriors of one kind, their moments, and what was measured of them.

    Attributes:
        name: The prefix of its metrics: "", "raw_", "joint_" or "joint_raw_".
        title: What it is, in words.
        mean, sd: `[N, P]`.
        truth: `[N, P]`.
        scores: `CalibrationScores`.
        verdict: `CalibrationVerdict`.
    """

    name: str
    title: str
    mean: np.ndarray
    sd: np.ndarray
    truth: np.ndarray
    scores: CalibrationScores
    verdict: CalibrationVerdict


@dataclass(frozen=True, eq=False)
class Judgement:
    """Posteriors of test maps: raw and calibrated, of single maps and of all maps of a simulation.

    Attributes:
        sets: `PosteriorSet`s by name.
        simulation: Simulation of each map, `[N]`.
        test: `HIMapDataset` of the maps.
        calibration: The `Calibration` that was applied.
    """

    sets: dict
    simulation: np.ndarray
    test: object
    calibration: Calibration

    @property
    def metrics(self):
        """All numbers, under the names of `CalibrationScores.metrics` with the prefix of their set."""
        return {
            f"{name}{key}": metric
            for name, posteriors in self.sets.items()
            for key, metric in posteriors.scores.metrics().items()
        }

    def save(self, path):
        """Writes mean, sd, truth and gain of every set, and the simulation of each map, as .npz; whole or not at all."""
        arrays = {
            f"{name}{key}": value
            for name, one in self.sets.items()
            for key, value in {"mean": one.mean, "sd": one.sd, "truth": one.truth, "gain": one.scores.gain}.items()
        }
        with whole_path(path) as part, open(part, "wb") as file:
            np.savez(file, simulation=self.simulation, **arrays)

    def table(self):
        """Headers and rows: every number of every set, side by side."""
        columns = [posteriors.scores.metrics() for posteriors in self.sets.values()]
        rows = [(key, *[_text(column[key]) for column in columns]) for key in columns[0]]
        return ("", *[posteriors.title for posteriors in self.sets.values()]), rows

    def rows(self, fit=None):
        """Label, value and note of what matters most.

        Args:
            fit: `CalibrationFit`, for the errors of the repair; None if it was not fitted here.
        """
        rows = [_verdict_row("Posteriors", self.sets[""])]
        if "joint_" in self.sets:
            rows.append(_verdict_row("Posteriors of all maps of a simulation", self.sets["joint_"]))
        rows.append(_verdict_row("Posteriors before repair", self.sets["raw_"]))
        return rows + _repair_rows(self.calibration, self.sets[""].mean.shape[1], fit)


def judge_posteriors(theta_grid, log_likelihoods, test, calibration, *, seed=0):
    """Measures raw and calibrated posteriors of single maps, and of all maps of a simulation if there are several.

    Args:
        theta_grid: Regular grid over the prior, `[G, P]`.
        log_likelihoods: Raw log-likelihoods of each map, `[N, 2, G]`: the average over its symmetric copies, which the calibrated
            posterior takes, and that of the map as it is, which the raw posterior takes.
        test: `HIMapDataset` of the N maps, with the parameters of interest alone.
        calibration: `Calibration`.
        seed: Seed of the bootstrap.

    Returns:
        `Judgement`. The raw posterior of all maps of a simulation takes them as independent.
    """
    log_likelihood, raw = log_likelihoods[:, 0], log_likelihoods[:, 1]
    grid, raw_grid = (PriorGrid(values, theta_grid, test.parameters) for values in (log_likelihood, raw))
    truth, simulation = test.theta, test.simulation
    sets = {
        "": _measure("", "one map, calibrated", grid, calibration, truth, simulation, seed),
        "raw_": _measure("raw_", "one map, raw", raw_grid, Calibration(), truth, simulation, seed),
    }
    indices, position, count = np.unique(simulation, return_inverse=True, return_counts=True)
    if count.min() > 1 and calibration.map_correlation is not None:
        total, raw_total = np.zeros((2, len(indices), len(theta_grid)))
        np.add.at(total, position, log_likelihood)
        np.add.at(raw_total, position, raw)
        first = np.unique(simulation, return_index=True)[1]
        effective = np.array([calibration.effective_number(number) for number in count])
        joint = PriorGrid(total * (effective / count)[:, None], theta_grid, test.parameters)
        joint_raw = PriorGrid(raw_total, theta_grid, test.parameters)
        number = f"{count.min()} maps" if count.min() == count.max() else f"{count.min()}-{count.max()} maps"
        arguments = (truth[first], indices, seed)
        sets |= {
            "joint_": _measure("joint_", f"{number} together, calibrated", joint, calibration, *arguments),
            "joint_raw_": _measure("joint_raw_", f"{number} together, raw", joint_raw, Calibration(), *arguments),
        }
    return Judgement(sets, simulation, test, calibration)


def log_mass(grid, calibration):
    """Log of the calibrated mass of each cell of a `PriorGrid`, `[N, G]`."""
    return grid.log_mass(calibration.tempering, calibration.widening_of(len(grid.parameters)))


def _measure(name, title, grid, calibration, truth, simulation, seed):
    """Applies a calibration and measures the posteriors."""
    parameters = grid.parameters
    log_masses = log_mass(grid, calibration)
    scores = calibration_scores(
        grid.points,
        log_masses,
        truth,
        simulation,
        grid.hpd_level(log_masses, truth),
        parameters.names,
        log_prior_density=parameters.log_prior_density(truth),
        box=(parameters.low, parameters.high),
        seed=seed,
    )
    mass = np.exp(log_masses)
    mean = mass @ grid.points
    sd = np.sqrt(np.maximum(mass @ grid.points**2 - mean**2, 0.0))
    return PosteriorSet(name, title, mean, sd, truth, scores, calibration_verdict(scores))


def _verdict_row(label, posteriors):
    answer = {True: "calibrated", False: "not calibrated", None: "cannot be told"}[posteriors.verdict.is_calibrated]
    return label, answer, str(posteriors.verdict)


def _repair_rows(calibration, num_parameters, fit):
    error = "" if fit is None else f" ± {fit.tempering_error:.3f}"
    widening = ", ".join(f"{value:.4f}" for value in calibration.widening_of(num_parameters))
    rows = [
        ("Tempering", f"{calibration.tempering:.3f}{error}", "factor of the log-likelihood; 1 if the model were exact"),
        ("Widening", widening, "standard deviation of the Gaussian that the posterior is convolved with"),
        ("Copies", str(calibration.num_symmetries), "shifted, rotated, reflected: the log-likelihood is their mean"),
    ]
    if calibration.num_flows > 1:
        rows.append(("Flows", str(calibration.num_flows), "of an ensemble: the log-likelihood is their mean, too"))
    if calibration.map_correlation is not None:
        note = (
            "of maps of one simulation: 15 of them count as "
            f"{calibration.effective_number(15):.1f} independent ones (0: all independent, 1: one)"
        )
        error = "" if fit is None else f" ± {fit.map_correlation_error:.2f}"
        rows.append(("Correlation", f"{calibration.map_correlation:.2f}{error}", note))
    return rows


def _text(metric: Metric):
    if metric.value is None:
        return "-"
    return f"{metric.value:.3g}" + ("" if metric.error is None else f" ± {metric.error:.2g}")
