"""Correlation matrices of P(k) between bins."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from higlow_tf.diagnostics.power_correlation import CorrelationComparison
from higlow_tf.plotting.style import STYLE, Style

__all__ = ["plot_correlation"]

# White at zero, and readable for any colour vision.
_COLOURS = "RdBu_r"


def plot_correlation(
    axes: Sequence[Axes] | np.ndarray, comparison: CorrelationComparison, *, style: Style = STYLE
) -> Sequence[Axes] | np.ndarray:
    """Draws the correlation of P(k) between bins of real maps, of generated maps, and their difference.

    Args:
        axes: Three axes, for example of `STYLE.new_figure(1, 3, size_in=(10, 3.6))`.
        comparison: Result of `compare_power_correlation`.
        style: Style of the figure.

    Returns:
        `axes`; all in one colour scale from -1 to 1.
    """
    k = comparison.k_h_mpc
    panels = {"simulated": comparison.real, "generated": comparison.generated, "difference": comparison.difference}
    with style.context():
        for ax, (title, matrix) in zip(axes, panels.items(), strict=True):
            image = ax.pcolormesh(k, k, matrix, vmin=-1, vmax=1, cmap=_COLOURS, shading="nearest", rasterized=True)
            ax.set_title(title)
            ax.set_aspect("equal")
            ax.set_xlabel(r"$k$  [$h$/Mpc]")
        axes[0].set_ylabel(r"$k'$  [$h$/Mpc]")
        axes[0].figure.colorbar(image, ax=list(axes), label="correlation of $P(k)$ and $P(k')$")
    return axes
