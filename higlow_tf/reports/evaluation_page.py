"""The page of an evaluation: maps, P(k), posteriors, the verdict, then everything else."""

from dataclasses import replace
from pathlib import Path

from higlow_tf.diagnostics import write_metrics
from higlow_tf.evaluation import Verdict, VerdictRow, density_differences
from higlow_tf.evaluation.verdict import number_text
from higlow_tf.files import check_new
from higlow_tf.reports.evaluation_pictures import evaluation_pictures
from higlow_tf.reports.page import Page
from higlow_tf.reports.picture import add_pictures
from higlow_tf.reports.run_pictures import loss_pictures, pictures_of_runs
from higlow_tf.runs.split_record import ON_TRAINING_MAPS

__all__ = ["METRICS", "PAGE", "add_evaluation", "alert_of_unusable", "metrics_files", "write_evaluation"]

METRICS, PAGE = "metrics.json", "report.html"


def write_evaluation(
    evaluation, out, *, name="model", others=None, history=None, facts=None, title=None, overwrite=False
):
    """Writes a page about a model, with other models beside it, its figures and its metrics.

    Files:
        report.html: the page; its pictures also as PNG and PDF.
        metrics.json: all numbers of the model; metrics_NAME.json: those of each other one.

    Args:
        evaluation: `Evaluation`.
        out: Folder.
        name: What the model is called on the page.
        others: `Evaluation`s of other models on the same maps, by name; or None.
        history: Columns of the run's history.csv, or None.
        facts: What stands first under provenance, name -> value.
        title: Of the page.
        overwrite: Whether existing files may be replaced.

    Returns:
        The pair (path of the page, `Verdict`).

    Raises:
        InputError: If a file exists and `overwrite` is false, or cannot be written.
    """
    out, others = Path(out), others or {}
    for file in (PAGE, *metrics_files(others)):
        check_new(out / file, overwrite)
    differences = density_differences(evaluation, others)
    verdict = _with_differences(evaluation.verdict(), differences).with_prefix(_prefix(evaluation))
    page = Page(title or f"Evaluation of {name}", f"on {evaluation.label}")
    alert_of_unusable(page, evaluation)
    add_evaluation(page, evaluation, verdict, out, name=name, others=others)
    add_pictures(page, "Training", loss_pictures(history), out)
    if evaluation.not_measured:
        reasons = [(what.replace("_", " "), reason) for what, reason in evaluation.not_measured.items()]
        page.section("Not measured").table(("", "why"), reasons)
    page.provenance((facts or {}) | evaluation.provenance).write(out / PAGE, overwrite=overwrite)
    metrics = evaluation.metrics | dict(differences.values())
    for file, of_model in zip(metrics_files(others), [metrics, *[e.metrics for e in others.values()]], strict=True):
        write_metrics(out / file, _named(of_model, evaluation), overwrite=overwrite)
    return out / PAGE, verdict


def metrics_files(others):
    """Names of the files of `write_evaluation` that hold the metrics. The file of the model comes first."""
    return [METRICS, *(f"metrics_{name}.json" for name in others)]


def add_evaluation(page, evaluation, verdict, folder=None, *, name="model", others=None, posteriors=None):
    """Adds an evaluation to a page: maps, P(k), posteriors, verdict, other models beside, other statistics.

    Args:
        page: `Page`.
        evaluation: `Evaluation`.
        verdict: Its `Verdict`, perhaps with more rows.
        folder: Where the pictures go as files; None for no files.
        name: What the model is called.
        others: `Evaluation`s of other models, by name.
        posteriors: `Picture`s in the place of those of the evaluation; None for these.
    """
    pictures = evaluation_pictures(evaluation)
    add_pictures(page, "Simulated and generated maps", pictures.maps, folder)
    add_pictures(page, "Power spectra", pictures.power, folder)
    add_pictures(page, "Posteriors", pictures.posteriors if posteriors is None else posteriors, folder)
    page.section("Verdict").verdict(verdict.rows, f"{verdict.sentence}\n\n{verdict.explanation}")
    if others:
        evaluations = {name: evaluation, **others}
        page.section("All runs").table(*_table_of_runs(evaluations))
        add_pictures(page, None, pictures_of_runs(evaluations), folder)
    add_pictures(page, "Other statistics", pictures.others, folder)


def alert_of_unusable(page, evaluation):
    """Says on top of a page how many generated maps cannot be used, if there are any."""
    unusable, at_cosmologies = (
        evaluation.metrics[f"unusable_samples{where}"].value for where in ("", "_at_cosmologies")
    )
    if unusable or at_cosmologies:
        page.alert(
            f"{unusable} of {len(evaluation.rows)} generated maps, and {at_cosmologies} of those at single cosmologies, have "
            "pixels that are not finite and positive. All numbers of generated maps below leave them out."
        )


def _prefix(evaluation):
    return ON_TRAINING_MAPS if ON_TRAINING_MAPS in evaluation.label else ""


def _named(metrics, evaluation):
    """Metrics on training maps say so in their names."""
    if not _prefix(evaluation):
        return metrics
    return {f"on_training_maps_{name}": metric for name, metric in metrics.items()}


def _with_differences(verdict, differences):
    """The verdict with one more row for each other model, after the row of the density: the difference of the densities."""
    rows = list(verdict.rows)
    for number, (other, (_, metric)) in enumerate(differences.items()):
        note = f"nats per pixel, same maps, paired over simulations; negative: better than {other}"
        row = VerdictRow(f"Density minus that of {other}", number_text(metric, 4), note)
        rows.insert(2 + number, replace(row, group=rows[1].group))
    return Verdict(tuple(rows))


def _table_of_runs(evaluations):
    """Headers and rows: the numbers of every run, in the words of the verdict."""
    by_run = [{row.label: row for row in evaluation.verdict().rows} for evaluation in evaluations.values()]
    labels = list(dict.fromkeys(label for rows in by_run for label in rows))

    def cell(rows, label):
        if label not in rows:
            return "-"
        return f"{rows[label].value}{f' ({rows[label].word})' if rows[label].word else ''}"

    return ("", *evaluations), [(label, *[cell(rows, label) for rows in by_run]) for label in labels]
