"""What `calibrate` and `demo` do: fit the repair, and measure raw and repaired posteriors against the truth."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from higlow_tf.diagnostics import (
    CalibrationScores,
    CalibrationVerdict,
    Metric,
    calibration_scores,
    calibration_verdict,
)
from higlow_tf.evaluation.chunks import spread_rows
from higlow_tf.files import whole_path, write_json
from higlow_tf.inference import (
    Calibration,
    PriorGrid,
    TypicalityReference,
    fit_calibration,
    typicality_features,
)
from higlow_tf.models.posterior_record import CALIBRATION_FILE, TYPICALITY_FILE

__all__ = ["Judgement", "PosteriorSet", "calibration_rows", "fit_and_store", "judge", "spread_maps"]


@dataclass(frozen=True, eq=False)
class PosteriorSet:
    """Posteriors of one kind, their moments, and what was measured of them.

    Args:
        name: Its prefix among the metrics: "", "raw_", "joint_" or "joint_raw_".
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
    """All sets: raw and calibrated, of single maps and of all maps of a simulation.

    Args:
        sets: `PosteriorSet`s by name.
        simulation: Simulation of each map, `[N]`.
    """

    sets: dict
    simulation: np.ndarray

    def metrics(self):
        """All numbers, under the names of `CalibrationScores.metrics` with the prefix of their set."""
        return {
            f"{name}{key}": metric for name, one in self.sets.items() for key, metric in one.scores.metrics().items()
        }

    def save(self, path):
        """Writes mean, sd and truth of every set, and the simulation of each map, as .npz; whole or not at all."""
        arrays = {
            f"{name}{key}": getattr(one, key) for name, one in self.sets.items() for key in ("mean", "sd", "truth")
        }
        with whole_path(path) as part, open(part, "wb") as file:
            np.savez(file, simulation=self.simulation, **arrays)

    def table(self):
        """Headers and rows: every number of every set, side by side."""
        sets = list(self.sets.values())
        by_set = [one.scores.metrics() for one in sets]
        rows = [(key, *[_text(metrics[key]) for metrics in by_set]) for key in by_set[0]]
        return ("", *[one.title for one in sets]), rows


def spread_maps(dataset, maps_per_simulation):
    """At most so many maps of each simulation, evenly spread over them."""
    rows = [
        found[spread_rows(len(found), maps_per_simulation)]
        for found in (np.flatnonzero(dataset.simulation == index) for index in dataset.simulation_indices)
    ]
    return dataset.select(np.sort(np.concatenate(rows)))


def fit_and_store(model, run, validation, theta_grid, of_copies, *, seed=0):
    """Fits calibration and typicality on validation simulations, and stores both in the run.

    Args:
        model: `ConditionalGlow` or `HIFlow`; gets both as attributes.
        run: Its folder.
        validation: `HIMapDataset` of the N maps.
        theta_grid: Regular grid over the prior, `[G, P]`.
        of_copies: Raw log-likelihood of the symmetric copies of each map, `[N, T, G]`.
        seed: Seed of the bootstrap.

    Returns:
        `CalibrationFit`.
    """
    log_likelihood = of_copies.mean(axis=1)
    label = f"{validation.num_simulations} validation simulations, {validation.num_maps} maps"
    fit = fit_calibration(
        log_likelihood,
        theta_grid,
        validation.theta,
        validation.simulation,
        model.parameters,
        num_symmetries=of_copies.shape[1],
        label=label,
        seed=seed,
    )
    model.calibration = fit.calibration.to_config()
    write_json(model.calibration, Path(run) / CALIBRATION_FILE)
    # A typical map is known at its own posterior mean, since nobody knows the truth of a new one.
    grid = PriorGrid(log_likelihood, theta_grid, model.parameters)
    theta = np.exp(_log_mass(grid, fit.calibration)) @ grid.points
    features, names = typicality_features(model, np.asarray(validation.maps), theta)
    reference = TypicalityReference.fit(features, names, theta, validation.simulation, model.parameters)
    model.typicality = reference.to_config()
    write_json(model.typicality, Path(run) / TYPICALITY_FILE)
    return fit


