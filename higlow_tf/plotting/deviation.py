"""Zero-centred panels: deviations with error bars over the band of what real maps show among themselves."""

import numpy as np
from matplotlib.axes import Axes

from higlow_tf.plotting.style import Style

__all__ = ["draw_deviation"]

# The least half height of a panel: the tick labels of a perfect model need not resolve less.
_NARROWEST = 1e-3
# A bin whose error is larger than this many typical errors (a rare peak, an empty tail) does not set the limits.
_MOST_NOISE = 8.0


def draw_deviation(
    ax: Axes, x: np.ndarray, deviation: np.ndarray, error: np.ndarray | None, floor: np.ndarray | None, style: Style
) -> None:
    """Draws deviations round zero with errors, the floor as a grey band, and limits symmetric about zero.

    An arrow marks the deviation of a very noisy bin beyond the panel.
    """
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
    reach = np.abs(deviation) if error is None else np.abs(deviation) + error
    is_framed = np.ones(len(x), bool) if error is None else error <= _MOST_NOISE * np.median(error)
    reach = np.concatenate([reach[is_framed], [] if floor is None else floor[is_framed]])
    half = max(1.15 * float(reach.max()), _NARROWEST)
    is_beyond = np.abs(deviation) > half
    for side, marker in ((1, "^"), (-1, "v")):
        chosen = is_beyond & (np.sign(deviation) == side)
        height = np.full(chosen.sum(), side * 0.93 * half)
        ax.plot(x[chosen], height, marker, color=style.generated, markersize=7)
    ax.axhline(0.0, color="black", linewidth=0.8, zorder=0.5)
    ax.set_ylim(-half, half)
    ax.grid(alpha=0.3)
