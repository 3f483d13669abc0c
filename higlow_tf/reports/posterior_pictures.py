"""Pictures of posteriors: regions in the plane of two parameters, and predicted against true parameters."""

import numpy as np

from higlow_tf.errors import InputError
from higlow_tf.evaluation.spreading import spread_rows
from higlow_tf.files import check_new
from higlow_tf.inference import parameters_of_interest
from higlow_tf.plotting import STYLE, plot_posterior, plot_predicted
from higlow_tf.reports.picture import Picture, check_picture_name, save_picture

__all__ = [
    "check_drawable",
    "draw_posteriors",
    "posteriors_picture",
    "predicted_picture",
    "write_posterior_figure",
]

_NUM_POSTERIORS, _NUM_IN_A_FILE = 4, 3


def draw_posteriors(posterior, rows, truth=None, *, num_columns, panel_in):
    """Draws the 68 and 95 % regions of some posteriors, one panel each.

    Args:
        posterior: `Posterior` of two parameters on a grid.
        rows: Which of its posteriors.
        truth: True parameters of all of them, `[N, 2]`, or None.
        num_columns: Panels beside each other.
        panel_in: Width and height of a panel, inches.

    Returns:
        A matplotlib figure.
    """
    num_columns = min(num_columns, len(rows))
    num_rows = -(-len(rows) // num_columns)
    size_in = panel_in[0] * num_columns, panel_in[1] * num_rows
    figure, axes = STYLE.new_figure(num_rows, num_columns, size_in=size_in)
    axes = np.atleast_1d(axes).ravel()
    for ax in axes[len(rows) :]:
        ax.set_axis_off()
    for row, ax in zip(rows, axes, strict=False):
        plot_posterior(
            ax,
            posterior.theta_grid[row],
            posterior.log_posterior[row],
            truth=None if truth is None else truth[row],
            parameter_labels=posterior.parameters.labels,
        )
    return figure


def posteriors_picture(scores):
    """Regions in the plane of two parameters, of a few test maps.

    Args:
        scores: `PosteriorScores`.
    """
    rows = spread_rows(len(scores.truth), _NUM_POSTERIORS)
    figure = draw_posteriors(scores.posterior, rows, scores.truth, num_columns=2, panel_in=(4.2, 4.3))
    kind = "with the stored calibration" if scores.is_calibrated else "raw, since the run has no calibration"
    caption = f"68 and 95 % regions from one test map each, {kind}; the star is the truth."
    alt = f"Posterior regions of {len(rows)} test maps, with the true parameters."
    return Picture("posteriors", "Posteriors", figure, caption, alt)


def predicted_picture(truth, mean, sd, parameters, *, name="predicted", title=None, caption=None, alt=None):
    """Posterior means against true parameters, one panel a parameter.

    Args:
        truth, mean, sd: `[N, P]`.
        parameters: `ParameterSpace`.
        name, title, caption, alt: Of the `Picture`; None for those of single test maps.
    """
    figure, axes = STYLE.new_figure(1, len(parameters), size_in=(4.6 * len(parameters), 4.6))
    for index, (ax, label) in enumerate(zip(np.atleast_1d(axes), parameters.labels, strict=True)):
        plot_predicted(ax, truth[:, index], mean[:, index], sd[:, index], label)
    caption = caption or f"Posterior mean and standard deviation of {len(truth)} single test maps against the truth."
    alt = alt or f"Predicted against true {', '.join(parameters.names)}."
    return Picture(name, title or "Predicted against true parameters", figure, caption, alt)


def check_drawable(model, method, path, overwrite=False):
    """Refuses a figure that could not be drawn or written, before the long work. Returns its path.

    Raises:
        InputError: If the model does not have two parameters of interest, if the method gives no grid, if the file exists, or if
            no picture has such a suffix.
    """
    check_picture_name(path)
    number = len(parameters_of_interest(model))
    if number != 2 or method != "grid":
        raise InputError(
            f"--figure: expected posteriors of two parameters on a grid. Received: {number} parameters by {method}."
        )
    return check_new(path, overwrite)


def write_posterior_figure(posterior, path, overwrite=False, *, truth=None):
    """Writes a picture of the first posteriors, three at most, of two parameters on a grid.

    Args:
        posterior: `Posterior`.
        path: The file; its suffix says which kind: .png, .pdf, .svg.
        overwrite: Whether to replace a file.
        truth: True parameters `[N, 2]`, which are marked by stars; None where they are not known.
    """
    rows = range(min(len(posterior), _NUM_IN_A_FILE))
    figure = draw_posteriors(posterior, rows, truth, num_columns=_NUM_IN_A_FILE, panel_in=(4.6, 4.4))
    save_picture(figure, path, overwrite)
