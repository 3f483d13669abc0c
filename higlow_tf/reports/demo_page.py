"""The page that the demo ends with: the whole chain on one page."""

from pathlib import Path

from higlow_tf.evaluation import Verdict, VerdictRow
from higlow_tf.reports.calibration_pictures import coverage_picture, predicted_pictures
from higlow_tf.reports.evaluation_page import add_evaluation, alert_of_unusable
from higlow_tf.reports.page import Page
from higlow_tf.reports.picture import Picture, add_pictures
from higlow_tf.reports.posterior_pictures import draw_posteriors
from higlow_tf.reports.run_pictures import loss_pictures

__all__ = ["write_demo"]

_GROUP = "Calibration of posteriors"


def write_demo(evaluation, judgement, posterior, truth, out, *, fit=None, history=None, facts=None, overwrite=False):
    """Writes one page about a model: its maps, their power, its posteriors, the verdict, and all else that was measured.

    Args:
        evaluation: `Evaluation` of maps.
        judgement: `Judgement` of posteriors.
        posterior: `Posterior` of a few maps, of two parameters on a grid.
        truth: Their true parameters, `[N, 2]`.
        out: Folder; report.html is written.
        fit: `PosteriorFit`, for the errors of the repair; or None.
        history: Columns of the run's history.csv, or None.
        facts: What stands first under provenance, name -> value.
        overwrite: Whether an existing page may be replaced.

    Returns:
        The pair (path of the page, `Verdict`).
    """
    page = Page(
        "higlow demo",
        "Mock maps from a particle-mesh simulation with neutral hydrogen painted on. They are no hydrodynamic "
        "simulations, and a few minutes are not a full training.",
    )
    rows = judgement.rows(None if fit is None else fit.calibration_fit)
    verdict = Verdict((*evaluation.verdict().rows, *[VerdictRow(*row, group=_GROUP) for row in rows]))
    alert_of_unusable(page, evaluation)
    pictures = [_posteriors(posterior, truth), predicted_pictures(judgement)[0], coverage_picture(judgement)]
    add_evaluation(page, evaluation, verdict, posteriors=pictures)
    page.section("Posteriors in numbers").table(("map", "parameter", "truth", "posterior"), _numbers(posterior, truth))
    add_pictures(page, "Training", loss_pictures(history))
    path = page.provenance((facts or {}) | evaluation.provenance).write(Path(out) / "report.html", overwrite=overwrite)
    return path, verdict


def _numbers(posterior, truth):
    return [
        (i + 1, name, f"{truth[i, j]:.3f}", f"{posterior.mean[i, j]:.3f} ± {posterior.sd[i, j]:.3f}")
        for i in range(len(truth))
        for j, name in enumerate(posterior.parameters.names)
    ]


def _posteriors(posterior, truth):
    figure = draw_posteriors(posterior, range(len(truth)), truth, num_columns=len(truth), panel_in=(3.6, 3.9))
    caption = (
        "68 and 95 % regions from one map each, calibrated on the validation simulations. The model has not seen these "
        "simulations."
    )
    alt = f"Posterior regions of {len(truth)} test maps, with the true parameters."
    return Picture("posterior", "Posteriors of single maps", figure, caption, alt)
