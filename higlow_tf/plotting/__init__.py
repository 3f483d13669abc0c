"""Figures of maps, spectra and posteriors: axes in, axes out. Matplotlib is imported here and in `reports` only."""

from higlow_tf.plotting.correlation import plot_correlation
from higlow_tf.plotting.coverage import plot_coverage, plot_tarp
from higlow_tf.plotting.loss import plot_loss
from higlow_tf.plotting.maps import plot_map_panel, plot_maps
from higlow_tf.plotting.nearest import plot_nearest
from higlow_tf.plotting.pdf import plot_pixel_pdf
from higlow_tf.plotting.posterior import plot_posterior
from higlow_tf.plotting.power import plot_power
from higlow_tf.plotting.power_by_cosmology import plot_power_by_cosmology
from higlow_tf.plotting.predicted import plot_predicted
from higlow_tf.plotting.rank_ecdf import plot_rank_ecdf
from higlow_tf.plotting.response import plot_response
from higlow_tf.plotting.runs import plot_ratio_of_runs
from higlow_tf.plotting.spread import plot_spread
from higlow_tf.plotting.style import STYLE, Style
from higlow_tf.plotting.summary import plot_summary_comparison
from higlow_tf.plotting.typicality import plot_typicality

__all__ = [
    "STYLE",
    "Style",
    "plot_correlation",
    "plot_coverage",
    "plot_loss",
    "plot_map_panel",
    "plot_maps",
    "plot_nearest",
    "plot_pixel_pdf",
    "plot_posterior",
    "plot_power",
    "plot_power_by_cosmology",
    "plot_predicted",
    "plot_rank_ecdf",
    "plot_ratio_of_runs",
    "plot_response",
    "plot_spread",
    "plot_summary_comparison",
    "plot_tarp",
    "plot_typicality",
]
