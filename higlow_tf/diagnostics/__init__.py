"""Numbers that say how good maps, densities and posteriors are, each with an error over simulations."""

from higlow_tf.diagnostics.calibration import (
    CalibrationReport,
    CalibrationVerdict,
    CoverageCurve,
    calibration_report,
    calibration_verdict,
    coverage_curve,
)
from higlow_tf.diagnostics.comparison import PowerComparison, compare_power
from higlow_tf.diagnostics.fields import log10_field, overdensity
from higlow_tf.diagnostics.metrics import Metric, read_metrics, write_metrics
from higlow_tf.diagnostics.pixel_pdf import PixelPDF, pixel_pdf
from higlow_tf.diagnostics.power_spectrum import PowerSpectrum, power_spectrum
from higlow_tf.diagnostics.ranks import RankECDF, marginal_ranks, rank_ecdf
from higlow_tf.diagnostics.scores import ParameterScores, coverage, density_score, paired_difference, parameter_scores
from higlow_tf.diagnostics.tarp import tarp_ranks

__all__ = [
    "CalibrationReport",
    "CalibrationVerdict",
    "CoverageCurve",
    "Metric",
    "ParameterScores",
    "PixelPDF",
    "PowerComparison",
    "PowerSpectrum",
    "RankECDF",
    "calibration_report",
    "calibration_verdict",
    "compare_power",
    "coverage",
    "coverage_curve",
    "density_score",
    "log10_field",
    "marginal_ranks",
    "overdensity",
    "paired_difference",
    "parameter_scores",
    "pixel_pdf",
    "power_spectrum",
    "rank_ecdf",
    "read_metrics",
    "tarp_ranks",
    "write_metrics",
]
