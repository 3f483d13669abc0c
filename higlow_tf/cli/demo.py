"""higlow demo: the whole chain on mock maps whose exact density and posterior are known."""

import shutil
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from higlow_tf.cli.console import check_new_files, load_tensorflow, progress_bar, say, time_text
from higlow_tf.cli.options import Overwrite, Seed

__all__ = ["DemoSize", "demo", "run_demo"]

_OWN_NAMES = ("data", "run", "saved_model", "samples.npy", "samples_params.txt", "metrics.json", "report.html")
_NUM_POSTERIORS = 3


class DemoSize:
    """How large the demo is: small enough for two CPU cores, large enough that the figures mean something."""

    simulations = 120
    maps_per_simulation = 15
    map_size = 32
    preset = "compact"
    num_levels = 3
    num_samples = 64
    grid_points_per_axis = 32
    # Learning ends by time; this many epochs are never reached.
    epochs = 10_000


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for everything that the demo makes.")] = Path(
        "higlow_demo"
    ),
    minutes: Annotated[
        float, typer.Option(min=0.1, help="Wall time of the training; the rest takes a few more.")
    ] = 5.0,
    seed: Seed = 0,
    overwrite: Overwrite = False,
):
    """Run the whole chain on mock maps, on a laptop, in minutes: it ends with a report page to open.

    Simulates, trains, samples, evaluates, exports, and infers parameters beside the exact answer.
    """
    check_new_files(out, _OWN_NAMES, overwrite)
    load_tensorflow()
    run_demo(DemoSize, out, minutes, seed)


def run_demo(size, out, minutes, seed):
    """Runs the chain in a folder, replacing what an earlier demo left there."""
    from higlow_tf.cli.evaluation import evaluate_model
    from higlow_tf.cli.sample import write_samples
    from higlow_tf.data.simulate import write_lognormal
    from higlow_tf.diagnostics import write_metrics
    from higlow_tf.models import load_model, maps_for_testing
    from higlow_tf.serving import export_model

    start = time.monotonic()
    for name in _OWN_NAMES:
        shutil.rmtree(out / name) if (out / name).is_dir() else (out / name).unlink(missing_ok=True)
    steps = iter(range(1, 8))

    def step(text):
        say(f"[{next(steps)}/7, {time_text(time.monotonic() - start)}] {text}", bold=True)

    step(f"simulate {size.simulations} x {size.maps_per_simulation} lognormal maps")
    with progress_bar("simulations") as report:
        maps, params = write_lognormal(
            out / "data",
            simulations=size.simulations,
            map_size=size.map_size,
            maps_per_simulation=size.maps_per_simulation,
            seed=seed,
            progress=report,
        )
    step(f"train for {minutes:g} minutes")
    config = _train(size, out / "run", maps, params, minutes, seed)
    model = load_model(out / "run")
    step(f"sample {size.num_samples} maps at the middle of the prior")
    middle = model.parameters.denormalize(np.zeros((1, len(model.parameters))))
    write_samples(model, np.repeat(middle, size.num_samples, axis=0), out / "samples.npy", seed=seed)
    step("evaluate on test simulations")
    test, label = maps_for_testing(model.split, _load(config))
    evaluation = evaluate_model(model, test, label, seed=seed)
    write_metrics(out / "metrics.json", evaluation.metrics)
    step("export for serving")
    export_model(model, out / "saved_model", metrics=evaluation.metrics)
    step(f"infer the parameters of {_NUM_POSTERIORS} test maps, beside the exact posterior")
    posteriors = _posteriors(model, test, size.grid_points_per_axis)
    step("write the report")
    report_file = _write_report(out, model, evaluation, posteriors)
    say(f"Done in {time_text(time.monotonic() - start)}. Next: higlow train --help")
    say(f"Open {report_file.resolve()}", bold=True)


def _load(config):
    from higlow_tf.models.trainer import load_run_data

    return load_run_data(config)


