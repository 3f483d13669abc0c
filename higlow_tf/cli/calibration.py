"""Calibration with a bar, for every command that calibrates."""

import shutil

from higlow_tf.cli.console import progress_bar

__all__ = ["calibrate_with_progress"]

_UNFINISHED = ".likelihoods.unfinished"


def calibrate_with_progress(run, model, data, test, label, out, options):
    """Fits the repair if these are the maps of the run, stores it in the run, judges it on test maps, and writes the page.

    Args:
        run: Folder of the run.
        model: Its model.
        data: `HIMapDataset` of all maps, as read.
        test: `HIMapDataset` of those to judge on; `label` says which they are.
        out: Folder of the page. It keeps the likelihoods until everything is written, so that an interrupted call continues.
        options: `CalibrationOptions`.

    Returns:
        The triple (path of the page, rows of what matters most, `Judgement`).

    Raises:
        InputError: If the model cannot be calibrated, or these are other maps and it has no repair.
    """
    from higlow_tf.evaluation.calibrate import calibrate_on_own_maps, judge_calibration
    from higlow_tf.reports import write_calibration
    from higlow_tf.runs import store_calibration

    unfinished = out / _UNFINISHED
    with progress_bar() as progress:
        how = {"options": options, "progress": progress, "cache_dir": unfinished}
        fit = calibrate_on_own_maps(model, data, **how)
        if fit is not None:
            # Stored before it is judged: whoever stops now has the repair.
            store_calibration(run, model, fit)
        judgement = judge_calibration(model, test, **how)
    facts = {"model": run, "grid points an axis": options.points_per_axis}
    page, rows = write_calibration(
        judgement, out, model=model, label=label, name=run.name, fit=fit, facts=facts, overwrite=True
    )
    shutil.rmtree(unfinished, ignore_errors=True)
    return page, rows, judgement
