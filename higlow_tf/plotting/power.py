"""Power spectra of generated and real maps."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from higlow_tf.diagnostics.comparison import PowerComparison
from higlow_tf.diagnostics.fields import MAP_FIELDS
from higlow_tf.plotting.ratio import draw_floor, draw_ratio, frame_ratio
from higlow_tf.plotting.style import STYLE, Style, label_log_axis

__all__ = ["plot_power"]

# The points of the second ratio are moved to the right by this factor, so that both error bars can be seen.
_OFFSET = 1.012


def plot_power(
    axes: Sequence[Axes] | np.ndarray, comparison: PowerComparison, *, style: Style = STYLE
) -> Sequence[Axes] | np.ndarray:
    """Draws P(k) with its scatter over maps, and below it the ratios to the real maps.

    Above: mean (line) and mean -+ one standard deviation over the maps (band for real, thin lines for generated).
    Below: ratios of mean and standard deviation with bootstrap errors; the grey bands are the real-against-real floors
    of the two.

    Args:
        axes: Two axes that share x, for example of `STYLE.new_figure(2, 1, height_ratios=(2, 1), share_x=True)`.
        comparison: Result of `compare_power`.
        style: Style of the figure.

    Returns:
        `axes`.
    """
    above, below = axes
    k = comparison.k_h_mpc
    real, real_sd = comparison.real_mean_mpc2_h2, comparison.real_sd_mpc2_h2
    mean, sd = comparison.generated_mean_mpc2_h2, comparison.generated_sd_mpc2_h2
    label = MAP_FIELDS[comparison.field].label
    with style.context():
        above.set_xscale("log")
        above.set_yscale("log", nonpositive="clip")
        above.fill_between(k, real - real_sd, real + real_sd, color=style.real, alpha=0.2, linewidth=0)
        above.plot(k, real, color=style.real, label=r"simulated, mean $\pm$ sd over maps")
        above.plot(k, mean, color=style.generated, linestyle="--", label=r"generated, mean $\pm$ sd over maps")
        for edge in (mean - sd, mean + sd):
            above.plot(k, edge, color=style.generated, linestyle=":", linewidth=1.0)
        positive = np.concatenate([real, mean])[np.concatenate([real, mean]) > 0]
        above.set_ylim(positive.min() / 4, 1.6 * np.max([real + real_sd, mean + sd]))
        above.set_ylabel(rf"$P(k)$ of ${label}$  [$(\mathrm{{Mpc}}/h)^2$]")
        above.legend(loc="lower left")
        above.grid(alpha=0.3)

        draw_floor(below, k, comparison.sd_ratio_floor, "floor of sd", style, alpha=0.35)
        draw_floor(below, k, comparison.mean_ratio_floor, "floor of mean", style, alpha=0.8)
        draw_ratio(below, k, comparison.mean_ratio, comparison.mean_ratio_error, "mean", style.generated, "o")
        draw_ratio(below, k * _OFFSET, comparison.sd_ratio, comparison.sd_ratio_error, "sd", style.scatter, "s")
        frame_ratio(
            below,
            k,
            [
                (comparison.mean_ratio, comparison.mean_ratio_error, style.generated),
                (comparison.sd_ratio, comparison.sd_ratio_error, style.scatter),
            ],
        )
        below.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, borderaxespad=0.2, columnspacing=1.2)
        label_log_axis(below)
        below.set_xlabel(r"$k$  [$h$/Mpc]")
        below.set_ylabel("generated /\nsimulated")
    return axes
