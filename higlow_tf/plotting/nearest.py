"""Distances to the nearest training map."""

import numpy as np
from matplotlib.axes import Axes

from higlow_tf.diagnostics.nearest import NearestTraining
from higlow_tf.plotting.style import STYLE, Style

__all__ = ["plot_nearest"]


def plot_nearest(ax: Axes, nearest: NearestTraining, *, style: Style = STYLE) -> Axes:
    """Draws the distributions of the distance to the nearest training map, of generated and of test maps.

    Args:
        ax: Axes to draw in.
        nearest: Result of `nearest_training_map`.
        style: Style of the figure.

    Returns:
        `ax`. The curves are the share of maps that are nearer than each distance; copies of training maps lie near zero.
    """
    with style.context():
        for distance, colour, line, label in (
            (nearest.reference_distance, style.real, "-", "test maps"),
            (nearest.sample_distance, style.generated, "--", "generated maps"),
        ):
            share = np.arange(1, len(distance) + 1) / len(distance)
            ax.step(np.sort(distance), share, where="post", color=colour, linestyle=line, label=label)
        ax.set_xlim(left=0)
        ax.set_ylim(0, 1.02)
        ax.set_xlabel("distance to the nearest training map, over all shifts and symmetries")
        ax.set_ylabel("share of maps that are nearer")
        ax.grid(alpha=0.3)
        ax.legend(loc="upper left")
    return ax
