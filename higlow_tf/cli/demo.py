"""higlow demo: the whole chain on mock maps, from their simulation to calibrated posteriors."""

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
    map_size = 32
    preset = "compact"
    num_levels = 3
    num_samples = 64
    # Maps of a simulation, points of a grid and copies of a map, with which posteriors are calibrated.
    calibration_maps = 4
    grid_points_per_axis = 16
    symmetries = 2
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

    Simulates, trains, samples, evaluates, calibrates, exports, and infers parameters of maps that it has not seen.
    """
    check_new_files(out, _OWN_NAMES, overwrite)
    load_tensorflow()
    run_demo(DemoSize, out, minutes, seed)


def run_demo(size, out, minutes, seed):
    """Runs the chain in a folder, replacing what an earlier demo left there."""
    from higlow_tf.cli.sample import write_samples
    from higlow_tf.data.mock import write_mock
    from higlow_tf.diagnostics import write_metrics
    from higlow_tf.evaluation.chunks import spread_rows
    from higlow_tf.evaluation.evaluate_model import EvaluationOptions, evaluate_model
    from higlow_tf.evaluation.metrics import evaluation_metrics
    from higlow_tf.inference import infer
    from higlow_tf.models import load_model
    from higlow_tf.runs import maps_for_testing, subset_of
    from higlow_tf.runs.trainer import load_run_data
    from higlow_tf.serving import export_model

    start = time.monotonic()
    for name in _OWN_NAMES:
        shutil.rmtree(out / name) if (out / name).is_dir() else (out / name).unlink(missing_ok=True)
    steps = iter(range(1, 9))

    def step(text):
        say(f"[{next(steps)}/8, {time_text(time.monotonic() - start)}] {text}", bold=True)

    step(f"simulate {size.simulations} boxes and project each to 15 maps")
    with progress_bar("simulations") as report:
        maps, params, _ = write_mock(
            out / "data", simulations=size.simulations, map_size=size.map_size, seed=seed, progress=report
        )
    step(f"train for {minutes:g} minutes")
    config = _train(size, out / "run", maps, params, minutes, seed)
    model = load_model(out / "run")
    step(f"sample {size.num_samples} maps at the middle of the prior")
    middle = model.parameters.denormalize(np.zeros((1, len(model.parameters))))
    write_samples(model, np.repeat(middle, size.num_samples, axis=0), out / "samples.npy", seed=seed)
    step("evaluate on test simulations")
    data = load_run_data(config)
    test, label = maps_for_testing(model.split, data)
    training = subset_of(model.split, data, "train").maps
    evaluation = evaluate_model(model, test, label, EvaluationOptions(num_posteriors=0, seed=seed), training=training)
    step("calibrate posteriors on validation simulations, and judge them on test simulations")
    judgement, calibration_summary = _calibrate(size, model, out / "run", data, test, seed)
    of_maps = evaluation_metrics(evaluation)
    metrics = of_maps | judgement.metrics()
    write_metrics(out / "metrics.json", metrics)
    step("export for serving")
    export_model(model, out / "saved_model", metrics=metrics)
    step(f"infer the parameters of {_NUM_POSTERIORS} test maps")
    rows = spread_rows(test.num_maps, _NUM_POSTERIORS)
    with progress_bar("posteriors") as report:
        posterior = infer(model, test.maps[rows], progress=lambda _stage, *count: report(*count))
    step("write the report")
    report_file = _write_report(
        out, model, evaluation, of_maps, judgement, calibration_summary, posterior, test.theta[rows]
    )
    say(f"Done in {time_text(time.monotonic() - start)}. Next: higlow train --help")
    say(f"Open {report_file.resolve()}", bold=True)


def _train(size, run, maps, params, minutes, seed):
    from higlow_tf.cli.train import run_training
    from higlow_tf.runs import RunConfig

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


def _calibrate(size, model, run, data, test, seed):
    """The judgement of the posteriors of some test maps, and what matters most of it."""
    from higlow_tf.evaluation.calibrate import calibration_rows, fit_and_store, judge, spread_maps
    from higlow_tf.inference import log_likelihood_of_copies
    from higlow_tf.runs import subset_of

    validation = spread_maps(subset_of(model.split, data, "validation"), size.calibration_maps)
    judged = spread_maps(test, size.calibration_maps)
    likelihoods = []
    for maps, text in ((validation, "validation maps"), (judged, "test maps")):
        with progress_bar(text) as report:
            likelihoods.append(
                log_likelihood_of_copies(
                    model,
                    maps.maps,
                    size.grid_points_per_axis,
                    size.symmetries,
                    progress=lambda _stage, *count, report=report: report(*count),
                )
            )
    fit = fit_and_store(model, run, validation, *likelihoods[0], seed=seed)
    judgement = judge(*likelihoods[1], judged, fit.calibration, seed=seed)
    return judgement, calibration_rows(judgement, fit.calibration, fit)


def _write_report(out, model, evaluation, of_maps, judgement, calibration_summary, posterior, theta):
    from higlow_tf.evaluation.verdict import verdict_rows, verdict_text
    from higlow_tf.reports.calibration_pictures import calibration_pictures
    from higlow_tf.reports.evaluation_page import add_pictures, provenance
    from higlow_tf.reports.evaluation_pictures import evaluation_pictures, loss_picture
    from higlow_tf.reports.page import Page
    from higlow_tf.runs import RunDirectory

    rows = verdict_rows(evaluation, of_maps)
    report = Page(
        "higlow demo",
        "Mock maps from a particle-mesh simulation with neutral hydrogen painted on. They are no hydrodynamic "
        "simulations, and a few minutes are not a full training.",
    ).verdict([*rows, *calibration_summary], verdict_text(rows))
    maps, *others = evaluation_pictures(evaluation)
    loss = loss_picture(RunDirectory(out / "run").read_history())
    coverage, _, predicted, *_ = calibration_pictures(judgement, evaluation.test)
    pictures = [maps, _posterior_picture(model, posterior, theta), predicted, coverage, *others]
    add_pictures(report, pictures + ([] if loss is None else [loss]), None)
    report.section("Posteriors in numbers").table(
        ("map", "parameter", "truth", "posterior"), _posterior_rows(posterior, theta)
    )
    return report.provenance(provenance(model, evaluation.test, out / "run")).write(out / "report.html")


def _posterior_rows(posterior, theta):
    return [
        (i + 1, name, f"{theta[i, j]:.3f}", f"{posterior.mean[i, j]:.3f} ± {posterior.sd[i, j]:.3f}")
        for i in range(len(theta))
        for j, name in enumerate(posterior.parameters.names)
    ]


def _posterior_picture(model, posterior, theta):
    from higlow_tf.plotting import STYLE, plot_posterior
    from higlow_tf.reports.evaluation_pictures import Picture

    figure, axes = STYLE.new_figure(1, len(theta), size_in=(3.6 * len(theta), 3.9))
    for i, ax in enumerate(np.atleast_1d(axes)):
        plot_posterior(
            ax,
            posterior.theta_grid[i],
            posterior.log_posterior[i],
            truth=theta[i],
            parameter_labels=model.parameters.labels,
        )
    caption = (
        "68 and 95 % regions from one map each, calibrated on the validation simulations. The model has not seen these "
        "simulations."
    )
    alt = f"Posterior regions of {len(theta)} test maps, with the true parameters."
    return Picture("posterior", "Posteriors", figure, caption, alt)
