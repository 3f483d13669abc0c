"""The pictures of a calibration, each with its caption and the text for those who do not see it."""

import numpy as np

from higlow_tf.plotting import STYLE, plot_coverage, plot_rank_ecdf, plot_tarp
from higlow_tf.reports.picture import Picture
from higlow_tf.reports.posterior_pictures import predicted_picture

__all__ = ["calibration_pictures", "coverage_picture", "predicted_pictures"]

_GROUPS = {"one map": ("raw_", ""), "the maps of a simulation together": ("joint_raw_", "joint_")}


def calibration_pictures(judgement):
    """Coverage before and after, TARP, ranks, and predicted against true parameters."""
    return [coverage_picture(judgement), _ranks(judgement), *predicted_pictures(judgement)]


def coverage_picture(judgement):
    """Coverage of raw and calibrated posteriors, and TARP below."""
    groups = _groups(judgement)
    figure, axes = STYLE.new_figure(2, len(groups), size_in=(4.6 * len(groups), 8.6))
    axes = np.reshape(axes, (2, len(groups)))
    for column, (title, names) in enumerate(groups.items()):
        scores = dict(zip(("raw", "calibrated"), (judgement.sets[name].scores for name in names), strict=True))
        plot_coverage(axes[0, column], {kind: of_kind.coverage for kind, of_kind in scores.items()})
        plot_tarp(axes[1, column], {kind: of_kind.tarp for kind, of_kind in scores.items()})
        axes[0, column].set_title(title)
    caption = (
        "Share of truths inside the highest-density regions of each mass (above) and inside regions around random points "
        "(TARP, below). Posteriors are calibrated on the diagonal, and too narrow below it. "
        "Bands: one bootstrap error over simulations above, 95 % of calibrated posteriors below."
    )
    alt = "Coverage of raw and calibrated posteriors against the mass of their regions."
    return Picture("coverage", "Coverage", figure, caption, alt)


def predicted_pictures(judgement):
    """Calibrated means and standard deviations against the truth, for single maps and for all maps of a simulation."""
    pictures = []
    for title, (_, name) in _groups(judgement).items():
        posteriors = judgement.sets[name]
        pictures.append(
            predicted_picture(
                posteriors.truth,
                posteriors.mean,
                posteriors.sd,
                judgement.test.parameters,
                name="predicted_joint" if name else "predicted",
                title=f"Predicted against true, {title}",
                caption=f"Calibrated posterior means and standard deviations against the truth, {title}.",
                alt=f"Predicted against true parameters, {title}.",
            )
        )
    return pictures


def _groups(judgement):
    return {title: names for title, names in _GROUPS.items() if names[1] in judgement.sets}


def _ranks(judgement):
    groups, parameters = _groups(judgement), judgement.test.parameters
    figure, axes = STYLE.new_figure(2, len(groups), size_in=(4.6 * len(groups), 7.0))
    axes = np.reshape(axes, (2, len(groups)))
    labels = dict(zip(parameters.names, parameters.labels, strict=True))
    for column, (title, names) in enumerate(groups.items()):
        for row, (kind, name) in enumerate(zip(("raw", "calibrated"), names, strict=True)):
            plot_rank_ecdf(axes[row, column], judgement.sets[name].scores.ranks, parameter_labels=labels)
            axes[row, column].set_title(f"{title}, {kind}")
    caption = (
        "Distribution of the ranks of the truth in each marginal posterior, less the uniform distribution. Calibrated "
        "posteriors stay inside the grey band; above zero on the left and below on the right they are too narrow."
    )
    return Picture("ranks", "Ranks", figure, caption, "Rank distributions of raw and calibrated posteriors.")
