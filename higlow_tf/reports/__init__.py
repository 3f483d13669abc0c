"""Pages that a person opens: pictures and words of what was measured. One function a page."""

from higlow_tf.reports.calibration_page import write_calibration
from higlow_tf.reports.demo_page import write_demo
from higlow_tf.reports.evaluation_page import write_evaluation
from higlow_tf.reports.page import Page
from higlow_tf.reports.paper_page import write_paper
from higlow_tf.reports.posterior_pictures import write_posterior_figure
from higlow_tf.reports.sample_pictures import write_sample_figure

__all__ = [
    "Page",
    "write_calibration",
    "write_demo",
    "write_evaluation",
    "write_paper",
    "write_posterior_figure",
    "write_sample_figure",
]
