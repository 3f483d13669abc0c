"""Several runs in one panel."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from higlow_tf.errors import InputError
from higlow_tf.plotting.ratio import draw_floor, frame_ratio
from higlow_tf.plotting.style import STYLE, Style

__all__ = ["plot_ratio_of_runs"]

_LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
_MARKERS = "osD^v"


def plot_ratio_of_runs(
    ax: Axes,
    x: np.ndarray,
    ratios: Mapping[str, tuple[np.ndarray, np.ndarray | None]],
    *,
    floor: np.ndarray | None = None,
    style: Style = STYLE,
) -> Axes:
    """Draws the ratio generated / simulated of several runs, with errors.

    Args:
        ax: Axes to draw in; labels of x and y are the caller's.
        x: Abscissas `[K]` of all runs.
        ratios: Ratio `[K]` and its error (or None) of each run; at most five.
        floor: What real against real differs by, `[K]`, or None.
        style: Style of the figure.

    Returns:
        `ax`; the runs differ in colour, line and marker.

    Raises:
        InputError: If there is no run or there are more than five.
    """
    colours = (style.generated, style.real, style.scatter, "#009E73", "black")
    if not 1 <= len(ratios) <= len(colours):
        raise InputError(f"ratios: expected one to {len(colours)} runs. Received: {len(ratios)}.")
    looks = zip(ratios.items(), colours, _LINE_STYLES, _MARKERS, strict=False)
    with style.context():
        draw_floor(ax, x, floor, "real against real", style, alpha=0.6)
        for (name, (ratio, error)), colour, line, marker in looks:
            ax.errorbar(
                x,
                ratio,
                yerr=error,
                color=colour,
                linestyle=line,
                marker=marker,
                markersize=3.5,
                elinewidth=0.8,
                linewidth=1.2,
                label=name,
            )
        drawn = [(ratio, error, colour) for (ratio, error), colour in zip(ratios.values(), colours, strict=False)]
        frame_ratio(ax, x, drawn)
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, borderaxespad=0.2)
    return ax
