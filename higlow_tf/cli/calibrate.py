"""higlow calibrate: how far the posteriors of a run can be trusted, and their repair."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from higlow_tf.cli.console import check_new_files, load_tensorflow, print_table, progress_bar, say
from higlow_tf.cli.options import MapsFiles, Overwrite, ParamsFile, Run, Seed
from higlow_tf.errors import InputError

__all__ = ["calibrate"]

_METRICS, _POSTERIORS, _REPORT = "metrics.json", "posteriors.npz", "report.html"
_TABLE_TITLE = "Raw and calibrated"
_UNFINISHED = ".likelihoods.unfinished"


def calibrate(
    run: Run,
    maps: MapsFiles,
    params: ParamsFile = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for metrics.json, posteriors.npz, figures, report.html.")
    ] = None,
    maps_per_simulation: Annotated[
        int, typer.Option(min=1, help="Most maps of each simulation to look at; fewer are quicker.")
    ] = 15,
    symmetries: Annotated[
        int,
        typer.Option(min=1, help="Shifted, rotated, reflected copies of a map over which its likelihood is averaged."),
    ] = 4,
    points: Annotated[int, typer.Option(min=4, help="Grid points an axis; splines go between them.")] = 16,
    seed: Seed = 0,
    allow_training_maps: Annotated[
        bool, typer.Option("--allow-training-maps", help="Go on, and say so, where maps were trained on.")
    ] = False,
    overwrite: Overwrite = False,
):
    """Measure whether posteriors hold the truth as often as they say, and repair them.

    On the file that was trained on (known by content), the repair is fitted on the validation simulations, stored in the run
    and judged on the test simulations. On any other file the run's stored repair is judged on all maps. Ctrl-C
    leaves what is finished; the same command goes on.

    Example: higlow calibrate RUN --maps MAPS.npy --params PARAMS.txt
    """
    out = run / "calibration" if out is None else out
    check_new_files(out, (_METRICS, _POSTERIORS, _REPORT), overwrite)
    load_tensorflow()
    from higlow_tf.evaluation.calibrate import fit_and_store, judge, spread_maps
    from higlow_tf.inference import Calibration
    from higlow_tf.models import load_model
    from higlow_tf.runs import maps_for_testing
    from higlow_tf.runs.split_record import load_data_like, subset_of

    model = load_model(run)
    if len(model.parameters) > 3:
        raise InputError(
            f"{run}: expected a model of one to three parameters, whose posteriors fit on a grid. "
            f"Received: {len(model.parameters)}."
        )
    data = load_data_like(model.split, maps, params, parameters=model.parameters)
    test, label = maps_for_testing(model.split, data, allow_training_maps=allow_training_maps)
    is_own = model.split is not None and data.content_hash() == model.split["content_hash"]
    if is_own:
        validation = spread_maps(subset_of(model.split, data, "validation"), maps_per_simulation)
        of_copies = _likelihoods(model, validation, points, symmetries, out, "validation maps")
        fit = fit_and_store(model, run, validation, *of_copies, seed=seed)
        calibration = fit.calibration
    elif model.calibration is not None:
        fit, calibration = None, Calibration.from_config(model.calibration)
    else:
        raise InputError(
            f"{run}: expected a run that is calibrated on the file that it was trained on, or that file. "
            f"Received: neither."
        )
    test = spread_maps(test, maps_per_simulation)
    of_copies = _likelihoods(model, test, points, calibration.num_symmetries, out, "test maps")
    judgement = judge(*of_copies, test, calibration, seed=seed)
    out.mkdir(parents=True, exist_ok=True)
    _write(out, run, model, test, label, judgement, fit, calibration, points, overwrite)
    shutil.rmtree(out / _UNFINISHED, ignore_errors=True)


def _likelihoods(model, dataset, points, symmetries, out, description):
    """The pair (theta_grid `[G, P]`, log-likelihood `[N, T, G]`); those of finished maps stay on disk until all is done."""
    from higlow_tf.inference import log_likelihood_of_copies

    with progress_bar(description) as report:
        return log_likelihood_of_copies(
            model,
            dataset.maps,
            points,
            symmetries,
            progress=lambda _stage, *count: report(*count),
            cache_dir=out / _UNFINISHED,
        )


def _write(out, run, model, test, label, judgement, fit, calibration, points, overwrite):
    from higlow_tf.diagnostics import write_metrics
    from higlow_tf.evaluation.calibrate import calibration_rows
    from higlow_tf.reports.calibration_pictures import calibration_pictures
    from higlow_tf.reports.evaluation_page import add_pictures, provenance
    from higlow_tf.reports.page import Page
    from higlow_tf.runs.split_record import ON_TRAINING_MAPS

    rows = calibration_rows(judgement, calibration, fit)
    metrics = judgement.metrics()
    if ON_TRAINING_MAPS in label:
        metrics = {f"on_training_maps_{name}": metric for name, metric in metrics.items()}
        rows = [(f"{ON_TRAINING_MAPS}: {name}", value, note) for name, value, note in rows]
    report = Page(f"Calibration of {run.name}", f"on {label}").verdict(rows)
    report.section(_TABLE_TITLE).table(*judgement.table())
    add_pictures(report, calibration_pictures(judgement, test), out)
    facts = provenance(model, test, run) | {"grid points an axis": points, "calibration": calibration.label}
    report.provenance(facts).write(out / _REPORT, overwrite=overwrite)
    judgement.save(out / _POSTERIORS)
    write_metrics(out / _METRICS, metrics, overwrite=overwrite)
    print_table(("", "value", "how to read it"), rows)
    print_table(*judgement.table(), _TABLE_TITLE)
    say(f"Wrote {out / _METRICS}")
    say(f"Open {(out / _REPORT).resolve()}", bold=True)
