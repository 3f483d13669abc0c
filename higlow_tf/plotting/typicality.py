"""How far maps are from what is usual, feature by feature."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, ScalarFormatter

from higlow_tf.errors import InputError
from higlow_tf.inference.typicality import Typicality
from higlow_tf.plotting.style import STYLE, Style

__all__ = ["plot_typicality"]

_LINEAR_BELOW_SD = 4.0
_LEAST_REACH_SD = 6.0
_BANDS_SD = (1, 2)
_TICKS_SD = (2, 4, 10, 100, 1000)


def plot_typicality(
    ax: Axes, typicality: Typicality, *, labels: Sequence[str] | None = None, style: Style = STYLE
) -> Axes:
    """Draws the deviation of each feature of some maps from the reference, in standard deviations.

    Args:
        ax: Axes to draw in, wide enough for the names of all features (some eight inches).
        typicality: Result of `TypicalityReference.score` for the maps to draw.
        labels: Name of each map; None for "map 0" and so on.
        style: Style of the figure.

    Returns:
        `ax`; linear up to 4 standard deviations, logarithmic beyond.

    Raises:
        InputError: If there is another number of labels than of maps.
    """
    num_maps, num_features = typicality.z_by_feature.shape
    labels = [f"map {row}" for row in range(num_maps)] if labels is None else list(labels)
    if len(labels) != num_maps:
        raise InputError(f"labels: expected one for each of {num_maps} maps. Received: {len(labels)}.")
    x = np.arange(num_features)
    colours, markers = (style.real, style.generated, style.scatter, "black"), "osD^v"
    with style.context():
        for sd in _BANDS_SD:
            ax.axhspan(-sd, sd, color=style.floor, alpha=0.4, linewidth=0, zorder=0)
        for row, (label, z) in enumerate(zip(labels, typicality.z_by_feature, strict=True)):
            ax.plot(
                x,
                z,
                markers[row % len(markers)],
                color=colours[row % len(colours)],
                alpha=0.8,
                label=f"{label}, p = {typicality.p_value[row]:.2g}",
            )
        ax.set_yscale("symlog", linthresh=_LINEAR_BELOW_SD, linscale=2.0)
        reach = np.nanmax(np.abs(typicality.z_by_feature), initial=_LEAST_REACH_SD) * 1.3
        ax.set_ylim(-reach, reach)
        ticks = [sign * tick for tick in _TICKS_SD if tick < reach for sign in (-1, 1)]
        ax.yaxis.set_major_locator(FixedLocator([0, *ticks]))
        ax.yaxis.set_major_formatter(ScalarFormatter())
        names = [name.replace("_", " ").replace(" level ", ", level ") for name in typicality.feature_names]
        ax.set_xticks(x, names, rotation=90)
        ax.set_ylabel("deviation from what is usual  [sd]")
        ax.grid(alpha=0.3)
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3)
    return ax
