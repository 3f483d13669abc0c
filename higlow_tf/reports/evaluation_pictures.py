"""The figures of an evaluation, each with its caption and the text for those who do not see it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from higlow_tf.diagnostics import MAP_FIELDS
from higlow_tf.evaluation.chunks import spread_rows
from higlow_tf.plotting import (
    STYLE,
    plot_correlation,
    plot_loss,
    plot_map_panel,
    plot_nearest,
    plot_pixel_pdf,
    plot_posterior,
    plot_power,
    plot_power_by_cosmology,
    plot_predicted,
    plot_response,
    plot_summary_comparison,
)

__all__ = [
    "Picture",
    "evaluation_pictures",
    "loss_picture",
    "maps_picture",
    "posteriors_picture",
    "power_at_cosmologies_picture",
    "power_picture",
    "predicted_picture",
]

_NUM_MAPS, _NUM_POSTERIORS = 5, 4
_TWO_PANELS = {"size_in": (6.4, 5.4), "height_ratios": (2, 1), "share_x": True}


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
    """All that was measured, in the order of a report: maps, P(k), pixels, other statistics, posteriors."""
    statistics = evaluation.statistics
    pictures = [maps_picture(evaluation)] if evaluation.test.num_channels == 1 else []
    pictures += [power_picture(statistics.powers[name]) for name in MAP_FIELDS if name in statistics.powers]
    if evaluation.at_cosmologies:
        pictures.append(power_at_cosmologies_picture(evaluation))
    if statistics.power_r2 is not None:
        pictures.append(_power_r2(statistics.power_r2))
    if statistics.pdf is not None:
        pictures.append(_pixels(statistics.pdf))
    if statistics.correlation is not None:
        pictures.append(_correlation(statistics.correlation))
    if statistics.response is not None:
        pictures.append(_response(statistics.response, evaluation.test.parameters.labels))
    pictures += [_summary(one) for one in statistics.summaries.values()]
    if statistics.nearest is not None:
        pictures.append(_nearest(statistics.nearest))
    if evaluation.posteriors is not None:
        if len(evaluation.test.parameters) == 2:
            pictures.append(posteriors_picture(evaluation))
        scores = evaluation.posteriors
        pictures.append(predicted_picture(scores.truth, scores.posterior.mean, scores.posterior.sd, evaluation.test))
    return pictures


def maps_picture(evaluation):
    """Test maps above generated maps."""
    shown = spread_rows(len(evaluation.rows), _NUM_MAPS)
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


def power_picture(comparison):
    """P(k) of one field at the parameters of all test maps."""
    figure, axes = STYLE.new_figure(2, 1, **_TWO_PANELS)
    plot_power(axes, comparison)
    field = MAP_FIELDS[comparison.field].title
    caption = (
        f"P(k) of {field}: mean and scatter over maps, and below the ratio generated / simulated. "
        "Bars are bootstrap errors over simulations; grey is what simulations differ by among themselves."
    )
    alt = f"Power spectra of simulated and generated maps ({field}) and their ratio against k."
    return Picture(f"power_{comparison.field}", f"Power spectrum, {field}", figure, caption, alt)


def power_at_cosmologies_picture(evaluation):
    """Two cosmologies side by side; for each the spectra and below them the ratio."""
    ones = evaluation.at_cosmologies
    num_rows, num_columns = (len(ones) + 1) // 2, min(len(ones), 2)
    figure, axes = STYLE.new_figure(
        2 * num_rows,
        num_columns,
        size_in=(4.5 * num_columns, 5.2 * num_rows),
        height_ratios=(2, 1) * num_rows,
        share_x=True,
    )
    panels = axes.reshape(num_rows, 2, num_columns).transpose(0, 2, 1).reshape(-1, 2)
    for ax in panels[len(ones) :].flat:
        ax.set_axis_off()
    labels = evaluation.test.parameters.labels
    for pair, one in zip(panels, ones, strict=False):
        plot_power(pair, one.power)
        for ax in pair:
            ax.get_legend().remove()
        pair[0].set_title(", ".join(f"${name} = {value:.3f}$" for name, value in zip(labels, one.theta, strict=True)))
    caption = (
        f"P(k) of log10 maps at {len(ones)} single cosmologies, those of test simulations: all maps of the simulation, and "
        "generated ones at its parameters (dashed). Below the ratios of mean (circles) and sd (squares). Errors and floor are "
        "over single maps."
    )
    alt = f"Power spectra of simulated and generated maps at {len(ones)} cosmologies, and their ratios, against k."
    return Picture("power_at_cosmologies", "Power spectra at single cosmologies", figure, caption, alt)


def posteriors_picture(evaluation):
    """Regions in the plane of two parameters, of a few test maps."""
    posterior, truth = evaluation.posteriors.posterior, evaluation.posteriors.truth
    shown = spread_rows(len(truth), _NUM_POSTERIORS)
    num_columns = min(len(shown), 2)
    num_rows = -(-len(shown) // num_columns)
    figure, axes = STYLE.new_figure(num_rows, num_columns, size_in=(4.2 * num_columns, 4.3 * num_rows))
    axes = np.atleast_1d(axes).ravel()
    for ax in axes[len(shown) :]:
        ax.set_axis_off()
    for index, ax in zip(shown, axes, strict=False):
        plot_posterior(
            ax,
            posterior.theta_grid[index],
            posterior.log_posterior[index],
            truth=truth[index],
            parameter_labels=posterior.parameters.labels,
        )
    caption = f"68 and 95 % regions from one test map each, {_kind(evaluation.posteriors)}; the star is the truth."
    alt = f"Posterior regions of {len(shown)} test maps, with the true parameters."
    return Picture("posteriors", "Posteriors", figure, caption, alt)


def predicted_picture(truth, mean, sd, test):
    """Posterior means against true parameters, one panel a parameter."""
    figure, axes = STYLE.new_figure(1, len(test.parameters), size_in=(4.6 * len(test.parameters), 4.6))
    for index, (ax, label) in enumerate(zip(np.atleast_1d(axes), test.parameters.labels, strict=True)):
        plot_predicted(ax, truth[:, index], mean[:, index], sd[:, index], label)
    caption = f"Posterior mean and standard deviation of {len(truth)} single test maps against the truth."
    alt = f"Predicted against true {', '.join(test.parameters.names)}."
    return Picture("predicted", "Predicted against true parameters", figure, caption, alt)


def loss_picture(history):
    """The course of the training, or None if no finite loss was recorded."""
    if not history or not all(np.isfinite(history[name]).any() for name in ("loss", "val_loss")):
        return None
    figure, axes = STYLE.new_figure()
    plot_loss(axes, history)
    caption = "Negative log-density in nats per pixel; the star is the epoch whose averaged weights are the model."
    alt = "Training and validation loss against the epoch."
    return Picture("loss", "Training", figure, caption, alt)


def _kind(scores):
    return "with the stored calibration" if scores.is_calibrated else "raw, since the run has no calibration"


def _power_r2(power_r2):
    figure, axes = STYLE.new_figure()
    plot_power_by_cosmology(axes, power_r2)
    caption = (
        "How much of the run of mean log10 P(k) with k the generated maps explain at each cosmology; crosses are what half "
        "of the maps of a simulation explain of the other half."
    )
    return Picture("power_by_cosmology", "P(k) cosmology by cosmology", figure, caption, "1 - R2 of each cosmology.")


def _pixels(pdf):
    figure, axes = STYLE.new_figure(2, 1, **_TWO_PANELS)
    plot_pixel_pdf(axes, pdf)
    caption = "Densities of log10 pixels, and below their ratio; dotted lines are the extreme pixels of each side."
    alt = "Histograms of log10 pixels of simulated and generated maps and their ratio."
    return Picture("pixel_pdf", "Pixels", figure, caption, alt)


def _correlation(comparison):
    figure, axes = STYLE.new_figure(1, 3, size_in=(10.0, 3.6))
    plot_correlation(axes, comparison)
    caption = "Correlation of P(k) of log10 maps between bins, over maps: most of it is the scatter of the parameters."
    alt = "Correlation matrices of P(k) of simulated and generated maps and their difference."
    return Picture("power_correlation", "Correlation of P(k)", figure, caption, alt)


def _response(comparison, labels):
    figure, axes = STYLE.new_figure(1, len(labels), size_in=(4.6 * len(labels), 4.0))
    plot_response(np.atleast_1d(axes), comparison, parameter_labels=labels)
    at = ", ".join(
        f"{name} = {value:.2f}" for name, value in zip(comparison.parameter_names, comparison.at, strict=True)
    )
    caption = f"Derivatives of ln P(k) by the parameters at {at}, from a quadratic regression over simulations."
    return Picture(
        "power_response", "Response of P(k) to the parameters", figure, caption, "Derivatives of ln P(k) against k."
    )


def _summary(comparison):
    figure, axes = STYLE.new_figure(2, 1, **_TWO_PANELS)
    plot_summary_comparison(axes, comparison)
    caption = (
        "Mean and scatter over maps, and below the deviation of the generated maps with bootstrap errors over simulations; "
        "grey is what simulations differ by among themselves."
    )
    alt = f"{comparison.label} of simulated and generated maps and their deviation."
    return Picture(comparison.name, comparison.label, figure, caption, alt)


def _nearest(nearest):
    figure, axes = STYLE.new_figure()
    plot_nearest(axes, nearest)
    caption = (
        "Distances of generated maps, and of test maps, to the nearest training map over all shifts and square symmetries. "
        "A model that copies training maps would lie far to the left."
    )
    return Picture("nearest", "Nearest training map", figure, caption, "Distributions of distances to training maps.")
