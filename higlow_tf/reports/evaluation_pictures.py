"""The pictures of an evaluation, each with its caption and the text for those who do not see it."""

from dataclasses import dataclass

import numpy as np

from higlow_tf.diagnostics.fields import MAP_FIELDS
from higlow_tf.evaluation.spreading import spread_rows
from higlow_tf.plotting import (
    STYLE,
    plot_correlation,
    plot_map_panel,
    plot_nearest,
    plot_pixel_pdf,
    plot_power,
    plot_power_by_cosmology,
    plot_response,
    plot_spread,
    plot_summary_comparison,
)
from higlow_tf.reports.picture import Picture
from higlow_tf.reports.posterior_pictures import posteriors_picture, predicted_picture

__all__ = [
    "EvaluationPictures",
    "evaluation_pictures",
    "maps_picture",
    "power_at_cosmologies_picture",
    "power_picture",
]

_NUM_MAPS = 5
_TWO_PANELS = {"size_in": (6.4, 5.4), "height_ratios": (2, 1), "share_x": True}


@dataclass(frozen=True)
class EvaluationPictures:
    """The pictures of an evaluation by their place on a page, if they could be measured.

    Attributes:
        maps: Simulated and generated maps.
        power: P(k) of both fields, and at single cosmologies.
        posteriors: Regions of a few maps, and predicted against true parameters.
        others: All other statistics.
    """

    maps: list[Picture]
    power: list[Picture]
    posteriors: list[Picture]
    others: list[Picture]


def evaluation_pictures(evaluation):
    """All that was measured, as `EvaluationPictures`."""
    statistics, scores = evaluation.statistics, evaluation.posteriors
    power = [power_picture(comparison) for comparison in statistics.powers.values()]
    posteriors = []
    if scores is not None:
        posterior = scores.posterior
        posteriors = [posteriors_picture(scores)] if len(posterior.parameters) == 2 else []
        posteriors.append(predicted_picture(scores.truth, posterior.mean, posterior.sd, posterior.parameters))
    return EvaluationPictures(
        maps=[maps_picture(evaluation)] if evaluation.test.num_channels == 1 else [],
        power=power + ([power_at_cosmologies_picture(evaluation)] if evaluation.at_cosmologies else []),
        posteriors=posteriors,
        others=_other_pictures(statistics, evaluation.parameters_of_interest.labels),
    )


def _other_pictures(statistics, labels):
    measured = {
        _power_r2: statistics.power_r2,
        _pixels: statistics.pdf,
        _correlation: statistics.correlation,
        _spread: statistics.spread,
        lambda response: _response(response, labels): statistics.response,
    }
    pictures = [draw(result) for draw, result in measured.items() if result is not None]
    pictures += [_summary(comparison) for comparison in statistics.summaries.values()]
    return pictures + ([] if statistics.nearest is None else [_nearest(statistics.nearest)])


def maps_picture(evaluation):
    """Test maps above generated maps."""
    shown = spread_rows(len(evaluation.rows), _NUM_MAPS)
    rows, test, asked = evaluation.rows[shown], evaluation.test, evaluation.parameters_of_interest
    figure, axes = STYLE.new_figure(2, len(shown), size_in=(2.0 * len(shown) + 1.2, 4.4))
    plot_map_panel(
        axes.reshape(2, len(shown)),
        test.maps[rows],
        evaluation.generated[shown],
        test.parameters.columns(test.theta[rows], asked.names),
        parameter_labels=asked.labels,
        box_size_mpc_h=test.box_size_mpc_h,
    )
    place = evaluation.place_of_generated
    caption = f"Above test maps, below maps that the model drew at the same {place}; they are not meant to be equal."
    alt = f"{len(shown)} simulated maps above {len(shown)} generated maps at the same parameters."
    return Picture("maps", "Simulated and generated maps", figure, caption, alt)


def power_picture(comparison):
    """P(k) of one field at the parameters of all test maps."""
    figure, axes = STYLE.new_figure(2, 1, **_TWO_PANELS)
    plot_power(axes, comparison)
    field = MAP_FIELDS[comparison.field].title
    caption = (
        f"P(k) of {field}: mean and scatter over maps, and below the ratio generated / simulated. "
        "Bars are bootstrap errors over simulations; grey is how much simulations differ among themselves."
    )
    alt = f"Power spectra of simulated and generated maps ({field}) and their ratio against k."
    return Picture(f"power_{comparison.field}", f"Power spectrum, {field}", figure, caption, alt)


def power_at_cosmologies_picture(evaluation):
    """Two cosmologies side by side: for each one the spectra, and the ratio below them."""
    cosmologies = evaluation.at_cosmologies
    num_rows, num_columns = (len(cosmologies) + 1) // 2, min(len(cosmologies), 2)
    figure, axes = STYLE.new_figure(
        2 * num_rows,
        num_columns,
        size_in=(4.5 * num_columns, 5.2 * num_rows),
        height_ratios=(2, 1) * num_rows,
        share_x=True,
    )
    panels = axes.reshape(num_rows, 2, num_columns).transpose(0, 2, 1).reshape(-1, 2)
    for ax in panels[len(cosmologies) :].flat:
        ax.set_axis_off()
    labels = evaluation.parameters_of_interest.labels
    for pair, cosmology in zip(panels, cosmologies, strict=False):
        plot_power(pair, cosmology.power)
        for ax in pair:
            ax.get_legend().remove()
        pair[0].set_title(
            ", ".join(f"${name} = {value:.3f}$" for name, value in zip(labels, cosmology.theta, strict=True))
        )
    caption = (
        f"P(k) of log10 maps at {len(cosmologies)} single cosmologies, those of test simulations: all maps of the simulation, "
        f"and generated ones at the same {evaluation.place_of_generated} (dashed). Below the ratios of mean (circles) and sd "
        "(squares). Errors and floor are over single maps."
    )
    alt = (
        f"Power spectra of simulated and generated maps at {len(cosmologies)} cosmologies, and their ratios, against k."
    )
    return Picture("power_at_cosmologies", "Power spectra at single cosmologies", figure, caption, alt)


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


def _spread(spread):
    figure, axes = STYLE.new_figure(1, 2, size_in=(8.0, 3.8))
    plot_spread(axes, spread)
    polynomial = {1: "a linear function", 2: "a quadratic", 3: "a cubic"}[spread.degree]
    caption = (
        f"Standard deviation from map to map of what a whole map shares, after {polynomial} in the parameters was taken out. "
        "Left: generated over simulated, with bootstrap errors over simulations; grey is how much simulations differ among "
        "themselves. Right: how much of the simulated variance maps of one simulation have in common."
    )
    alt = f"Ratios of the spread of {len(spread.names)} quantities, and shares of variance between simulations."
    return Picture("spread", "Spread from map to map at fixed parameters", figure, caption, alt)


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
        "grey is how much simulations differ among themselves."
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
