"""higlow demo: the whole chain on mock maps, from their simulation to calibrated posteriors."""

import time
from pathlib import Path
from typing import Annotated

import typer

from higlow_tf.cli.console import load_tensorflow, progress_bar, say, time_text
from higlow_tf.cli.options import Overwrite, Seed
from higlow_tf.cli.training import train_with_progress
from higlow_tf.ownership import owned_folder

__all__ = ["DemoSize", "demo", "run_demo"]

_OWN_NAMES = ("data", "run", "saved_model", "samples.npy", "samples_params.txt", "metrics.json", "report.html")
_NUM_POSTERIORS = 3


class DemoSize:
    """How large the demo is: small enough for two CPU cores, large enough that the figures mean something."""

    simulations = 120
    map_size = 32
    preset = "compact"
    num_levels = 3
    num_samples = 64
    # For the calibration of posteriors: maps of a simulation, points of a grid along an axis, and copies of a map.
    calibration_maps = 4
    grid_points_per_axis = 8
    symmetries = 2
    # Learning ends by time; this many epochs are never reached.
    epochs = 10_000


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for everything that the demo makes.")] = Path(
        "higlow_demo"
    ),
    minutes: Annotated[
        float, typer.Option(min=0.1, help="Wall time of the training, minutes; the rest takes a few minutes more.")
    ] = 5.0,
    seed: Seed = 0,
    overwrite: Overwrite = False,
):
    """Run the whole chain on mock maps, on a laptop, in minutes. It ends with a report page to open.

    It simulates, trains, samples, evaluates, calibrates, exports, and infers parameters of maps that the model has not seen. On
    two CPU cores it takes about seven minutes.

    Example: higlow demo --out higlow_demo --minutes 5
    """
    load_tensorflow()
    run_demo(DemoSize, out, minutes, seed, overwrite=overwrite)


def run_demo(size, out, minutes, seed, *, overwrite=False):
    """Runs the chain in a folder; with `overwrite`, what an earlier demo left there goes, and nothing else."""
    with owned_folder(out, "demo", names=_OWN_NAMES, overwrite=overwrite) as folder:
        for name in folder.remove_own(_OWN_NAMES):
            say(f"Left: {out / name}, which higlow did not write.", fg="yellow")
        _run_chain(size, out, minutes, seed)


def _run_chain(size, out, minutes, seed):
    from higlow_tf.data.mock import write_mock
    from higlow_tf.diagnostics import write_metrics
    from higlow_tf.evaluation import CalibrationOptions, EvaluationOptions, calibrate, evaluate_model
    from higlow_tf.evaluation.spreading import spread_rows
    from higlow_tf.inference import infer
    from higlow_tf.models import write_samples
    from higlow_tf.reports import write_demo
    from higlow_tf.runs import new_config
    from higlow_tf.serving import export_model

    start = time.monotonic()
    steps = iter(range(1, 9))

    def step(text):
        say(f"[{next(steps)}/8, {time_text(time.monotonic() - start)}] {text}", bold=True)

    step(f"simulate {size.simulations} boxes and project each to 15 maps")
    with progress_bar() as progress:
        maps, params, _ = write_mock(
            out / "data", simulations=size.simulations, map_size=size.map_size, seed=seed, progress=progress
        )
    step(f"train for {minutes:g} minutes")
    length = {"epochs": size.epochs, "max_minutes": minutes}
    settings = {"model.num_levels": size.num_levels, "training.seed": seed}
    # Four nuisance parameters more would be learned badly in minutes, and a posterior takes fifty times as long.
    config = new_config(preset=size.preset, maps=maps, params=params, nuisance="none", settings=settings, **length)
    run = train_with_progress(config, out / "run")
    model = run.model
    step(f"sample {size.num_samples} maps at the middle of the prior")
    with progress_bar() as progress:
        middle = model.parameters.middle[None].repeat(size.num_samples, axis=0)
        write_samples(model, middle, out / "samples.npy", seed=seed, progress=progress)
    step("evaluate on test simulations")
    training, validation, test = (run.data(subset) for subset in ("train", "validation", "test"))
    with progress_bar() as progress:
        options = EvaluationOptions(num_posteriors=0, seed=seed)
        evaluation = evaluate_model(model, test, options, training=training.maps, progress=progress)
    step("calibrate posteriors on validation simulations, and judge them on test simulations")
    with progress_bar() as progress:
        options = CalibrationOptions(size.calibration_maps, size.grid_points_per_axis, size.symmetries, seed)
        fit, judgement = calibrate(model, validation, test, options, progress=progress)
    run.store_calibration(fit)
    metrics = evaluation.metrics | judgement.metrics
    write_metrics(out / "metrics.json", metrics)
    step("export for serving")
    export_model(model, out / "saved_model", metrics=metrics)
    step(f"infer the parameters of {_NUM_POSTERIORS} test maps")
    few = test.select(spread_rows(test.num_maps, _NUM_POSTERIORS))
    with progress_bar() as progress:
        posterior = infer(model, few.maps, progress=progress)
    step("write the report")
    facts = {"model": run.path}
    page, verdict = write_demo(
        evaluation, judgement, posterior, few.theta, out, fit=fit, history=run.history, facts=facts
    )
    say(verdict.sentence)
    say(f"Done in {time_text(time.monotonic() - start)}. Next: higlow train --help")
    say(f"Open {page.resolve()}", bold=True)
