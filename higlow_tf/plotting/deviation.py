"""Zero-centred panels: deviations with error bars over the band of what real maps show among themselves."""

import numpy as np
from matplotlib.axes import Axes

from higlow_tf.plotting.style import Style

__all__ = ["draw_deviation"]

# A limit that no tick label of a perfect model has to resolve.
_NARROWEST = 1e-3


def draw_deviation(
    ax: Axes, x: np.ndarray, deviation: np.ndarray, error: np.ndarray | None, floor: np.ndarray | None, style: Style
) -> None:
    """Draws deviations round zero with errors, the floor as a grey band, and limits symmetric about zero."""
    if floor is not None:
        ax.fill_between(x, -floor, floor, color=style.floor, alpha=0.6, linewidth=0, label="real against real")
    ax.errorbar(
        x,
        deviation,
        yerr=error,
        fmt="o",
        color=style.generated,
        markersize=3.5,
        elinewidth=1.0,
        label=None if error is None else "with bootstrap error",
    )
    reach = np.abs(deviation) + (0 if error is None else error)
    half = max(1.15 * float(np.max(reach)), 0 if floor is None else 1.15 * float(np.max(floor)), _NARROWEST)
    ax.axhline(0.0, color="black", linewidth=0.8, zorder=0.5)
    ax.set_ylim(-half, half)
    ax.grid(alpha=0.3)
