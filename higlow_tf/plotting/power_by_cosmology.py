"""R2 of the mean power at single cosmologies."""

import numpy as np
from matplotlib.axes import Axes

from higlow_tf.diagnostics.power_by_cosmology import PowerR2
from higlow_tf.plotting.style import STYLE, Style

__all__ = ["plot_power_by_cosmology"]


def plot_power_by_cosmology(ax: Axes, power_r2: PowerR2, *, style: Style = STYLE) -> Axes:
    """Draws 1 - R2 of mean log10 P(k) for each cosmology, the best first; lower is better.

    Args:
        ax: Axes to draw in.
        power_r2: Result of `power_r2_by_cosmology`.
        style: Style of the figure.

    Returns:
        `ax`, logarithmic; crosses are what half of the maps of the same simulation gives for the other half.
    """
    order = np.argsort(-power_r2.r2)
    rank = np.arange(1, len(order) + 1)
    with style.context():
        if power_r2.floor_r2 is not None:
            ax.plot(rank, 1 - power_r2.floor_r2[order], "x", color=style.real, label="simulated against simulated")
        ax.plot(rank, 1 - power_r2.r2[order], "o", color=style.generated, label="generated against simulated")
        ax.axhline(1 - power_r2.median, color=style.generated, linestyle="--", linewidth=1.0, label="median")
        ax.set_yscale("log")
        ax.set_xlabel("cosmologies, the best first")
        ax.set_ylabel(r"$1 - R^2$ of mean $\log_{10} P(k)$")
        ax.grid(alpha=0.3)
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, borderaxespad=0.2)
    return ax
