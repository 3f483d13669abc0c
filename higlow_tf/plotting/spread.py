"""The spread of whole maps at fixed parameters."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from higlow_tf.diagnostics.spread import SpreadComparison
from higlow_tf.plotting.style import STYLE, Style

__all__ = ["plot_spread"]

_BAR_HEIGHT = 0.6


def plot_spread(
    axes: Sequence[Axes] | np.ndarray, spread: SpreadComparison, *, style: Style = STYLE
) -> Sequence[Axes] | np.ndarray:
    """Draws the ratio of spreads of each quantity, and how much of the simulated variance lies between simulations.

    Args:
        axes: Two axes side by side, for example of `STYLE.new_figure(1, 2)`.
        spread: Result of `compare_spread`.
        style: Style of the figure.

    Returns:
        `axes`. On the left, grey bars are the real-against-real floor. The right one is empty where the share is not known.
    """
    left, right = axes
    row = np.arange(len(spread.names))
    with style.context():
        if spread.floor is not None:
            left.barh(
                row,
                2 * spread.floor,
                _BAR_HEIGHT,
                1 - spread.floor,
                color=style.floor,
                alpha=0.6,
                label="real against real",
            )
        label = "generated / simulated" if spread.error is None else "with bootstrap error"
        left.errorbar(
            spread.ratio,
            row,
            xerr=spread.error,
            fmt="o",
            color=style.generated,
            markersize=4.5,
            elinewidth=1.2,
            label=label,
        )
        left.axvline(1.0, color="black", linewidth=0.8, zorder=0.5)
        left.set_yticks(row, spread.labels)
        left.set_xlabel("spread, generated / simulated")
        left.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, borderaxespad=0.2, columnspacing=1.2)
        if spread.share_between is not None:
            right.barh(row, spread.share_between, _BAR_HEIGHT, color=style.real, xerr=spread.share_between_error)
        right.set_yticks(row, [""] * len(row))
        right.set_xlim(0.0, 1.0)
        right.set_xlabel("share of the simulated variance\nbetween simulations")
        for ax in (left, right):
            ax.set_ylim(len(row) - 0.5, -0.5)
            ax.grid(alpha=0.3, axis="x")
    return axes
