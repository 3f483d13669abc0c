"""Numbers that say how good maps, densities and posteriors are, each with an error over simulations."""

from higlow_tf.diagnostics.comparison import PowerComparison, compare_power
from higlow_tf.diagnostics.fields import log10_field, overdensity
from higlow_tf.diagnostics.metrics import Metric, read_metrics, write_metrics
from higlow_tf.diagnostics.pixel_pdf import PixelPDF, pixel_pdf
from higlow_tf.diagnostics.power_spectrum import PowerSpectrum, power_spectrum
from higlow_tf.diagnostics.scores import ParameterScores, coverage, density_score, paired_difference, parameter_scores

__all__ = [
    "Metric",
    "ParameterScores",
    "PixelPDF",
    "PowerComparison",
    "PowerSpectrum",
    "compare_power",
    "coverage",
    "density_score",
    "log10_field",
    "overdensity",
    "paired_difference",
    "parameter_scores",
    "pixel_pdf",
    "power_spectrum",
    "read_metrics",
    "write_metrics",
]
