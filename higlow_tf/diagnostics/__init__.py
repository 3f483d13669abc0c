"""Numbers that say how good maps, densities and posteriors are, each with an error over simulations."""

from higlow_tf.diagnostics.bispectrum import Bispectrum, bispectrum
from higlow_tf.diagnostics.calibration import (
    CalibrationScores,
    CalibrationVerdict,
    CoverageCurve,
    calibration_scores,
    calibration_verdict,
    coverage_curve,
)
from higlow_tf.diagnostics.classifier import classifier_test
from higlow_tf.diagnostics.comparison import PowerComparison, compare_power
from higlow_tf.diagnostics.fields import MAP_FIELDS, MapField, log10_field, overdensity
from higlow_tf.diagnostics.map_samples import MapSamples, MapSet
from higlow_tf.diagnostics.metrics import Metric, read_metrics, write_metrics
from higlow_tf.diagnostics.minkowski import MinkowskiFunctionals, minkowski_functionals
from higlow_tf.diagnostics.nearest import NearestTraining, nearest_training_map
from higlow_tf.diagnostics.peaks import peak_counts, void_counts
from higlow_tf.diagnostics.pixel_pdf import PixelPDF, pixel_pdf
from higlow_tf.diagnostics.power_by_cosmology import PowerR2, power_r2_by_cosmology
from higlow_tf.diagnostics.power_correlation import (
    CorrelationComparison,
    PowerCorrelation,
    compare_power_correlation,
    power_correlation,
)
from higlow_tf.diagnostics.power_spectrum import PowerSpectrum, power_spectrum
from higlow_tf.diagnostics.ranks import RankECDF, marginal_ranks, rank_ecdf
from higlow_tf.diagnostics.response import ResponseComparison, power_response
from higlow_tf.diagnostics.sample_checks import SampleChecks, check_samples
from higlow_tf.diagnostics.scores import ParameterScores, coverage, density_score, paired_difference, parameter_scores
from higlow_tf.diagnostics.spread import SpreadComparison, compare_spread
from higlow_tf.diagnostics.statistics import compare_statistics
from higlow_tf.diagnostics.summaries import Summary, SummaryComparison, compare_summaries
from higlow_tf.diagnostics.symmetry_defect import SymmetryDefect, symmetry_defect
from higlow_tf.diagnostics.tarp import tarp_ranks
from higlow_tf.diagnostics.texture import grey_level_edges, texture
from higlow_tf.diagnostics.two_sample_test import ClassifierTest

__all__ = [
    "MAP_FIELDS",
    "Bispectrum",
    "CalibrationScores",
    "CalibrationVerdict",
    "ClassifierTest",
    "CorrelationComparison",
    "CoverageCurve",
    "MapField",
    "MapSamples",
    "MapSet",
    "Metric",
    "MinkowskiFunctionals",
    "NearestTraining",
    "ParameterScores",
    "PixelPDF",
    "PowerComparison",
    "PowerCorrelation",
    "PowerR2",
    "PowerSpectrum",
    "RankECDF",
    "ResponseComparison",
    "SampleChecks",
    "SpreadComparison",
    "Summary",
    "SummaryComparison",
    "SymmetryDefect",
    "bispectrum",
    "calibration_scores",
    "calibration_verdict",
    "check_samples",
    "classifier_test",
    "compare_power",
    "compare_power_correlation",
    "compare_spread",
    "compare_statistics",
    "compare_summaries",
    "coverage",
    "coverage_curve",
    "density_score",
    "grey_level_edges",
    "log10_field",
    "marginal_ranks",
    "minkowski_functionals",
    "nearest_training_map",
    "overdensity",
    "paired_difference",
    "parameter_scores",
    "peak_counts",
    "pixel_pdf",
    "power_correlation",
    "power_r2_by_cosmology",
    "power_response",
    "power_spectrum",
    "rank_ecdf",
    "read_metrics",
    "symmetry_defect",
    "tarp_ranks",
    "texture",
    "void_counts",
    "write_metrics",
]
