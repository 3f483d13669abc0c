"""Maps as pictures: simulated above generated ones, or some of one kind."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.image import AxesImage
from numpy.typing import ArrayLike

from higlow_tf.errors import InputError
from higlow_tf.plotting.style import STYLE, Style

__all__ = ["plot_map_panel", "plot_maps"]

# The colours span these percentiles of the real pixels: a few extreme pixels would leave the rest in one colour.
_COLOUR_PERCENTILES = (0.5, 99.8)


def plot_map_panel(
    axes: np.ndarray,
    real_maps: ArrayLike,
    generated_maps: ArrayLike,
    theta: ArrayLike | None = None,
    *,
    parameter_labels: Sequence[str] = (r"\Omega_\mathrm{m}", r"\sigma_8"),
    row_labels: tuple[str, str] = ("simulated", "generated"),
    box_size_mpc_h: float = 25.0,
    units: str = r"$(M_\odot/h)\,/\,(\mathrm{Mpc}/h)^2$",
    style: Style = STYLE,
) -> np.ndarray:
    """Draws real maps in the first row and generated maps in the second, in one colour scale of log10.

    The real maps alone set the scale. An end of the colour bar is pointed if pixels lie beyond it. Pixels that are not
    positive and finite are grey. The first axis of a map runs upwards, as in the pictures of CMD.

    Args:
        axes: Axes `[2, R]` of one figure, for example of `STYLE.new_figure(2, R, size_in=(2 * R, 4.2))`.
        real_maps, generated_maps: `[R, n, n]`, physical units.
        theta: Parameters of each column `[R, P]`, written above it.
        parameter_labels: LaTeX labels of the `P` parameters, without dollar signs.
        row_labels: What the two rows are.
        box_size_mpc_h: Side of the box, Mpc/h.
        units: Unit of a pixel, for the colour bar.
        style: Style of the figure.

    Returns:
        `axes`.

    Raises:
        InputError: If the axes, maps and parameters do not belong together, or no real pixel is positive.
    """
    real_maps, generated_maps = np.asarray(real_maps), np.asarray(generated_maps)
    axes = np.asarray(axes)
    if real_maps.ndim != 3 or real_maps.shape != generated_maps.shape or axes.shape != (2, len(real_maps)):
        raise InputError(
            "axes, real_maps, generated_maps: expected [2, R], [R, n, n] and [R, n, n]. "
            f"Received: {axes.shape}, {real_maps.shape} and {generated_maps.shape}."
        )
    titles = _titles(theta, len(real_maps), parameter_labels)
    pixels = np.ma.stack([_log10_positive(real_maps), _log10_positive(generated_maps)])
    if pixels[0].mask.all():
        raise InputError("real_maps: expected positive pixels. Received: none.")
    norm = _colours(pixels[0])
    with style.context():
        for row, name in enumerate(row_labels):
            for column, title in enumerate(titles):
                ax: Axes = axes[row, column]
                image = _draw_map(ax, pixels[row][column], norm, box_size_mpc_h, style)
                ax.tick_params(labelbottom=row == 1, labelleft=column == 0)
                if row == 0:
                    ax.set_title(title)
                else:
                    ax.set_xlabel(r"$x$  [Mpc/$h$]")
                if column == 0:
                    ax.set_ylabel(f"{name}\n" + r"$y$  [Mpc/$h$]")
        label = rf"$\log_{{10}}$ HI surface density  [{units}]"
        axes[0, 0].figure.colorbar(image, ax=list(axes.flat), label=label, extend=_ends(pixels, norm))
    return axes


def plot_maps(
    axes: Sequence[Axes],
    maps: ArrayLike,
    theta: ArrayLike | None = None,
    *,
    parameter_labels: Sequence[str] = (r"\Omega_\mathrm{m}", r"\sigma_8"),
    is_log10: bool = True,
    label: str = "",
    box_size_mpc_h: float = 25.0,
    style: Style = STYLE,
) -> Sequence[Axes]:
    """Draws maps of one field in one colour scale, one an axis.

    Args:
        axes: `R` axes of a grid, row by row.
        maps: `[R, n, n]`, physical units.
        theta: Parameters of each map `[R, P]`, written above it.
        parameter_labels: LaTeX labels of the `P` parameters, without dollar signs.
        is_log10: Whether the colours are those of log10 of the pixels; pixels that are not positive and finite are then grey.
            Otherwise only those that are not finite are.
        label: Of the colour bar.
        box_size_mpc_h: Side of the box, Mpc/h.
        style: Style of the figure.

    Returns:
        `axes`.

    Raises:
        InputError: If the axes, maps and parameters do not belong together, or no pixel can be drawn.
    """
    maps = np.asarray(maps)
    if maps.ndim != 3 or len(axes) != len(maps):
        raise InputError(f"axes, maps: expected R axes and [R, n, n]. Received: {len(axes)} axes and {maps.shape}.")
    titles = _titles(theta, len(maps), parameter_labels)
    pixels = _log10_positive(maps) if is_log10 else np.ma.masked_invalid(maps)
    if pixels.mask.all():
        raise InputError(f"maps: expected {'positive' if is_log10 else 'finite'} pixels. Received: none.")
    norm = _colours(pixels)
    lowest = {ax.get_subplotspec().colspan.start: ax for ax in axes}.values()
    with style.context():
        for ax, pixels_of_map, title in zip(axes, pixels, titles, strict=True):
            image = _draw_map(ax, pixels_of_map, norm, box_size_mpc_h, style)
            ax.set_title(title)
            is_left = ax.get_subplotspec().is_first_col()
            ax.tick_params(labelbottom=ax in lowest, labelleft=is_left)
            ax.set_xlabel(r"$x$  [Mpc/$h$]" if ax in lowest else "")
            ax.set_ylabel(r"$y$  [Mpc/$h$]" if is_left else "")
        axes[0].figure.colorbar(image, ax=list(axes), label=label, extend=_ends(pixels, norm))
    return axes


def _colours(pixels: np.ma.MaskedArray) -> Normalize:
    low, high = np.percentile(pixels.compressed(), _COLOUR_PERCENTILES)
    return Normalize(low, high if high > low else low + 1.0)


def _ends(pixels: np.ma.MaskedArray, norm: Normalize) -> str:
    """Which ends of the colour bar have pixels beyond them."""
    names = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}
    return names[bool(pixels.min() < norm.vmin), bool(pixels.max() > norm.vmax)]


def _draw_map(ax: Axes, pixels: np.ma.MaskedArray, norm: Normalize, box_size_mpc_h: float, style: Style) -> AxesImage:
    ax.set_facecolor("0.7")
    box = (0, box_size_mpc_h, 0, box_size_mpc_h)
    return ax.imshow(pixels, norm=norm, cmap=style.map_colours, origin="lower", extent=box, interpolation="nearest")


def _titles(theta: ArrayLike | None, num_columns: int, labels: Sequence[str]) -> list[str]:
    if theta is None:
        return [""] * num_columns
    theta = np.asarray(theta)
    if theta.shape != (num_columns, len(labels)):
        raise InputError(f"theta: expected one row a map, shape {(num_columns, len(labels))}. Received: {theta.shape}.")
    return ["\n".join(f"${label} = {value:#.3g}$" for label, value in zip(labels, row, strict=True)) for row in theta]


def _log10_positive(maps: np.ndarray) -> np.ma.MaskedArray:
    is_good = np.isfinite(maps) & (maps > 0)
    return np.ma.masked_array(np.log10(np.where(is_good, maps, 1.0)), ~is_good)
