"""Any summary statistic of maps, generated against real."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from higlow_tf.diagnostics.summaries import SummaryComparison
from higlow_tf.plotting.deviation import draw_deviation
from higlow_tf.plotting.style import STYLE, Style

__all__ = ["plot_summary_comparison"]

# Scatters that differ by more cannot be seen on one linear axis.
_LINEAR_RANGE = 100.0
_DEVIATION_LABELS = {"ratio": "generated /\nsimulated - 1", "difference": "difference\n[sd of maps]"}


def plot_summary_comparison(
    axes: Sequence[Axes] | np.ndarray, comparison: SummaryComparison, *, style: Style = STYLE
) -> Sequence[Axes] | np.ndarray:
    """Draws a summary statistic with its scatter over maps, and below it the deviation of the generated maps.

    Above: mean (line) and mean -+ one standard deviation over the maps (band for real, thin lines for generated).
    Below: deviation of the means with bootstrap errors; the grey band is the real-against-real floor.

    Args:
        axes: Two axes that share x, for example of `STYLE.new_figure(2, 1, height_ratios=(2, 1), share_x=True)`.
        comparison: Result of `compare_summaries`.
        style: Style of the figure.

    Returns:
        `axes`.
    """
    above, below = axes
    x = np.asarray(comparison.x, np.float64)
    mean, sd = comparison.generated_mean, comparison.generated_sd
    with style.context():
        edges = comparison.real_mean - comparison.real_sd, comparison.real_mean + comparison.real_sd
        above.fill_between(x, *edges, color=style.real, alpha=0.2, linewidth=0)
        above.plot(x, comparison.real_mean, ".-", color=style.real, label=r"simulated, mean $\pm$ sd over maps")
        above.plot(x, mean, ".--", color=style.generated, label=r"generated, mean $\pm$ sd over maps")
        for edge in (mean - sd, mean + sd):
            above.plot(x, edge, color=style.generated, linestyle=":", linewidth=1.0)
        above.set_ylabel(comparison.value_label)
        if comparison.real_sd.max() > _LINEAR_RANGE * comparison.real_sd.min() and comparison.kind == "difference":
            # It crosses zero and falls by orders of magnitude: linear inside the smallest scatter, logarithmic outside.
            above.set_yscale("symlog", linthresh=comparison.real_sd.min())
        above.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, borderaxespad=0.2, columnspacing=1.2)
        above.grid(alpha=0.3)
        draw_deviation(below, x, comparison.deviation, comparison.error, comparison.floor, style)
        below.set_xlabel(comparison.x_label)
        below.set_ylabel(_DEVIATION_LABELS[comparison.kind])
    return axes
