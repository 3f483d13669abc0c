"""The page of `higlow evaluate`: the verdict, figures, other runs beside it, and where the numbers come from."""

from dataclasses import dataclass

import numpy as np

from higlow_tf.diagnostics import MAP_FIELDS, Metric, paired_difference
from higlow_tf.evaluation.evaluate_model import Evaluation
from higlow_tf.evaluation.verdict import VerdictRow, number_text, verdict_rows, verdict_text
from higlow_tf.files import whole_path
from higlow_tf.plotting import STYLE, plot_ratio_of_runs
from higlow_tf.plotting.style import label_log_axis
from higlow_tf.reports.evaluation_pictures import Picture, evaluation_pictures, loss_picture
from higlow_tf.reports.page import Page

__all__ = ["EvaluatedRun", "add_pictures", "differences_of_densities", "provenance", "write_page"]


@dataclass(frozen=True)
class EvaluatedRun:
    """A run with what was measured of it.

    Attributes:
        name: How it is called on the page.
        model: Its model.
        evaluation: `Evaluation`.
        metrics: Its metrics, by name.
    """

    name: str
    model: object
    evaluation: Evaluation
    metrics: dict[str, Metric]


def write_page(path, runs, history, facts, figures, *, title, subtitle, verdict_prefix="", overwrite=False):
    """Writes a report about the first of some runs, with the others beside it.

    Args:
        path: File of the page.
        runs: `EvaluatedRun`s; the first is what the page is about, and its metrics hold `differences_of_densities`.
        history: Columns of its history.csv, or None.
        facts: Where the numbers come from, name -> value.
        figures: Folder for the figures as PNG and PDF.
        title, subtitle: Of the page.
        verdict_prefix: Stands before every label of the verdict.
        overwrite: Whether an existing page may be replaced.

    Returns:
        The rows of the verdict.
    """
    run = runs[0]
    rows = verdict_rows(run.evaluation, run.metrics)
    rows[2:2] = [
        _difference_row(run.metrics[name], other) for name, other in zip(_difference_names(runs), runs[1:], strict=True)
    ]
    text = verdict_text(rows)
    if verdict_prefix:
        rows = [row._replace(label=f"{verdict_prefix}: {row.label}") for row in rows]
    report = Page(title, subtitle).verdict(rows, text)
    num_bad, num_bad_more = (run.metrics[f"nonfinite_samples{where}"].value for where in ("", "_at_cosmologies"))
    if num_bad or num_bad_more:
        report.alert(
            f"{num_bad} of {len(run.evaluation.rows)} generated maps, and {num_bad_more} of those at single cosmologies, have "
            "pixels that are not finite and positive. All numbers of generated maps below leave them out."
        )
    if len(runs) > 1:
        report.section("All runs").table(*_table_of_runs(runs))
        add_pictures(report, _pictures_of_runs(runs), figures)
    loss = None if history is None else loss_picture(history)
    add_pictures(report, evaluation_pictures(run.evaluation) + ([] if loss is None else [loss]), figures)
    if run.evaluation.not_measured:
        reasons = [(name.replace("_", " "), reason) for name, reason in run.evaluation.not_measured.items()]
        report.section("Not measured").table(("", "why"), reasons)
    report.provenance(facts).write(path, overwrite=overwrite)
    return rows


def add_pictures(report, pictures, folder):
    """Adds pictures to a report, and writes each as PNG and PDF into a folder unless that is None."""
    for picture in pictures:
        report.section(picture.title)
        png_file = None
        if folder is not None:
            png_file = folder / f"{picture.name}.png"
            with whole_path(folder / f"{picture.name}.pdf", overwrite=True) as part:
                picture.figure.savefig(part, format="pdf", facecolor="white")
        report.figure(picture.figure, picture.caption, picture.alt, png_file=png_file)


def differences_of_densities(runs):
    """Mean negative log-density of the first run minus that of each other run, in nats per pixel: `Metric`s by name."""
    pairs = zip(_difference_names(runs), runs[1:], strict=True)
    return {name: _difference(runs[0].evaluation, run.evaluation) for name, run in pairs}


