"""Figures of maps, spectra and posteriors, and the report that holds them. The only part that imports matplotlib."""

from higlow_tf.plotting.coverage import plot_coverage, plot_tarp
from higlow_tf.plotting.loss import plot_loss
from higlow_tf.plotting.maps import plot_map_panel
from higlow_tf.plotting.pdf import plot_pixel_pdf
from higlow_tf.plotting.posterior import plot_posterior
from higlow_tf.plotting.power import plot_power
from higlow_tf.plotting.predicted import plot_predicted
from higlow_tf.plotting.rank_ecdf import plot_rank_ecdf
from higlow_tf.plotting.report import Report
from higlow_tf.plotting.style import STYLE, Style
from higlow_tf.plotting.typicality import plot_typicality

__all__ = [
    "STYLE",
    "Report",
    "Style",
    "plot_coverage",
    "plot_loss",
    "plot_map_panel",
    "plot_pixel_pdf",
    "plot_posterior",
    "plot_power",
    "plot_predicted",
    "plot_rank_ecdf",
    "plot_tarp",
    "plot_typicality",
]