def _train(size, run, maps, params, minutes, seed):
    from higlow_tf.cli.train import run_training
    from higlow_tf.models import RunConfig

    config = RunConfig.model_validate(
        {
            "data": {"maps": str(maps.resolve()), "params": str(params.resolve())},
            "preset": size.preset,
            "model": {"num_levels": size.num_levels},
            "training": {"epochs": size.epochs, "max_minutes": minutes, "seed": seed},
        }
    )
    run_training(config, run)
    return config


def _posteriors(model, test, points_per_axis):
    """Posterior of the model and the exact one for test maps of different simulations, on the same grid."""
    from higlow_tf.cli.batches import spread_rows
    from higlow_tf.data import lognormal
    from higlow_tf.inference import grid_posterior

    rows = spread_rows(test.num_maps, _NUM_POSTERIORS)
    maps = np.asarray(test.maps[rows])
    with progress_bar("posteriors") as report:
        of_model = grid_posterior(model, maps, points_per_axis=points_per_axis, progress=report)
    exact = lognormal.exact_posterior_grid(maps, points_per_axis, test.box_size_mpc_h)
    return of_model, exact, test.theta[rows]


def _write_report(out, model, evaluation, posteriors):
    from higlow_tf.cli.evaluate import provenance, write_pictures
    from higlow_tf.cli.evaluation import verdict_rows
    from higlow_tf.cli.evaluation_figures import evaluation_pictures, loss_picture
    from higlow_tf.models import RunDirectory
    from higlow_tf.plotting import Report

    of_model, exact, _ = posteriors
    shift = np.abs(of_model.mean - exact.mean) / exact.sd
    verdict = verdict_rows(evaluation)
    verdict.append(
        (
            "Posterior means",
            f"{shift.mean():.2f} sd",
            f"mean distance from the exact ones, in exact standard deviations, {len(shift)} maps; 0 is perfect",
        )
    )
    report = Report(
        "higlow demo",
        "Lognormal mock maps, for which the exact density and posterior are known. They are no hydrodynamic "
        "simulations, and a few minutes are not a full training.",
    ).verdict(verdict)
    maps, *others = evaluation_pictures(evaluation)
    loss = loss_picture(RunDirectory(out / "run").read_history())
    pictures = [maps, _posterior_picture(model, posteriors), *others, *([] if loss is None else [loss])]
    write_pictures(report, pictures, None)
    report.section("Posteriors in numbers").table(
        ("map", "parameter", "truth", "model", "exact"), _posterior_rows(model.parameters, posteriors)
    )
    return report.provenance(provenance(model, evaluation.test, out / "run")).write(out / "report.html")


def _posterior_rows(parameters, posteriors):
    of_model, exact, theta = posteriors
    return [
        (
            i + 1,
            name,
            f"{theta[i, j]:.3f}",
            f"{of_model.mean[i, j]:.3f} ± {of_model.sd[i, j]:.3f}",
            f"{exact.mean[i, j]:.3f} ± {exact.sd[i, j]:.3f}",
        )
        for i in range(len(theta))
        for j, name in enumerate(parameters.names)
    ]


def _posterior_picture(model, posteriors):
    from higlow_tf.cli.evaluation_figures import Picture
    from higlow_tf.plotting import STYLE, plot_posterior

    of_model, exact, theta = posteriors
    figure, axes = STYLE.new_figure(1, len(theta), size_in=(3.6 * len(theta), 3.9))
    for i, ax in enumerate(np.atleast_1d(axes)):
        plot_posterior(
            ax,
            of_model.theta_grid,
            of_model.log_posterior[i],
            exact_log_posterior=exact.log_posterior[i],
            truth=theta[i],
            parameter_labels=model.parameters.labels,
        )
    caption = (
        "68 and 95 % regions from one map each: of the model (filled) and exact (lines), on the same grid. The model "
        "has not seen these simulations; its posterior is raw, without calibration."
    )
    alt = f"Posterior regions of {len(theta)} test maps, of the model and exact, with the true parameters."
    return Picture("posterior", "Posterior beside the exact one", figure, caption, alt)
