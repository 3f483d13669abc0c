"""One style for every figure: colours, line styles and font sizes in one object."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

__all__ = ["STYLE", "Style", "label_log_axis"]


@dataclass(frozen=True)
class Style:
    """How figures look.

    The colours are those of Okabe and Ito, which people with any colour vision tell apart; line styles and markers
    differ as well, so that nothing depends on colour alone. Settings reach matplotlib inside `context` only: a user's
    own settings, backend and open figures stay as they are.

    Attributes:
        real, generated: Colours of the simulations or the exact result, and of the model.
        scatter: Colour of the ratio of standard deviations.
        floor: Colour of the real-against-real band.
        map_colours: Colour map of the maps.
        font_size: Size of text, points; labels and legends follow it.

    Example:
        >>> figure, ax = STYLE.new_figure()
        >>> ax.plot([0, 1], [0, 1]) and None
    """

    real: str = "#0072B2"
    generated: str = "#D55E00"
    scatter: str = "#CC79A7"
    floor: str = "#BBBBBB"
    map_colours: str = "viridis"
    font_size: float = 10.0

    def context(self) -> AbstractContextManager[None]:
        """Settings of matplotlib inside a `with` block."""
        return matplotlib.rc_context(
            {
                "font.size": self.font_size,
                "axes.labelsize": self.font_size,
                "axes.titlesize": self.font_size,
                "xtick.labelsize": 0.9 * self.font_size,
                "ytick.labelsize": 0.9 * self.font_size,
                "legend.fontsize": 0.9 * self.font_size,
                "legend.frameon": False,
                "lines.linewidth": 1.6,
                "lines.markersize": 4.5,
                "axes.facecolor": "white",
                "figure.facecolor": "white",
                "savefig.facecolor": "white",
                "text.color": "black",
                "axes.labelcolor": "black",
                "text.usetex": False,
            }
        )

    def new_figure(
        self,
        num_rows: int = 1,
        num_columns: int = 1,
        *,
        size_in: tuple[float, float] = (6.4, 4.2),
        height_ratios: Sequence[float] | None = None,
        share_x: bool = False,
    ) -> tuple[Figure, Any]:
        """Makes a figure outside of pyplot, whose parts never overlap and whose maps leave no gaps.

        Args:
            num_rows, num_columns: Grid of axes.
            size_in: Width and height, inches.
            height_ratios: Relative heights of the rows.
            share_x: Whether the axes of a column share their x axis.

        Returns:
            The figure, and its axes as `Figure.subplots` gives them: one, `[n]` or `[num_rows, num_columns]`.
        """
        with self.context():
            figure = Figure(figsize=size_in, layout="compressed")
            axes = figure.subplots(
                num_rows, num_columns, height_ratios=height_ratios, sharex="col" if share_x else False
            )
        return figure, axes


STYLE = Style()
"""The style of every figure that is given no other."""


def label_log_axis(ax: Axes) -> None:
    """Labels a logarithmic x axis with plain numbers at 1, 2 and 5 times powers of ten: it may span less than a decade."""
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
