"""The figures of an evaluation, each with its caption and the text for those who do not see it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from higlow_tf.cli.batches import spread_rows
from higlow_tf.plotting import STYLE, plot_loss, plot_map_panel, plot_pixel_pdf, plot_power

__all__ = ["Picture", "evaluation_pictures", "loss_picture"]

_NUM_SHOWN = 5
_FIELD_TITLES = {"log10": "log10 maps", "overdensity": "overdensity, map / mean - 1"}


@dataclass(frozen=True)
class Picture:
    """A figure of a report.

    Attributes:
        name: Stem of its file.
        title: Heading above it.
        figure: The matplotlib figure.
        caption: Text below it.
        alt: What it shows, for those who do not see it.
    """

    name: str
    title: str
    figure: Any
    caption: str
    alt: str


def evaluation_pictures(evaluation):
    """Real beside generated maps, P(k) of both fields, and the pixels."""
    pictures = [_maps_picture(evaluation)] if evaluation.test.num_channels == 1 else []
    for name, comparison in evaluation.powers.items():
        figure, axes = STYLE.new_figure(2, 1, size_in=(6.4, 5.4), height_ratios=(2, 1), share_x=True)
        plot_power(axes, comparison)
        title = f"Power spectrum, {_FIELD_TITLES[name]}"
        caption = (
            f"P(k) of {_FIELD_TITLES[name]}: mean and scatter over maps, and below the ratio generated / simulated. "
            "Bars are bootstrap errors over simulations; grey is what simulations differ by among themselves."
        )
        alt = f"Power spectra of simulated and generated maps ({_FIELD_TITLES[name]}) and their ratio against k."
        pictures.append(Picture(f"power_{name}", title, figure, caption, alt))
    if evaluation.pdf is not None:
        figure, axes = STYLE.new_figure(2, 1, size_in=(6.4, 5.4), height_ratios=(2, 1), share_x=True)
        plot_pixel_pdf(axes, evaluation.pdf)
        caption = "Densities of log10 pixels, and below their ratio; dotted lines are the extreme pixels of each side."
        alt = "Histograms of log10 pixels of simulated and generated maps and their ratio."
        pictures.append(Picture("pixel_pdf", "Pixels", figure, caption, alt))
    return pictures


def loss_picture(history):
    """The course of the training, or None if no finite loss was recorded."""
    if not history or not all(np.isfinite(history[name]).any() for name in ("loss", "val_loss")):
        return None
    figure, axes = STYLE.new_figure()
    plot_loss(axes, history)
    caption = "Negative log-density in nats per pixel; the star is the epoch whose averaged weights are the model."
    alt = "Training and validation loss against the epoch."
    return Picture("loss", "Training", figure, caption, alt)


def _maps_picture(evaluation):
    shown = spread_rows(len(evaluation.rows), _NUM_SHOWN)
    rows, test = evaluation.rows[shown], evaluation.test
    figure, axes = STYLE.new_figure(2, len(shown), size_in=(2.0 * len(shown) + 1.2, 4.4))
    plot_map_panel(
        axes.reshape(2, len(shown)),
        test.maps[rows],
        evaluation.generated[shown],
        test.theta[rows],
        parameter_labels=test.parameters.labels,
        box_size_mpc_h=test.box_size_mpc_h,
    )
    caption = "Above test maps, below maps that the model drew at the same parameters; they are not meant to be equal."
    alt = f"{len(shown)} simulated maps above {len(shown)} generated maps at the same parameters."
    return Picture("maps", "Simulated and generated maps", figure, caption, alt)
