"""Pictures of runs: the course of one training, and several runs beside each other."""

import numpy as np

from higlow_tf.diagnostics.fields import MAP_FIELDS
from higlow_tf.plotting import STYLE, plot_loss, plot_ratio_of_runs
from higlow_tf.plotting.style import label_log_axis
from higlow_tf.reports.picture import Picture

__all__ = ["loss_pictures", "pictures_of_runs"]


def loss_pictures(history):
    """The course of the training: one `Picture` in a list. The list is empty if no finite loss was recorded."""
    if not history or not all(np.isfinite(history[name]).any() for name in ("loss", "val_loss")):
        return []
    figure, axes = STYLE.new_figure()
    plot_loss(axes, history)
    caption = "Negative log-density in nats per pixel; the star is the epoch whose averaged weights are the model."
    return [Picture("loss", "Training", figure, caption, "Training and validation loss against the epoch.")]


def pictures_of_runs(evaluations):
    """P(k) and pixels of several runs in one figure each.

    Args:
        evaluations: `Evaluation`s by name.
    """
    statistics = {name: evaluation.statistics for name, evaluation in evaluations.items()}
    pictures = []
    for field in MAP_FIELDS:
        powers = {name: of_run.powers[field] for name, of_run in statistics.items() if field in of_run.powers}
        if len(powers) > 1:
            pictures.append(_powers(field, powers))
    pdfs = {name: of_run.pdf for name, of_run in statistics.items() if of_run.pdf is not None}
    return pictures + ([_pixels(pdfs)] if len(pdfs) > 1 else [])


def _powers(field, powers):
    figure, axes = STYLE.new_figure(2, 1, size_in=(6.4, 6.4), share_x=True)
    first = next(iter(powers.values()))
    for ax, statistic in zip(axes, ("mean", "sd"), strict=True):
        ratios = {
            name: (getattr(power, f"{statistic}_ratio"), getattr(power, f"{statistic}_ratio_error"))
            for name, power in powers.items()
        }
        plot_ratio_of_runs(ax, first.k_h_mpc, ratios, floor=getattr(first, f"{statistic}_ratio_floor"))
        ax.set_xscale("log")
        label_log_axis(ax)
        ax.set_ylabel(f"{statistic}, generated / simulated")
    axes[1].set_xlabel(r"$k$  [$h$/Mpc]")
    title = MAP_FIELDS[field].title
    caption = f"Mean and standard deviation of P(k) of {title}, generated / simulated, with bootstrap errors."
    alt = f"Ratios of P(k) of {len(powers)} runs."
    return Picture(f"runs_power_{field}", f"P(k) of all runs, {title}", figure, caption, alt)


def _pixels(pdfs):
    figure, ax = STYLE.new_figure()
    first = next(iter(pdfs.values()))
    ratios = {name: (pdf.ratio, pdf.ratio_error) for name, pdf in pdfs.items()}
    plot_ratio_of_runs(ax, first.log10_hi, ratios, floor=first.ratio_floor)
    ax.set_xlabel(r"$\log_{10}$ HI surface density")
    ax.set_ylabel("generated / simulated")
    caption = "Density of log10 pixels, generated / simulated, with bootstrap errors."
    return Picture("runs_pixels", "Pixels of all runs", figure, caption, f"Ratios of {len(pdfs)} runs.")
