"""Flows of this package as rivals: presets that are trained here, and runs that are there."""

import functools
import time

from benchmarks.rivals.problem import FRACTIONS
from higlow_tf.errors import InputError
from higlow_tf.evaluation.few_points import with_enough_points
from higlow_tf.inference import PriorGrid, parameters_of_interest
from higlow_tf.runs import open_run, train

__all__ = ["TITLES", "of_run", "train_flow"]

TITLES = {"hiflow": "HIFlow", "trenf": "TRENF"}
_PRESETS = {"hiflow": "hiflow64", "trenf": "trenf"}
# Points an axis at first; more are added where splines need them.
_POINTS_PER_AXIS = 8


def train_flow(problem, seconds, seed, folder, *, kind):
    """Trains a preset with `higlow_tf.runs.train`, by maximum likelihood alone, on the same split.

    Args:
        problem: `Problem`.
        seconds: Seconds, compilation included.
        seed: Seed of the training.
        folder: Folder of the run.
        kind: "hiflow" or "trenf".

    Returns:
        The pair (likelihoods, facts of the training), see `judge`.
    """
    start = time.process_time()
    run = train(
        preset=_PRESETS[kind],
        maps=problem.maps,
        params=problem.params,
        parameters=problem.parameters.names,
        nuisance="none",
        map_size=problem.train.map_size,
        split_seed=problem.split_seed,
        max_minutes=seconds / 60.0,
        end_layers=False,
        out=folder,
        overwrite=True,
        settings={"training.seed": seed, "data.split_fractions": list(FRACTIONS)},
    )
    facts = {"cpu_seconds": time.process_time() - start, **_facts(run)}
    return functools.partial(_likelihoods, run.model, problem.num_symmetries), facts


def of_run(path, problem):
    """A run that was trained elsewhere, and may not have seen validation or test maps in its training.

    Args:
        path: Folder of the run.
        problem: `Problem`.

    Returns:
        The pair (likelihoods, facts of the training), see `judge`. CPU seconds of its training are not known; its
        minutes are those of its stages.

    Raises:
        InputError: If its parameters of interest are others, or it was trained on a map that rivals are judged on.
    """
    run = open_run(path)
    names = parameters_of_interest(run.model).names
    if names != problem.parameters.names:
        wanted = ", ".join(problem.parameters.names)
        raise InputError(
            f"{path}: expected a run that asks for {wanted}. Received: one that asks for {', '.join(names)}."
        )
    hashes = {name: set(run.split["map_hashes"][name]) for name in ("train", "validation")}
    seen = (hashes["train"] | hashes["validation"]) & problem.hashes["test"] | hashes["train"] & problem.hashes[
        "validation"
    ]
    if seen:
        raise InputError(
            f"{path}: expected a run of the same split. Received: one that has seen {len(seen)} of its other maps."
        )
    return functools.partial(_likelihoods, run.model, problem.num_symmetries), {"cpu_seconds": None, **_facts(run)}


def _facts(run):
    """Minutes of all stages, epochs of the last, and the number of weights."""
    minutes, stage = 0.0, run
    while True:
        minutes += float(stage.history["wall_minutes"][-1])
        if stage.config.start_from is None or not stage.config.start_from.is_dir():
            break
        stage = open_run(stage.config.start_from)
    return {
        "wall_minutes": minutes,
        "epochs": len(run.history["epoch"]),
        "best_epoch": run.best_epoch + 1,
        "num_weights": run.model.count_params(),
    }


def _likelihoods(model, num_symmetries, dataset, calibration_of):
    """Log-likelihoods on as few points as the calibrated posteriors need."""

    def compute(theta_grid, log_likelihoods):
        calibration = calibration_of(theta_grid, log_likelihoods)
        grid = PriorGrid(log_likelihoods[:, 0], theta_grid, dataset.parameters)
        widening = calibration.widening_of(len(dataset.parameters))
        return (theta_grid, log_likelihoods), grid.interpolation_errors(calibration.tempering, widening)

    return with_enough_points(model, dataset, compute, _POINTS_PER_AXIS, num_symmetries, None, None)[0]
