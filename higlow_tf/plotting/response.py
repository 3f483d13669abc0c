"""How P(k) answers to the parameters."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from higlow_tf.diagnostics.response import ResponseComparison
from higlow_tf.errors import InputError
from higlow_tf.plotting.style import STYLE, Style, label_log_axis

__all__ = ["plot_response"]


def plot_response(
    axes: Sequence[Axes] | np.ndarray,
    comparison: ResponseComparison,
    *,
    parameter_labels: Sequence[str] = (r"\Omega_\mathrm{m}", r"\sigma_8"),
    style: Style = STYLE,
) -> Sequence[Axes] | np.ndarray:
    """Draws d ln P(k) / d theta of real and generated maps, one panel a parameter.

    Args:
        axes: `P` axes.
        comparison: Result of `power_response`.
        parameter_labels: LaTeX labels of the `P` parameters, without dollar signs.
        style: Style of the figure.

    Returns:
        `axes`; bands and bars are one bootstrap error over simulations, the grey band round the real line is the
        real-against-real floor.

    Raises:
        InputError: If there is another number of axes or labels than of parameters.
    """
    num_parameters = len(comparison.parameter_names)
    if not len(axes) == len(parameter_labels) == num_parameters:
        raise InputError(
            f"axes, parameter_labels: expected one for each of {num_parameters} parameters. "
            f"Received: {len(axes)} and {len(parameter_labels)}."
        )
    k = comparison.k_h_mpc
    with style.context():
        for row, (ax, label) in enumerate(zip(axes, parameter_labels, strict=True)):
            real, generated = comparison.real[row], comparison.generated[row]
            if comparison.floor is not None:
                edges = real - comparison.floor[row], real + comparison.floor[row]
                ax.fill_between(k, *edges, color=style.floor, alpha=0.6, linewidth=0, label="real against real")
            if comparison.real_error is not None:
                edges = real - comparison.real_error[row], real + comparison.real_error[row]
                ax.fill_between(k, *edges, color=style.real, alpha=0.2, linewidth=0)
            ax.plot(k, real, color=style.real, label="simulated")
            error = None if comparison.generated_error is None else comparison.generated_error[row]
            ax.errorbar(
                k,
                generated,
                yerr=error,
                fmt="o--",
                color=style.generated,
                elinewidth=1.0,
                markersize=3.5,
                label="generated",
            )
            ax.axhline(0.0, color="black", linewidth=0.8, zorder=0.5)
            ax.set_xscale("log")
            label_log_axis(ax)
            ax.set_xlabel(r"$k$  [$h$/Mpc]")
            ax.set_ylabel(rf"$\mathrm{{d}} \ln P / \mathrm{{d}} {label}$")
            ax.grid(alpha=0.3)
        axes[0].legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, borderaxespad=0.2)
    return axes
