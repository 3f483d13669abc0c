"""higlow reproduce-paper: the figures of the HIGlow paper, from its own file or from mock maps."""

import json
import os
import shutil
import time
from pathlib import Path
from typing import Annotated

import typer

from higlow_tf.cli.calibration import calibrate_with_progress
from higlow_tf.cli.console import load_tensorflow, print_table, progress_bar, say, time_text
from higlow_tf.cli.options import Overwrite, Seed
from higlow_tf.cli.training import train_with_progress
from higlow_tf.errors import InputError
from higlow_tf.files import resolved, write_json
from higlow_tf.gallery import find_run
from higlow_tf.ownership import owned_folder

__all__ = ["PaperSize", "reproduce_paper", "run_reproduction"]

_SETTINGS = "reproduction.json"
_OWN_NAMES = (
    _SETTINGS, "data", "run", "run.unfinished", "calibration", "cache", "figures", "metrics.json", "report.html",
)  # fmt: skip
_PARAMETERS = ("Omega_m", "sigma_8")


class PaperSize:
    """How large the reproduction is, if the user does not say it."""

    preset = "compact"
    max_minutes = 25.0
    # Of the mock suite, which is simulated if there is no file.
    simulations = 300
    map_size = 64
    # RMSE and coverage are measured on so many posteriors a simulation.
    maps_per_simulation = 2
    # Whose regions are drawn.
    num_posteriors = 4
    # Learning ends by time; this many epochs are never reached.
    epochs = 10_000


def reproduce_paper(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for everything; a later call continues in it.")],
    maps: Annotated[
        Path | None,
        typer.Option(help="Images_HI_{suite}_z=5.99.npy, or any other maps.", show_default="mock maps are simulated"),
    ] = None,
    params: Annotated[Path | None, typer.Option(help="Parameters of these maps.")] = None,
    map_size: Annotated[
        int | None,
        typer.Option(
            help="Regrid the maps to this number of pixels a side; the paper has 64.", show_default="as in the file"
        ),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="A trained run or its name, which is copied; otherwise one is trained."),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Architecture to train; paper is that of the paper, for a GPU and hours.",
            show_default=PaperSize.preset,
        ),
    ] = None,
    max_minutes: Annotated[
        float | None,
        typer.Option(min=0.1, help="Wall time of the training, minutes.", show_default=f"{PaperSize.max_minutes:g}"),
    ] = None,
    simulations: Annotated[
        int | None,
        typer.Option(min=40, help="Mock simulations, if there are no maps.", show_default=f"{PaperSize.simulations}"),
    ] = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
):
    """Make the figures of the HIGlow paper (arXiv 2211.12724), each beside the numbers that the paper quotes.

    The figures: generated beside simulated maps and their P(k), at all cosmologies and at single ones; posteriors; predicted
    against true parameters. The page says where the method differs from the paper's. After Ctrl-C the same command
    continues. On two CPU cores: 10 to 20 minutes for the mock maps, --max-minutes for the training, and 10 for posteriors.

    Example: higlow reproduce-paper --maps Images_HI_IllustrisTNG_z=5.99.npy --params CAMELs_params.csv --out paper
    """
    if (maps is None) != (params is None) and (maps is None or maps.suffix == ".npy"):
        raise InputError("Expected --maps and --params together, or neither. Received: one of them.")
    if maps is not None and simulations is not None:
        raise InputError("Expected --simulations without --maps. Received: both.")
    if run is not None and (preset is not None or max_minutes is not None):
        raise InputError("Expected --run, or --preset and --max-minutes for a new run. Received: both.")
    choices = {
        "maps": None if maps is None else str(maps.resolve()),
        "params": None if params is None else str(params.resolve()),
        "map_size": map_size,
        "run": None if run is None else str(find_run(run).resolve()),
        "preset": preset,
        "max_minutes": max_minutes,
        "simulations": simulations,
        "seed": seed,
    }
    load_tensorflow()
    run_reproduction(PaperSize, out, choices, overwrite=overwrite)


def run_reproduction(size, out, choices, *, overwrite=False):
    """Goes through all steps. It leaves out those that an earlier call with the same choices has finished.

    Args:
        size: `PaperSize`, or a class like it.
        out: Folder.
        choices: Values of the options, JSON-compatible; None for what `size` says.
        overwrite: Whether to start again from the beginning.
    """
    with owned_folder(out, "reproduction", resume=True) as folder:
        _prepare(folder, out, choices, overwrite)
        _reproduce(size, out, choices)


