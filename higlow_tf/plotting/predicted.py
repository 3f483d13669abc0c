"""Predicted against true parameters."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from higlow_tf.errors import InputError
from higlow_tf.plotting.style import STYLE, Style

__all__ = ["plot_predicted"]


def plot_predicted(
    ax: Axes, truth: ArrayLike, mean: ArrayLike, sd: ArrayLike, parameter_label: str, *, style: Style = STYLE
) -> Axes:
    """Draws posterior means with their standard deviations against the truth, for one parameter.

    Args:
        ax: Axes to draw in.
        truth, mean, sd: True values, posterior means and standard deviations, `[N]`.
        parameter_label: LaTeX label of the parameter, without dollar signs.
        style: Style of the figure.

    Returns:
        `ax`, square, with the line on which predictions are exact, and RMSE, R2 and mean pull**2 of the points.

    Raises:
        InputError: If the three have different shapes or are empty.
    """
    truth, mean, sd = (np.asarray(values, np.float64) for values in (truth, mean, sd))
    if truth.ndim != 1 or not truth.size or not truth.shape == mean.shape == sd.shape:
        raise InputError(
            f"truth, mean, sd: expected three arrays [N]. Received: {truth.shape}, {mean.shape} and {sd.shape}."
        )
    # Many points must stay visible as a density, few points as points.
    alpha = float(np.clip(12 / np.sqrt(len(truth)), 0.15, 0.9))
    low = min(truth.min(), (mean - sd).min())
    high = max(truth.max(), (mean + sd).max())
    margin = 0.04 * (high - low)
    limits = (low - margin, high + margin)
    with style.context():
        ax.plot(limits, limits, color="black", linewidth=0.9, label="exact")
        ax.errorbar(
            truth,
            mean,
            yerr=sd,
            fmt="o",
            color=style.generated,
            markersize=3,
            elinewidth=0.8,
            alpha=alpha,
            label=r"posterior mean $\pm$ sd",
        )
        ax.text(0.97, 0.03, _scores_text(truth, mean, sd), transform=ax.transAxes, ha="right", va="bottom")
        ax.set_xlim(limits)
        ax.set_ylim(limits)
        ax.set_aspect("equal")
        ax.set_xlabel(f"true ${parameter_label}$")
        ax.set_ylabel(f"predicted ${parameter_label}$")
        ax.grid(alpha=0.3)
        ax.legend(loc="upper left")
    return ax


def _scores_text(truth: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> str:
    """What `diagnostics.parameter_scores` gives for these points; R2 only where the truth varies."""
    square = np.mean((mean - truth) ** 2)
    lines = [f"RMSE {np.sqrt(square):.3f}"]
    if truth.var() > 0:
        lines.append(f"$R^2$ {1 - square / truth.var():.2f}")
    if np.all(sd > 0):
        lines.append(f"mean pull$^2$ {np.mean(((mean - truth) / sd) ** 2):.2f}")
    return "\n".join(lines)