def _difference_names(runs):
    """Names of the metrics of `differences_of_densities`, one for each other run; the first is the shortest."""
    name = "nll_difference_nats_per_pixel"
    return [name if number == 1 else f"{name}_{run.name}" for number, run in enumerate(runs)][1:]


def _difference(one, two):
    test = one.test
    num_pixels = test.map_size**2 * test.num_channels
    if np.isfinite(one.log_prob).all() and np.isfinite(two.log_prob).all():
        return paired_difference(-one.log_prob / num_pixels, -two.log_prob / num_pixels, test.simulation)
    return Metric(None, n_simulations=test.num_simulations)


def provenance(model, test, run):
    """Where the numbers come from: name -> value."""
    from higlow_tf.versions import versions

    split = model.split or {}
    facts = {
        "model": run,
        "trainable weights": sum(int(variable.value.shape.num_elements()) for variable in model.trainable_variables),
        "test maps": ", ".join(test.source),
        "content of the test maps": test.content_hash(),
        "pixels a side": test.map_size
        if test.native_size == test.map_size
        else f"{test.map_size}, regridded from {test.native_size}",
    }
    if split:
        counts = {name: len(simulations) for name, simulations in split["simulations"].items()}
        facts |= {
            "trained on": ", ".join(split["source"]),
            "content of that file": split["content_hash"],
            "simulations": ", ".join(f"{name} {number}" for name, number in counts.items()),
            "seed of the split": split["seed"],
            "pixels that were zero and got a floor": test.floored_pixels,
        }
    return facts | {"versions": ", ".join(f"{name} {version}" for name, version in versions().items())}


def _difference_row(difference, other):
    note = f"nats per pixel, same maps, paired over simulations; negative: better than {other.name}"
    return VerdictRow(f"Density minus that of {other.name}", number_text(difference, 4), note)


def _table_of_runs(runs):
    """Headers and rows: what every run shows, in the words of the verdict."""
    by_run = [{row.label: row for row in verdict_rows(run.evaluation, run.metrics)} for run in runs]
    labels = list(dict.fromkeys(label for rows in by_run for label in rows))

    def cell(rows, label):
        if label not in rows:
            return "-"
        return f"{rows[label].value}{f' ({rows[label].word})' if rows[label].word else ''}"

    return ("", *[run.name for run in runs]), [(label, *[cell(rows, label) for rows in by_run]) for label in labels]


def _pictures_of_runs(runs):
    """P(k) and pixels of all runs in one figure each."""
    pictures = []
    for field in MAP_FIELDS:
        powers = {run.name: run.evaluation.statistics.powers.get(field) for run in runs}
        powers = {name: power for name, power in powers.items() if power is not None}
        if len(powers) < 2:
            continue
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
        name = MAP_FIELDS[field].title
        caption = f"Mean and standard deviation of P(k) of {name}, generated / simulated, with bootstrap errors."
        pictures.append(
            Picture(
                f"runs_power_{field}",
                f"P(k) of all runs, {name}",
                figure,
                caption,
                f"Ratios of P(k) of {len(powers)} runs.",
            )
        )
    pdfs = {run.name: run.evaluation.statistics.pdf for run in runs if run.evaluation.statistics.pdf is not None}
    if len(pdfs) > 1:
        figure, ax = STYLE.new_figure()
        first = next(iter(pdfs.values()))
        ratios = {name: (pdf.ratio, pdf.ratio_error) for name, pdf in pdfs.items()}
        plot_ratio_of_runs(ax, first.log10_hi, ratios, floor=first.ratio_floor)
        ax.set_xlabel(r"$\log_{10}$ HI surface density")
        ax.set_ylabel("generated / simulated")
        caption = "Density of log10 pixels, generated / simulated, with bootstrap errors."
        pictures.append(Picture("runs_pixels", "Pixels of all runs", figure, caption, f"Ratios of {len(pdfs)} runs."))
    return pictures