def _reproduce(size, out, choices):
    from higlow_tf.evaluation import CalibrationOptions, EvaluationOptions, check_evaluable, evaluate_model
    from higlow_tf.models import load_model
    from higlow_tf.reports import write_paper
    from higlow_tf.runs import RunDirectory, load_data_like, maps_for_testing

    start = time.monotonic()
    steps = iter(range(1, 6))

    def step(text):
        say(f"[{next(steps)}/5, {time_text(time.monotonic() - start)}] {text}", bold=True)

    step("maps" if choices["maps"] else "simulate mock maps")
    maps, params = _maps(size, out, choices)
    step("train" if choices["run"] is None else "take the trained run")
    run = _trained_run(size, out, choices, maps, params)
    model = load_model(run)
    check_evaluable(model, run)
    data = load_data_like(model.split, maps, params, parameters=model.parameters)
    test, label = maps_for_testing(model.split, data)
    step("calibrate posteriors on validation simulations, and judge them on test simulations")
    # metrics.json is written last: if it is there, everything is there.
    if not (out / "calibration" / "metrics.json").exists():
        how_much = CalibrationOptions(size.maps_per_simulation, seed=choices["seed"])
        calibrate_with_progress(run, model, data, test, label, out / "calibration", how_much)
    step("draw maps and measure them")
    options = EvaluationOptions(num_posteriors=size.num_posteriors, seed=choices["seed"])
    with progress_bar() as progress:
        evaluation = evaluate_model(model, test, options, label=label, cache_dir=out / "cache", progress=progress)
    step("write the page")
    page, table = write_paper(evaluation, out, history=RunDirectory(run).read_history(), facts={"model": run})
    print_table(*table, "Beside the paper")
    say(f"Open {page.resolve()}", bold=True)


def _prepare(folder, out, choices, overwrite):
    """Begins a reproduction, or makes sure that the folder holds one with the same choices."""
    settings = out / _SETTINGS
    if overwrite:
        folder.check(_OWN_NAMES, out, overwrite=True)
        for name in folder.remove_own(_OWN_NAMES):
            say(f"Left: {out / name}, which higlow did not write.", fg="yellow")
    if not settings.exists():
        folder.check(_OWN_NAMES, out)
        write_json(choices, settings)
    found = json.loads(settings.read_text(encoding="utf-8"))
    different = [name for name in choices if found.get(name) != choices[name]]
    if different:
        name = different[0]
        raise InputError(
            f"{out}: expected the options of the call that is continued ({name}: {found.get(name)}), another folder, or "
            f"--overwrite. Received: {name}: {choices[name]}."
        )


def _maps(size, out, choices):
    """The maps and their table: those of the user, or simulated ones."""
    from higlow_tf.data.mock import write_mock
    from higlow_tf.models import load_model

    if choices["maps"] is not None:
        return Path(choices["maps"]), choices["params"] and Path(choices["params"])
    found = sorted((out / "data").glob("Maps_*.npy"))
    if found:
        return found[0], next((out / "data").glob("params_*.txt"))
    map_size = choices["map_size"] or (size.map_size if choices["run"] is None else load_model(choices["run"]).map_size)
    with progress_bar() as progress:
        maps, params, _ = write_mock(
            out / "data",
            simulations=choices["simulations"] or size.simulations,
            map_size=map_size,
            seed=choices["seed"],
            resume=True,
            progress=progress,
        )
    return maps, params


def _trained_run(size, out, choices, maps, params):
    """The run inside the folder: copied, or trained there. It gets its final name when it is complete."""
    run, unfinished = out / "run", out / "run.unfinished"
    if run.exists():
        return run
    if choices["run"] is not None:
        return _copied_run(Path(choices["run"]), run)
    from higlow_tf.runs import RunDirectory, new_config

    is_resumed = RunDirectory(unfinished).checkpoints.exist()
    if is_resumed:
        config, _ = RunDirectory(unfinished).open()
    else:
        shutil.rmtree(unfinished, ignore_errors=True)
        config = new_config(
            preset=choices["preset"] or size.preset,
            maps=maps,
            params=params,
            parameters=list(_PARAMETERS),
            nuisance="none",
            map_size=choices["map_size"],
            epochs=size.epochs,
            max_minutes=choices["max_minutes"] or size.max_minutes,
            settings={"training.seed": choices["seed"]},
        )
    try:
        train_with_progress(config, unfinished, resume=is_resumed)
    except typer.Exit:
        say("The same higlow reproduce-paper command also continues from there.")
        raise
    with owned_folder(out, "reproduction", resume=True) as folder:
        folder.claim(resolved(run))
        os.replace(unfinished, run)
    return run


def _copied_run(source, run):
    """A copy, because the calibration is stored in it; without the files that only training needs."""
    from higlow_tf.files import whole_path
    from higlow_tf.models import load_model

    model = load_model(source)
    if model.parameters.names != _PARAMETERS or model.num_channels != 1:
        raise InputError(
            f"{source}: expected a model of one field, given {' and '.join(_PARAMETERS)}. "
            f"Received: {model.num_channels} fields, given {', '.join(model.parameters.names)}."
        )
    with whole_path(run, is_folder=True) as part:
        shutil.copytree(source, part, ignore=shutil.ignore_patterns("checkpoints", "calibration"))
    return run