def judge(theta_grid, of_copies, test, calibration, *, seed=0):
    """Measures raw and calibrated posteriors of single maps, and of all maps of a simulation if there are several.

    Args:
        theta_grid: Regular grid over the prior, `[G, P]`.
        of_copies: Raw log-likelihood of the symmetric copies of each map, the map itself first, `[N, T, G]`. The calibrated
            posterior takes their mean, the raw one the map as it is.
        test: `HIMapDataset` of the N maps.
        calibration: `Calibration`.
        seed: Seed of the bootstrap.

    Returns:
        `Judgement`. Together, the raw posterior takes the maps of a simulation as independent.
    """
    log_likelihood, raw = of_copies.mean(axis=1), of_copies[:, 0]
    grid, raw_grid = (PriorGrid(one, theta_grid, test.parameters) for one in (log_likelihood, raw))
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
    return Judgement(sets, simulation)


def calibration_rows(judgement, calibration, fit):
    """Label, value and note of what matters most."""
    best = judgement.sets[""]
    rows = [("Posteriors", _answer(best.verdict), str(best.verdict))]
    if "joint_" in judgement.sets:
        joint = judgement.sets["joint_"]
        rows.append(("Posteriors of all maps of a simulation", _answer(joint.verdict), str(joint.verdict)))
    raw = judgement.sets["raw_"]
    rows.append(("Posteriors before repair", _answer(raw.verdict), str(raw.verdict)))
    error = "" if fit is None else f" ± {fit.tempering_error:.3f}"
    rows.append(
        ("Tempering", f"{calibration.tempering:.3f}{error}", "factor of the log-likelihood; 1 if the model were exact")
    )
    widening = ", ".join(f"{value:.4f}" for value in calibration.widening_of(best.mean.shape[1]))
    rows.append(("Widening", widening, "standard deviation of the Gaussian that the posterior is convolved with"))
    rows.append(
        ("Copies", str(calibration.num_symmetries), "shifted, rotated, reflected: the log-likelihood is their mean")
    )
    if calibration.map_correlation is not None:
        note = (
            "of maps of one simulation: 15 of them count as "
            f"{calibration.effective_number(15):.1f} independent ones (0: all independent, 1: one)"
        )
        error = "" if fit is None else f" ± {fit.map_correlation_error:.2f}"
        rows.append(("Correlation", f"{calibration.map_correlation:.2f}{error}", note))
    return rows


def _answer(verdict):
    return {True: "calibrated", False: "not calibrated", None: "cannot be told"}[verdict.is_calibrated]


def _measure(name, title, grid, calibration, truth, simulation, seed):
    """Applies a calibration and measures the posteriors."""
    parameters = grid.parameters
    log_mass = _log_mass(grid, calibration)
    scores = calibration_scores(
        grid.points,
        log_mass,
        truth,
        simulation,
        grid.hpd_level(log_mass, truth),
        parameters.names,
        log_prior_density=_log_prior_density(parameters, truth),
        box=(parameters.low, parameters.high),
        seed=seed,
    )
    mass = np.exp(log_mass)
    mean = mass @ grid.points
    sd = np.sqrt(np.maximum(mass @ grid.points**2 - mean**2, 0.0))
    return PosteriorSet(name, title, mean, sd, truth, scores, calibration_verdict(scores))


def _log_mass(grid, calibration):
    return grid.log_mass(calibration.tempering, calibration.widening_of(len(grid.parameters)))


def _log_prior_density(parameters, truth):
    """Of the prior of training, per unit of theta, `[N]`."""
    low, high = parameters.low, parameters.high
    width = np.where(parameters.is_log, truth * np.log(high / np.where(parameters.is_log, low, 1.0)), high - low)
    return -np.log(width).sum(axis=1)


def _text(metric: Metric):
    if metric.value is None:
        return "-"
    return f"{metric.value:.3g}" + ("" if metric.error is None else f" ± {metric.error:.2g}")
