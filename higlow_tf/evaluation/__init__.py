"""How good a model is: numbers from maps that it was not trained on, with their errors and a verdict."""

from higlow_tf.evaluation.calibrate import (
    CalibrationOptions,
    PosteriorFit,
    calibrate,
    calibrate_on_own_maps,
    judge_calibration,
)
from higlow_tf.evaluation.comparison import density_differences
from higlow_tf.evaluation.evaluate_model import check_evaluable, evaluate_model
from higlow_tf.evaluation.evaluation import Evaluation, EvaluationOptions
from higlow_tf.evaluation.judged_maps import judged_maps, training_maps_of
from higlow_tf.evaluation.judgement import Judgement
from higlow_tf.evaluation.machine import MachineRates, measure_rates
from higlow_tf.evaluation.speed import compare_with_peer, measure_speed
from higlow_tf.evaluation.speed_cases import SpeedCase, find_cases
from higlow_tf.evaluation.verdict import Verdict, VerdictRow
from higlow_tf.models import fit_end_layers

__all__ = [
    "CalibrationOptions",
    "Evaluation",
    "EvaluationOptions",
    "Judgement",
    "MachineRates",
    "PosteriorFit",
    "SpeedCase",
    "Verdict",
    "VerdictRow",
    "calibrate",
    "calibrate_on_own_maps",
    "check_evaluable",
    "compare_with_peer",
    "density_differences",
    "evaluate_model",
    "find_cases",
    "fit_end_layers",
    "judge_calibration",
    "judged_maps",
    "measure_rates",
    "measure_speed",
    "training_maps_of",
]
