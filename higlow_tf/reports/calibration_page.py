"""The page of a calibration: how far posteriors can be trusted, before and after the repair."""

from pathlib import Path

from higlow_tf.diagnostics import write_metrics
from higlow_tf.evaluation import VerdictRow
from higlow_tf.evaluation.provenance import provenance
from higlow_tf.files import check_new
from higlow_tf.reports.calibration_pictures import calibration_pictures
from higlow_tf.reports.page import Page
from higlow_tf.reports.picture import add_pictures
from higlow_tf.runs.split_record import ON_TRAINING_MAPS

__all__ = ["CALIBRATION_FILES", "TABLE_TITLE", "write_calibration"]

CALIBRATION_FILES = "metrics.json", "posteriors.npz", "report.html"
TABLE_TITLE = "Raw and calibrated"


def write_calibration(judgement, out, *, model, label, name="model", fit=None, facts=None, overwrite=False):
    """Writes a page about the posteriors of a model, its figures, its metrics and the posteriors themselves.

    Files:
        report.html: the page; its pictures also as PNG and PDF.
        posteriors.npz: mean, sd, truth and gain (`CalibrationScores.gain`) of all posteriors.
        metrics.json: all numbers. It is written last: if it is there, everything is there.

    Args:
        judgement: `Judgement`.
        out: Folder.
        model: The model, for its provenance.
        label: Which maps were judged, in words.
        name: What the model is called on the page.
        fit: `PosteriorFit`, or None if the repair was fitted before.
        facts: What stands first under provenance, name -> value.
        overwrite: Whether existing files may be replaced.

    Returns:
        The pair (path of the page, rows of what matters most: label, value, note).

    Raises:
        InputError: If a file exists and `overwrite` is false, or cannot be written.
    """
    out = Path(out)
    metrics_file, posteriors_file, page_file = (check_new(out / file, overwrite) for file in CALIBRATION_FILES)
    rows, metrics = judgement.rows(None if fit is None else fit.calibration_fit), judgement.metrics
    if ON_TRAINING_MAPS in label:
        metrics = {f"on_training_maps_{key}": metric for key, metric in metrics.items()}
        rows = [(f"{ON_TRAINING_MAPS}: {what}", value, note) for what, value, note in rows]
    page = Page(f"Calibration of {name}", f"on {label}").verdict([VerdictRow(*row) for row in rows])
    page.section(TABLE_TITLE).table(*judgement.table())
    for picture in calibration_pictures(judgement):
        add_pictures(page, picture.title, [picture], out)
    facts = (facts or {}) | provenance(model, judgement.test) | {"calibration": judgement.calibration.label}
    page.provenance(facts).write(page_file, overwrite=overwrite)
    judgement.save(posteriors_file)
    write_metrics(metrics_file, metrics, overwrite=overwrite)
    return page_file, rows
