"""The panel that power spectra and pixel distributions share: generated over real, with errors and the floor."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer

from higlow_tf.plotting.style import Style

__all__ = ["draw_floor", "draw_ratio", "frame_ratio"]

# Ratios beyond these are drawn as arrows at the edge of the panel.
_WIDEST = 1.0
_NARROWEST = 0.1


def draw_floor(ax: Axes, x: np.ndarray, floor: np.ndarray | None, label: str, style: Style, alpha: float) -> None:
    """Shades the deviation of real maps from real maps, if it is known."""
    if floor is not None:
        ax.fill_between(x, 1 - floor, 1 + floor, color=style.floor, alpha=alpha, linewidth=0, label=label)


def draw_ratio(
    ax: Axes, x: np.ndarray, ratio: np.ndarray, error: np.ndarray | None, label: str, colour: str, marker: str
) -> ErrorbarContainer:
    """Points with error bars."""
    return ax.errorbar(
        x, ratio, yerr=error, fmt=marker, color=colour, markersize=3.5, elinewidth=1.0, linewidth=1.0, label=label
    )


def frame_ratio(ax: Axes, x: np.ndarray, ratios: list[tuple[np.ndarray, np.ndarray | None, str]]) -> None:
    """Chooses limits symmetric about 1 and marks with an arrow each ratio that lies beyond them.

    Args:
        ax: The panel.
        x: Abscissas of all ratios.
        ratios: Ratio, error and colour of each series.
    """
    reach = np.concatenate([np.abs(ratio - 1) + (0 if error is None else error) for ratio, error, _ in ratios])
    half = float(np.clip(1.1 * reach.max(), _NARROWEST, _WIDEST))
    ax.axhline(1.0, color="black", linewidth=0.8, zorder=0.5)
    ax.set_ylim(1 - half, 1 + half)
    for ratio, _, colour in ratios:
        is_above = ratio > 1 + half
        ax.plot(x[is_above], np.full(is_above.sum(), 1 + 0.93 * half), "^", color=colour, markersize=7)
    ax.grid(alpha=0.3)
