"""Posteriors of two parameters."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from higlow_tf.errors import InputError
from higlow_tf.plotting.style import STYLE, Style

__all__ = ["hpd_log_density", "plot_posterior"]

_MASSES = (0.95, 0.68)

# The frame holds this mass of each posterior, so that narrow posteriors can be seen in a wide prior.
_FRAMED_MASS = 0.999

# Log-densities this far below the peak do not count; -inf would break the interpolation of contours.
_LOWEST = -60.0


def hpd_log_density(log_posterior: ArrayLike, mass: float) -> float:
    """Log-density at the edge of the highest-density region that holds `mass`, for equally weighted grid points.

    It is halfway (in log) between the last point inside and the first outside, so that a contour at this level goes
    between them.
    """
    densest_first = np.sort(np.asarray(log_posterior, np.float64).ravel())[::-1]
    weights = np.exp(densest_first - densest_first[0])
    last = int(np.searchsorted(np.cumsum(weights), mass * weights.sum()))
    following = min(last + 1, len(weights) - 1)
    return float(
        (densest_first[min(last, len(weights) - 1)] + max(densest_first[following], densest_first[0] + _LOWEST)) / 2
    )


def plot_posterior(
    ax: Axes,
    theta_grid: ArrayLike,
    log_posterior: ArrayLike,
    *,
    exact_log_posterior: ArrayLike | None = None,
    truth: ArrayLike | None = None,
    parameter_labels: Sequence[str] = (r"\Omega_\mathrm{m}", r"\sigma_8"),
    style: Style = STYLE,
) -> Axes:
    """Draws the 68 and 95 % highest-density regions of a posterior on a grid, and beside it the exact one.

    Args:
        ax: Axes to draw in.
        theta_grid: Equally weighted points of the plane, `[G, 2]`; they need not lie on a lattice.
        log_posterior: Log-density of the model at them, `[G]`, up to a constant.
        exact_log_posterior: The exact one, `[G]`, where it is known; drawn as lines.
        truth: True parameters `[2]`, drawn as a star.
        parameter_labels: LaTeX labels of the two parameters, without dollar signs.
        style: Style of the figure.

    Returns:
        `ax`, framed round both posteriors and the truth.

    Raises:
        InputError: If shapes disagree, or a log-posterior has NaN or no finite value.
    """
    theta_grid = np.asarray(theta_grid, np.float64)
    if theta_grid.ndim != 2 or theta_grid.shape[1] != 2 or not theta_grid.size:
        raise InputError(f"theta_grid: expected points [G, 2]. Received: {theta_grid.shape}.")
    if np.linalg.matrix_rank(theta_grid - theta_grid.mean(axis=0)) < 2:
        raise InputError(f"theta_grid: expected points that span a plane. Received: {len(theta_grid)} on one line.")
    log_posterior = _checked(log_posterior, len(theta_grid), "log_posterior")
    framed = [theta_grid[log_posterior >= hpd_log_density(log_posterior, _FRAMED_MASS)]]
    handles = [Patch(color=style.generated, alpha=0.6, label="model")]
    x, y = theta_grid.T
    with style.context():
        levels = _levels(log_posterior)
        ax.tricontourf(x, y, log_posterior, levels=[*levels, np.inf], colors=[style.generated] * 2, alpha=0.35)
        ax.tricontourf(x, y, log_posterior, levels=[levels[-1], np.inf], colors=[style.generated], alpha=0.5)
        if exact_log_posterior is not None:
            exact = _checked(exact_log_posterior, len(theta_grid), "exact_log_posterior")
            framed.append(theta_grid[exact >= hpd_log_density(exact, _FRAMED_MASS)])
            ax.tricontour(x, y, exact, levels=_levels(exact), colors=[style.real], linestyles="-", linewidths=1.6)
            handles.append(Line2D([], [], color=style.real, label="exact"))
        if truth is not None:
            truth = np.asarray(truth, np.float64)
            framed.append(truth[None])
            star = ax.plot(
                *truth, "*", color="black", markeredgecolor="white", markersize=14, linestyle="", label="truth"
            )
            handles += star
        _frame(ax, theta_grid, np.concatenate(framed))
        ax.set_xlabel(f"${parameter_labels[0]}$")
        ax.set_ylabel(f"${parameter_labels[1]}$")
        ax.grid(alpha=0.3)
        ax.legend(
            handles=handles,
            title="68 and 95 % regions",
            alignment="left",
            loc="lower left",
            bbox_to_anchor=(0, 1.0),
            ncols=3,
            borderaxespad=0.2,
            columnspacing=1.2,
        )
    return ax


def _checked(log_posterior: ArrayLike, num_points: int, name: str) -> np.ndarray:
    """The log-density relative to its peak, bounded below."""
    log_posterior = np.asarray(log_posterior, np.float64)
    if log_posterior.shape != (num_points,):
        raise InputError(
            f"{name}: expected one number a point, shape ({num_points},). Received: {log_posterior.shape}."
        )
    peak = log_posterior.max()
    if not np.isfinite(peak):
        raise InputError(f"{name}: expected log-densities with a finite peak. Received: {peak}.")
    return np.maximum(log_posterior - peak, _LOWEST)


def _levels(log_posterior: np.ndarray) -> list[float]:
    """Contour levels, rising. There is only one if a single point holds both masses."""
    return sorted({hpd_log_density(log_posterior, mass) for mass in _MASSES})


def _frame(ax: Axes, theta_grid: np.ndarray, framed: np.ndarray) -> None:
    """Limits round the framed points with a margin, inside the grid unless a framed point is not."""
    low, high = framed.min(axis=0), framed.max(axis=0)
    grid_low, grid_high = theta_grid.min(axis=0), theta_grid.max(axis=0)
    margin = 0.25 * (high - low) + 0.03 * (grid_high - grid_low)
    low = np.minimum(np.maximum(low - margin, grid_low), low)
    high = np.maximum(np.minimum(high + margin, grid_high), high)
    ax.set_xlim(low[0], high[0])
    ax.set_ylim(low[1], high[1])
