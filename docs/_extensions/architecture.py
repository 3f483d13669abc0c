"""Draws the architecture of a preset from its model: python docs/_extensions/architecture.py FILE.svg [PRESET]."""

import sys

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

import higlow_tf as hg

__all__ = ["draw_architecture"]

_STEP, _SQUEEZE, _LATENT, _END = "#cfe3f3", "#e6e6e6", "#fbe3b5", "#dcefd8"
_WIDTH, _HEIGHT = 2.7, 0.62


def draw_architecture(model):
    """A picture of a `ConditionalGlow`, map -> latent: its levels on the left, one of its steps on the right.

    Args:
        model: The model; shapes and numbers of steps are those of its levels.

    Returns:
        A matplotlib figure, of about 10 x 8 inches.
    """
    num_rows = 3 * model.num_levels + 2
    figure = Figure(figsize=(10.0, 0.34 * num_rows + 2.2), layout="constrained")
    levels, step = figure.subplots(1, 2, width_ratios=(1.6, 1.0))
    _draw_levels(levels, model)
    _draw_step(step)
    for ax in (levels, step):
        ax.set_axis_off()
    return figure


def _draw_levels(ax, model):
    bottom = _box(ax, 0.0, 0.0, f"map  {_shape(model.num_channels, model.map_size)}", "white")
    end = "log10, shift and scale" if model.end_layers is None else "log10, shift and scale, end layers"
    bottom = _next(ax, bottom, end, _END)
    for number, (level, latents) in enumerate(zip(model.levels, model.latent_shapes, strict=True)):
        channels, side = level.channels, latents[1]
        bottom = _next(ax, bottom, f"squeeze  {_shape(channels, side)}", _SQUEEZE)
        bottom = _next(ax, bottom, f"{level.architecture.num_steps} steps", _STEP)
        leaving = f"z{number + 1}  {_shape(latents[0], side)}"
        given = "" if level.end_network is None else ", given theta" if level.is_last else ", given the rest and theta"
        _box(ax, _WIDTH + 1.5, bottom, f"{leaving}\nN(0, I){given}", _LATENT, width=_WIDTH)
        _arrow(ax, (_WIDTH, bottom + _HEIGHT / 2), (_WIDTH + 1.5, bottom + _HEIGHT / 2))
        label = "all leave" if level.is_last else "half leave"
        ax.text(_WIDTH + 0.75, bottom + _HEIGHT / 2 + 0.08, label, ha="center", va="bottom", fontsize=8)
    ax.set_title(
        "map to latent: " + ", ".join((f"{model.num_levels} levels", f"{model.count_params():,} weights")), fontsize=10
    )
    ax.set_xlim(-0.2, 2 * _WIDTH + 1.7)
    ax.set_ylim(bottom - 0.3, _HEIGHT + 0.3)


def _draw_step(ax):
    texts = (
        ("x", "white"),
        ("injector\nx = (x - shift(theta)) / scale(theta)", _STEP),
        ("1x1 convolution\nx[i, j, :] = A x[i, j, :]", _STEP),
        ("coupling: halves a, b of the channels\nb = (b - shift(a, theta)) / scale(a, theta)", _STEP),
        ("x", "white"),
    )
    bottom, width = 0.0, 4.0
    for number, (text, colour) in enumerate(texts):
        bottom = _next(ax, bottom, text, colour, width) if number else _box(ax, 0.0, 0.0, text, colour, width=width)
    ax.set_title("one step, map to latent", fontsize=10)
    ax.set_xlim(-0.2, width + 0.2)
    ax.set_ylim(bottom - 3.5, _HEIGHT + 0.3)


def _next(ax, above, text, colour, width=_WIDTH):
    """A box below the box at `above`, with an arrow between them. Returns its bottom."""
    bottom = above - _HEIGHT - 0.4
    _arrow(ax, (width / 2, above), (width / 2, bottom + _HEIGHT))
    return _box(ax, 0.0, bottom, text, colour, width=width)


def _box(ax, left, bottom, text, colour, *, width=_WIDTH):
    ax.add_patch(
        FancyBboxPatch((left, bottom), width, _HEIGHT, boxstyle="round,pad=0.02", facecolor=colour, edgecolor="#555555")
    )
    ax.text(left + width / 2, bottom + _HEIGHT / 2, text, ha="center", va="center", fontsize=8.5)
    return bottom


def _arrow(ax, start, end):
    ax.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=9, color="#555555", shrinkA=2, shrinkB=2))


def _shape(channels, side):
    return f"{channels} x {side} x {side}"


if __name__ == "__main__":
    file, *preset = sys.argv[1:]
    draw_architecture(hg.ConditionalGlow.from_preset(*(preset or ["compact"]))).savefig(file)
