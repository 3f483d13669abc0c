"""Fits the repair of a model's posteriors on validation simulations, and judges posteriors on test simulations."""

from dataclasses import dataclass

import numpy as np

from higlow_tf.errors import InputError
from higlow_tf.evaluation.few_points import with_enough_points
from higlow_tf.evaluation.judgement import judge_posteriors, log_mass
from higlow_tf.evaluation.posterior_scores import MOST_PARAMETERS
from higlow_tf.evaluation.spreading import spread_maps
from higlow_tf.inference import (
    Calibration,
    CalibrationFit,
    MarginalLikelihood,
    PriorGrid,
    TypicalityReference,
    ensemble_of,
    fit_calibration,
    num_flows_of,
    parameters_of_interest,
    typicality_features,
)
from higlow_tf.inference.calibration_fit import MIN_SIMULATIONS
from higlow_tf.runs import subset_of

__all__ = [
    "CalibrationOptions",
    "PosteriorFit",
    "calibrate",
    "calibrate_on_own_maps",
    "check_calibratable",
    "judge_calibration",
]


@dataclass(frozen=True)
class CalibrationOptions:
    """How much is computed.

    Attributes:
        maps_per_simulation: Most maps of each simulation to look at; None for all.
        points_per_axis: Points along each axis of the prior, edges included, at which likelihoods are evaluated first; splines
            interpolate between them. More are added where the splines ask for them (see `few_points`).
        num_symmetries: Shifted, rotated and reflected copies of a map over which its log-likelihood is averaged.
        seed: Seed of the bootstrap.
        num_flows: Flows of the model's ensemble over which it is averaged, too; None for all that there are.
    """

    maps_per_simulation: int | None = 15
    points_per_axis: int = 8
    num_symmetries: int = 4
    seed: int = 0
    num_flows: int | None = None


@dataclass(frozen=True, eq=False)
class PosteriorFit:
    """What was fitted on validation simulations; `Run.store_calibration` keeps it.

    Attributes:
        calibration_fit: `CalibrationFit`: the repair with its errors.
        typicality: `TypicalityReference`: what the maps of training are like.
    """

    calibration_fit: CalibrationFit
    typicality: TypicalityReference

    @property
    def calibration(self):
        """The `Calibration` that `infer` applies."""
        return self.calibration_fit.calibration


def calibrate(model, validation, test=None, options=None, *, progress=None, cache_dir=None):
    """Fits the repair of the posteriors, and judges raw and repaired ones. Nothing is written. The model stays as it is.

    Args:
        model: `ConditionalGlow`, `HIFlow` or `TRENF`, or a `FlowEnsemble`, of one to three parameters of interest. Those that
            are named in `model.nuisance` are integrated over their prior.
        validation: `HIMapDataset` of validation simulations: neither trained on nor judged.
        test: `HIMapDataset` of test simulations, or None to fit only.
        options: `CalibrationOptions`; None for the defaults.
        progress: Called as `progress(stage, done, total)`, or None.
        cache_dir: Folder that keeps the likelihoods of each map, or None. With it, an interrupted call can be continued.

    Returns:
        The pair (`PosteriorFit`, `Judgement`). Without test maps the second is None.

    Raises:
        InputError: If the model has too many parameters, or there are fewer than four validation simulations.
    """
    options = options or CalibrationOptions()
    check_calibratable(model)
    if validation.num_simulations < MIN_SIMULATIONS:
        raise InputError(
            f"validation: expected at least {MIN_SIMULATIONS} validation simulations, for a repair of the posteriors (more "
            f"simulations in the file, or a larger share in data.split_fractions). Received: {validation.num_simulations}."
        )
    num_flows = num_flows_of(model) if options.num_flows is None else options.num_flows
    model = ensemble_of(model, num_flows)
    validation = _of_interest(model, spread_maps(validation, options.maps_per_simulation))
    how = (options.points_per_axis, options.num_symmetries, _staged(progress, "validation maps"), cache_dir)

    def fitted(theta_grid, log_likelihoods):
        fit, grid = _fit_repair(validation, theta_grid, log_likelihoods[:, 0], num_flows, options)
        return (fit, grid), _errors(grid, fit.calibration)

    (repair, grid), _ = with_enough_points(model, validation, fitted, *how)
    fit = PosteriorFit(repair, _fit_typicality(model, validation, grid, repair.calibration))
    if test is None:
        return fit, None
    return fit, judge_calibration(model, test, fit.calibration, options, progress=progress, cache_dir=cache_dir)


