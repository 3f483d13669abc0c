"""Coverage of posterior regions, of highest density and round random points."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from higlow_tf.diagnostics import CoverageCurve, RankECDF
from higlow_tf.errors import InputError
from higlow_tf.plotting.style import STYLE, Style

__all__ = ["plot_coverage", "plot_tarp"]

_LINE_STYLES = ("--", "-", ":", "-.")


def plot_coverage(ax: Axes, curves: Mapping[str, CoverageCurve], *, style: Style = STYLE) -> Axes:
    """Draws the share of truths inside highest-density regions against the mass of the regions.

    Posteriors are over-confident below the diagonal, and too wide above it.

    Args:
        ax: Axes to draw in.
        curves: Label and curve of each set of posteriors, for example {"raw": ..., "calibrated": ...}; at most four.
        style: Style of the figure.

    Returns:
        `ax`, square; the bands are one bootstrap error over simulations on either side.

    Raises:
        InputError: If there is no curve or there are more than four.
    """
    with style.context():
        for label, curve, colour, line in _styled(curves, style):
            ax.plot(curve.levels, curve.coverage, line, color=colour, marker="o", markersize=3, label=label)
            if curve.error is not None:
                edges = curve.coverage - curve.error, curve.coverage + curve.error
                ax.fill_between(curve.levels, *edges, color=colour, alpha=0.2, linewidth=0)
        _frame(ax)
        ax.set_xlabel("mass of the highest-density region")
        ax.set_ylabel("share of truths inside")
    return ax


def plot_tarp(ax: Axes, curves: Mapping[str, RankECDF], *, style: Style = STYLE) -> Axes:
    """Draws the expected coverage of regions round random points (TARP) against their mass.

    Over-confident posteriors give a curve that is too steep at both ends and too flat in the middle.

    Args:
        ax: Axes to draw in.
        curves: Label and `rank_ecdf` of the `tarp_ranks` of each set of posteriors; at most four.
        style: Style of the figure.

    Returns:
        `ax`, square; the grey band holds the whole curve of calibrated posteriors with the stated probability. The band is
        drawn for the curve with the smallest effective number of ranks.

    Raises:
        InputError: If there is no curve or there are more than four.
    """
    with style.context():
        drawn = _styled(curves, style)
        widest = min(curves.values(), key=lambda curve: curve.effective_number)
        label = f"{100 * widest.band_mass:.3g} % band"
        ax.fill_between(
            widest.levels, widest.lower, widest.upper, step="mid", color=style.floor, alpha=0.6, label=label
        )
        for label, curve, colour, line in drawn:
            ax.plot(curve.levels, curve.ecdf, line, color=colour, label=f"{label}, p = {curve.p_value:.2g}")
        _frame(ax)
        ax.set_xlabel("credibility level")
        ax.set_ylabel("expected coverage")
    return ax


def _styled(curves: Mapping, style: Style) -> list[tuple]:
    colours = (style.generated, style.real, style.scatter, "black")
    if not 1 <= len(curves) <= len(colours):
        raise InputError(f"curves: expected one to {len(colours)} labelled curves. Received: {len(curves)}.")
    return [
        (label, curve, colour, line)
        for (label, curve), colour, line in zip(curves.items(), colours, _LINE_STYLES, strict=False)
    ]


def _frame(ax: Axes) -> None:
    ax.plot([0, 1], [0, 1], color="black", linewidth=0.8, zorder=0.5)
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1)
    ax.set_xticks(np.linspace(0, 1, 6))
    ax.set_aspect("equal")
    ax.grid(alpha=0.3)
    ax.legend(loc="upper left")
