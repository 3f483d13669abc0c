"""higlow calibrate: how far the posteriors of a run can be trusted, and their repair."""

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from higlow_tf.cli.calibration import calibrate_with_progress
from higlow_tf.cli.console import load_tensorflow, print_table, say
from higlow_tf.cli.options import Ensemble, MapsFiles, Overwrite, ParamsFile, Run, Seed
from higlow_tf.gallery import find_run
from higlow_tf.ownership import owned_folder

__all__ = ["calibrate"]

_FILES = ("metrics.json", "posteriors.npz", "report.html")


def calibrate(
    run: Run,
    maps: MapsFiles,
    params: ParamsFile = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder for metrics.json, posteriors.npz, figures, report.html.",
            show_default="RUN/calibration",
        ),
    ] = None,
    maps_per_simulation: Annotated[
        int, typer.Option(min=1, help="Largest number of maps of each simulation to look at; fewer are quicker.")
    ] = 15,
    symmetries: Annotated[
        int,
        typer.Option(min=1, help="Shifted, rotated, reflected copies of a map over which its likelihood is averaged."),
    ] = 4,
    points: Annotated[
        int, typer.Option(min=4, help="Grid points along each axis at first; more are added where splines need them.")
    ] = 8,
    ensemble: Ensemble = None,
    seed: Seed = 0,
    allow_training_maps: Annotated[
        bool, typer.Option("--allow-training-maps", help="Continue if maps were trained on; the results then say so.")
    ] = False,
    overwrite: Overwrite = False,
):
    """Measure whether posteriors hold the truth as often as they say, and repair them.

    If the file is the one that was trained on (known by content), the repair is fitted on the validation simulations, stored
    in the run and judged on the test simulations. On any other file the stored repair of the run is judged on all maps. After
    Ctrl-C the same command continues.

    Without --ensemble, all flows of the run count; `infer` and `export` then take as many.

    A map takes about a second of a CPU core, times the flows, and with nuisance parameters some fifty times as long:
    --maps-per-simulation 2 is a quick look.

    Example: higlow calibrate RUN --maps MAPS.npy --params PARAMS.txt
    """
    run = find_run(run)
    out = run / "calibration" if out is None else out
    load_tensorflow()
    options = (maps_per_simulation, points, symmetries, seed, ensemble)
    # The run first: what is written into a folder of it is on its list, too.
    with (
        owned_folder(run, "run") if run.is_dir() else contextlib.nullcontext(),
        owned_folder(out, "calibration", names=_FILES, overwrite=overwrite),
    ):
        _calibrate(run, maps, params, out, options, allow_training_maps)


def _calibrate(run, maps, params, out, options, allow_training_maps):
    from higlow_tf.evaluation import CalibrationOptions
    from higlow_tf.evaluation.calibrate import check_calibratable
    from higlow_tf.models import load_model
    from higlow_tf.reports.calibration_page import TABLE_TITLE
    from higlow_tf.runs import load_data_like, maps_for_testing

    model = load_model(run)
    check_calibratable(model, run)
    how = {"parameters": model.parameters, "nuisance": model.nuisance, "map_transform": model.map_transform}
    data = load_data_like(model.split, maps, params, **how)
    test, label = maps_for_testing(model.split, data, allow_training_maps=allow_training_maps)
    page, rows, judgement = calibrate_with_progress(run, model, data, test, label, out, CalibrationOptions(*options))
    print_table(("", "value", "how to read it"), rows)
    print_table(*judgement.table(), TABLE_TITLE)
    say(f"Wrote {out / _FILES[0]}")
    say(f"Open {page.resolve()}", bold=True)