def calibrate_on_own_maps(model, data, options=None, *, progress=None, cache_dir=None):
    """Fits the repair on the validation simulations of the run, if the data are those that the model was trained on.

    Args:
        model, options, progress, cache_dir: As in `calibrate`.
        data: `HIMapDataset` of all maps of a file, as read. It is known by content.

    Returns:
        `PosteriorFit`; None for another file, for which the repair that is stored with the model holds.

    Raises:
        InputError: As in `calibrate`, and if it is another file and the model has no repair.
    """
    check_calibratable(model)
    if model.split is not None and data.content_hash() == model.split["content_hash"]:
        validation = subset_of(model.split, data, "validation")
        return calibrate(model, validation, options=options, progress=progress, cache_dir=cache_dir)[0]
    if model.calibration is None:
        raise InputError(
            f"{', '.join(map(str, data.source))}: expected the maps that the run was trained on, or a run that is calibrated. "
            "Received: other maps, and a run that is not."
        )
    return None


def judge_calibration(model, test, calibration=None, options=None, *, progress=None, cache_dir=None):
    """Judges raw and calibrated posteriors on maps that the model was not trained on.

    Args:
        model, options, progress, cache_dir: As in `calibrate`.
        test: `HIMapDataset` of test maps.
        calibration: `Calibration`; None for the one that is stored with the model.

    Returns:
        `Judgement`.

    Raises:
        InputError: If the model has too many parameters, or no calibration.
    """
    check_calibratable(model)
    options = options or CalibrationOptions()
    if calibration is None and model.calibration is None:
        raise InputError("calibration: expected a Calibration, or a model that has one. Received: neither.")
    calibration = calibration or Calibration.from_config(model.calibration)
    calibration.check_parameters(parameters_of_interest(model).names)
    model = ensemble_of(model, calibration.num_flows)
    test = _of_interest(model, spread_maps(test, options.maps_per_simulation))
    how = (options.points_per_axis, calibration.num_symmetries, _staged(progress, "test maps"), cache_dir)

    def judged(theta_grid, log_likelihoods):
        grid = PriorGrid(log_likelihoods[:, 0], theta_grid, test.parameters)
        return (theta_grid, log_likelihoods), _errors(grid, calibration)

    likelihoods, _ = with_enough_points(model, test, judged, *how, nuisance_draws=calibration.nuisance_draws)
    return judge_posteriors(*likelihoods, test, calibration, seed=options.seed)


def check_calibratable(model, name="model"):
    """Refuses a model whose posteriors do not fit on a grid; `name` stands in the error."""
    number = len(parameters_of_interest(model))
    if number > MOST_PARAMETERS:
        raise InputError(
            f"{name}: expected a model of one to {MOST_PARAMETERS} parameters, whose posteriors fit on a grid. "
            f"Received: {number}."
        )


def _of_interest(model, dataset):
    return dataset.with_parameters(parameters_of_interest(model))


def _staged(progress, stage):
    """Progress under the name of a stage, or None."""
    return None if progress is None else lambda _, done, total: progress(stage, done, total)


def _errors(grid, calibration):
    return grid.interpolation_errors(calibration.tempering, calibration.widening_of(len(grid.parameters)))


def _fit_repair(validation, theta_grid, log_likelihood, num_flows, options):
    """The pair (`CalibrationFit`, `PriorGrid` of the likelihoods)."""
    fit = fit_calibration(
        log_likelihood,
        theta_grid,
        validation.theta,
        validation.simulation,
        validation.parameters,
        num_symmetries=options.num_symmetries,
        num_flows=num_flows,
        label=f"{validation.num_simulations} validation simulations, {validation.num_maps} maps",
        seed=options.seed,
    )
    return fit, PriorGrid(log_likelihood, theta_grid, validation.parameters)


def _fit_typicality(model, validation, grid, calibration):
    """The `TypicalityReference`; its features are taken at posterior means, because nobody knows the truth of a new map."""
    theta = np.exp(log_mass(grid, calibration)) @ grid.points
    maps = np.asarray(validation.maps)
    features, names = typicality_features(model, maps, MarginalLikelihood(model).completed(maps, theta))
    return TypicalityReference.fit(features, names, theta, validation.simulation, validation.parameters)
