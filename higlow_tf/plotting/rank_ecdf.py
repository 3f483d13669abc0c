"""Distributions of the ranks of the truth, minus the uniform one."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from higlow_tf.diagnostics import RankECDF
from higlow_tf.errors import InputError
from higlow_tf.plotting.style import STYLE, Style

__all__ = ["plot_rank_ecdf"]

_LINE_STYLES = ("-", "--", ":", "-.")
_LEAST_HALF_HEIGHT = 0.1


def plot_rank_ecdf(
    ax: Axes,
    curves: Mapping[str, RankECDF],
    *,
    parameter_labels: Mapping[str, str] | None = None,
    style: Style = STYLE,
) -> Axes:
    """Draws the distribution of ranks minus the uniform one for each parameter, with the band of calibrated posteriors.

    Posteriors are over-confident if the curve is above zero at low ranks and below zero at high ranks, and too wide in the
    reverse case. They lie too high if it is above zero everywhere, and too low if it is below.

    Args:
        ax: Axes to draw in.
        curves: `RankECDF` by parameter name, as in `CalibrationScores.ranks`.
        parameter_labels: LaTeX labels by name, without dollar signs; names without one are written as they are.
        style: Style of the figure.

    Returns:
        `ax`; the grey band is drawn for the curve with the smallest effective number of ranks.

    Raises:
        InputError: If there is no curve.
    """
    if not curves:
        raise InputError("curves: expected the ranks of one or more parameters. Received: none.")
    widest = min(curves.values(), key=lambda curve: curve.effective_number)
    lower, upper = widest.lower - widest.levels, widest.upper - widest.levels
    colours = (style.real, style.generated, style.scatter, "black")
    half = max(_LEAST_HALF_HEIGHT, *(1.15 * np.abs(edge).max() for edge in (lower, upper)))
    with style.context():
        label = f"band for {widest.effective_number} ranks"
        ax.fill_between(widest.levels, lower, upper, step="mid", color=style.floor, alpha=0.6, linewidth=0, label=label)
        ax.axhline(0, color="black", linewidth=0.8)
        for index, (name, curve) in enumerate(curves.items()):
            text = f"${parameter_labels[name]}$" if parameter_labels and name in parameter_labels else name
            difference = curve.ecdf - curve.levels
            half = max(half, 1.15 * np.abs(difference).max())
            ax.plot(
                curve.levels,
                difference,
                _LINE_STYLES[index // len(colours) % len(_LINE_STYLES)],
                color=colours[index % len(colours)],
                label=f"{text}, p = {curve.p_value:.2g}",
            )
        ax.set_xlim(0, 1)
        ax.set_ylim(-half, 1.35 * half)
        ax.set_xlabel("rank of the truth")
        ax.set_ylabel("share of ranks below, less rank")
        ax.grid(alpha=0.3)
        ax.legend(loc="upper right", ncols=2)
    return ax
