"""The figures of a calibration, each with its caption and the text for those who do not see it."""

import numpy as np

from higlow_tf.plotting import STYLE, plot_coverage, plot_predicted, plot_rank_ecdf, plot_tarp
from higlow_tf.reports.evaluation_pictures import Picture

__all__ = ["calibration_pictures"]


def calibration_pictures(judgement, test):
    """Coverage before and after, TARP, ranks, and predicted against true parameters."""
    groups = {"one map": ("raw_", ""), "the maps of a simulation together": ("joint_raw_", "joint_")}
    groups = {title: names for title, names in groups.items() if names[1] in judgement.sets}
    pictures = [_coverage(judgement, groups), _ranks(judgement, groups, test)]
    return pictures + [_predicted(judgement.sets[names[1]], title, test) for title, names in groups.items()]


def _coverage(judgement, groups):
    figure, axes = STYLE.new_figure(2, len(groups), size_in=(4.6 * len(groups), 8.6))
    axes = np.reshape(axes, (2, len(groups)))
    for column, (title, names) in enumerate(groups.items()):
        sets = dict(zip(("raw", "calibrated"), (judgement.sets[name] for name in names), strict=True))
        plot_coverage(axes[0, column], {label: one.scores.coverage for label, one in sets.items()})
        plot_tarp(axes[1, column], {label: one.scores.tarp for label, one in sets.items()})
        axes[0, column].set_title(title)
    caption = (
        "Share of truths inside the highest-density regions of each mass (above) and inside regions round random points "
        "(TARP, below). On the diagonal posteriors are calibrated, below it they are too narrow. "
        "Bands: one bootstrap error over simulations above, 95 % of calibrated posteriors below."
    )
    alt = "Coverage of raw and calibrated posteriors against the mass of their regions."
    return Picture("coverage", "Coverage", figure, caption, alt)


def _ranks(judgement, groups, test):
    figure, axes = STYLE.new_figure(2, len(groups), size_in=(4.6 * len(groups), 7.0))
    axes = np.reshape(axes, (2, len(groups)))
    labels = dict(zip(test.parameters.names, test.parameters.labels, strict=True))
    for column, (title, names) in enumerate(groups.items()):
        for row, (kind, name) in enumerate(zip(("raw", "calibrated"), names, strict=True)):
            plot_rank_ecdf(axes[row, column], judgement.sets[name].scores.ranks, parameter_labels=labels)
            axes[row, column].set_title(f"{title}, {kind}")
    caption = (
        "Distribution of the ranks of the truth in each marginal posterior, less the uniform one. Calibrated posteriors "
        "stay inside the grey band; above zero on the left and below on the right they are too narrow."
    )
    return Picture("ranks", "Ranks", figure, caption, "Rank distributions of raw and calibrated posteriors.")


def _predicted(one, title, test):
    figure, axes = STYLE.new_figure(1, len(test.parameters), size_in=(4.6 * len(test.parameters), 4.6))
    for index, (ax, label) in enumerate(zip(np.atleast_1d(axes), test.parameters.labels, strict=True)):
        plot_predicted(ax, one.truth[:, index], one.mean[:, index], one.sd[:, index], label)
    caption = f"Calibrated posterior means and standard deviations against the truth, {title}."
    alt = f"Predicted against true parameters, {title}."
    name = "predicted" if one.name == "" else "predicted_joint"
    return Picture(name, f"Predicted against true, {title}", figure, caption, alt)
