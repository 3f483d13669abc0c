"""The distribution of single pixels."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from higlow_tf.diagnostics.pixel_pdf import PixelPDF
from higlow_tf.plotting.ratio import draw_floor, draw_ratio, frame_ratio
from higlow_tf.plotting.style import STYLE, Style

__all__ = ["plot_pixel_pdf"]


def plot_pixel_pdf(
    axes: Sequence[Axes] | np.ndarray, pdf: PixelPDF, *, style: Style = STYLE
) -> Sequence[Axes] | np.ndarray:
    """Draws the densities of log10 pixels, and below them their ratio.

    Above: the densities of both, with dotted lines at the smallest and largest pixel of each. Below: ratio with
    bootstrap errors and the grey real-against-real floor; an arrow marks a ratio above the panel.

    Args:
        axes: Two axes that share x, for example of `STYLE.new_figure(2, 1, height_ratios=(2, 1), share_x=True)`.
        pdf: Result of `pixel_pdf`.
        style: Style of the figure.

    Returns:
        `axes`.
    """
    above, below = axes
    with style.context():
        for density, extremes, colour, line, name in (
            (pdf.real_density, pdf.real_extremes_log10_hi, style.real, "-", "simulated"),
            (pdf.generated_density, pdf.generated_extremes_log10_hi, style.generated, "--", "generated"),
        ):
            is_filled = density > 0
            above.plot(pdf.log10_hi[is_filled], density[is_filled], color=colour, linestyle=line, label=name)
            for position, extreme in enumerate(extremes):
                extreme_label = f"{name}: extreme pixels" if position == 0 else None
                above.axvline(extreme, color=colour, linestyle=":", linewidth=1.2, label=extreme_label)
        above.set_yscale("log")
        above.set_ylabel("pixels per dex")
        above.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, borderaxespad=0.2)
        above.grid(alpha=0.3)

        draw_floor(below, pdf.log10_hi, pdf.ratio_floor, "real against real", style, alpha=0.6)
        draw_ratio(below, pdf.log10_hi, pdf.ratio, pdf.ratio_error, "generated / simulated", style.generated, "o")
        frame_ratio(below, pdf.log10_hi, [(pdf.ratio, None, style.generated)])
        below.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, borderaxespad=0.2)
        below.set_xlabel(r"$\log_{10}$ HI surface density")
        below.set_ylabel("generated /\nsimulated")
    return axes
