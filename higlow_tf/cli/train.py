"""higlow train: a run that can be interrupted, continued and audited."""

import contextlib
import os
import shutil
from pathlib import Path
from typing import Annotated

import typer
import yaml

from higlow_tf.cli.console import INTERRUPTED, load_tensorflow, say
from higlow_tf.cli.options import Overwrite
from higlow_tf.errors import InputError

__all__ = ["new_config", "run_training", "train"]

_COMMAND_LINE = "the command line"


def train(
    out: Annotated[Path, typer.Option(metavar="RUN", help="Folder of the run.")],
    config_file: Annotated[
        Path | None, typer.Argument(metavar="[CONFIG.yaml]", help="Configuration; options below go before it.")
    ] = None,
    preset: Annotated[str | None, typer.Option(help="Architecture: compact, higlow, paper or tiny.")] = None,
    maps: Annotated[Path | None, typer.Option(help="Maps: .npy in the layout of CAMELS.")] = None,
    params: Annotated[Path | None, typer.Option(help="Parameters: a text table, one row a simulation.")] = None,
    parameters: Annotated[
        str | None, typer.Option(help="Columns to condition on, with commas. [default: Omega_m,sigma_8]")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Most epochs.")] = None,
    max_minutes: Annotated[float | None, typer.Option(help="Wall time of the run, compilation included.")] = None,
    split_seed: Annotated[int | None, typer.Option(help="Seed of the split by simulation.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Maps a step, over all GPUs.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Highest learning rate.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY.PATH=VALUE", help="Any other value of the configuration; may be repeated."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run from its last checkpoint.")] = False,
    overwrite: Overwrite = False,
    deterministic: Annotated[bool, typer.Option("--deterministic", help="Bitwise repeatable, and slower.")] = False,
):
    """Train a model; uses all GPUs. Ctrl-C leaves a run that --resume continues.

    Example: higlow train --preset compact --maps MAPS.npy --params PARAMS.txt --max-minutes 25 --out runs/first
    """
    flags = {
        "preset": preset,
        "data.maps": None if maps is None else str(maps.resolve()),
        "data.params": None if params is None else str(params.resolve()),
        "data.parameters": None if parameters is None else [name.strip() for name in parameters.split(",")],
        "data.split_seed": split_seed,
        "training.epochs": epochs,
        "training.max_minutes": max_minutes,
        "training.batch_size": batch_size,
        "training.learning_rate": learning_rate,
        "training.deterministic": True if deterministic else None,
    }
    flags = {key: value for key, value in flags.items() if value is not None} | _parse_settings(settings or [])
    if out.exists() and (not out.is_dir() or any(out.iterdir())) and not (overwrite or resume):
        raise InputError(f"{out}: expected a new folder, --resume or --overwrite. Received: an existing path.")
    load_tensorflow()
    if resume:
        if overwrite or config_file is not None:
            raise InputError("Expected --resume without CONFIG.yaml and --overwrite. Received: both.")
        config = _config_to_resume(out, flags)
    else:
        config = new_config(config_file, flags)
    run_training(config, out, resume=resume, overwrite=overwrite)
    _say_next(config, out)


def run_training(config, out, *, resume=False, overwrite=False):
    """Trains with progress, and says how it went.

    Raises:
        InputError: If the data, the configuration or the folder cannot be used; then an existing run is as it was.
        typer.Exit: After Ctrl-C, with code 130.
    """
    from higlow_tf.cli.train_progress import TrainProgress
    from higlow_tf.models import RunDirectory, preset, train_run

    preset(config.preset)
    data = _load_checked(config)
    say(
        f"{data.num_maps} maps of {data.map_size}x{data.map_size} pixels, {data.num_simulations} simulations, "
        f"conditioned on {', '.join(data.parameters.names)}; preset {config.preset}"
    )
    run = RunDirectory(out)
    history = run.read_history() if resume else {}
    elapsed = 60.0 * history["wall_minutes"][-1] if history else 0.0
    try:
        with contextlib.ExitStack() as stack:
            discard_old = stack.enter_context(_kept_until_training(out)) if overwrite else None
            progress = stack.enter_context(TrainProgress(config.training.max_minutes, elapsed, on_begin=discard_old))
            train_run(config, out, resume=resume, callbacks=[progress])
    except KeyboardInterrupt:
        if run.checkpoint_path.exists():
            say(f"\nStopped. Continue with: higlow train --resume --out {out}")
        else:
            say("\nStopped before the end of the first epoch: start again with --overwrite.")
        raise typer.Exit(INTERRUPTED) from None
    _say_result(run)


def _load_checked(config):
    """Reads the data; parameters outside the prior, anywhere in the file, end it before anything is written."""
    from higlow_tf.models.trainer import load_run_data

    data = load_run_data(config)
    outside = data.parameters.describe_outside(data.theta)
    if outside:
        raise InputError(
            f"{config.data.params}: training needs parameters inside the prior. Received: {outside} (rows are maps)."
        )
    return data


def _parse_settings(settings):
    flags = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise InputError(f"--set: expected KEY.PATH=VALUE. Received: {setting!r}.")
        try:
            flags[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise InputError(f"--set {key}: expected a YAML value. Received: {value!r}.") from None
    return flags


def new_config(config_file, flags):
    """The configuration of a new run: flags (dotted keys) before the file (or None) before the preset's recipe."""
    from higlow_tf.models.run_config import parse_run_config, read_run_config

    if config_file is None:
        missing = [name for name in ("preset", "data.maps", "data.params") if name not in flags]
        if missing:
            options = ", ".join("--" + name.removeprefix("data.") for name in missing)
            raise InputError(f"Expected CONFIG.yaml, or --preset, --maps and --params. Received: no {options}.")
        content = {}
    else:
        read_run_config(config_file)  # names the file in its errors
        # As written: what a preset fills in must be that of the preset which --preset may have chosen.
        content = yaml.safe_load(config_file.read_text(encoding="utf-8"))
        # Files are named relative to the folder of the call, and the run must find them from any folder.
        for name in ("maps", "params"):
            content["data"][name] = str(Path(content["data"][name]).resolve())
    return parse_run_config(_with_flags(content, flags), _COMMAND_LINE)


def _config_to_resume(out, flags):
    """The configuration of the run with what may change: its length, and where its files lie now (known by content)."""
    from higlow_tf.models import RunDirectory
    from higlow_tf.models.run_config import parse_run_config, write_run_config

    changeable = ("training.epochs", "training.max_minutes", "data.maps", "data.params")
    fixed = [key for key in flags if key not in changeable]
    if fixed:
        raise InputError(
            f"--resume: expected no changes but --epochs, --max-minutes, --maps and --params. Received: {fixed[0]}."
        )
    run = RunDirectory(out)
    config, _ = run.open()
    if not run.checkpoint_path.exists():
        raise InputError(
            f"{run.checkpoint_path}: expected a checkpoint, made by the first epoch. Received: no such file."
        )
    changed = parse_run_config(_with_flags(config.model_dump(mode="json"), flags), _COMMAND_LINE)
    history = run.read_history()
    training = changed.training
    is_over = training.max_minutes is not None and history["wall_minutes"][-1] >= training.max_minutes
    if is_over or history["epoch"][-1] >= training.epochs:
        raise InputError(
            f"{out}: expected a run with time and epochs left; give a larger --max-minutes or --epochs. "
            f"Received: one with {history['epoch'][-1]:.0f} epochs in {history['wall_minutes'][-1]:.1f} minutes."
        )
    if changed != config:
        write_run_config(changed, out / "config.yaml")
    return changed


def _with_flags(content, flags):
    for key, value in flags.items():
        *sections, name = key.split(".")
        section = content
        for part in sections:
            section = section.setdefault(part, {})
            if not isinstance(section, dict):
                raise InputError(
                    f"--set {key}: expected the path of a value. Received: {part}, which is a value itself."
                )
        section[name] = value
    return content


@contextlib.contextmanager
def _kept_until_training(out):
    """Moves an old run aside; it is deleted when the new one trains (call what is yielded), and else put back."""
    if not out.exists():
        yield None
        return
    if not out.is_dir() or (any(out.iterdir()) and not (out / "config.yaml").exists()):
        raise InputError(f"{out}: --overwrite replaces runs only, folders with config.yaml. Received: something else.")
    aside = out.resolve().with_name(f".{out.resolve().name}.{os.getpid()}.old")
    os.replace(out, aside)
    try:
        yield lambda: shutil.rmtree(aside)
    finally:
        if aside.exists():
            shutil.rmtree(out, ignore_errors=True)
            os.replace(aside, out)


def _say_result(run):
    import numpy as np

    history = run.read_history()
    if not run.model_path.exists():
        raise RuntimeError(f"no epoch of {run.path} had a finite validation loss; try a smaller --learning-rate")
    best = int(np.nanargmin(history["val_loss"]))
    say(
        f"Best validation: {history['val_loss'][best]:.4f} nats per pixel, in epoch {history['epoch'][best]:.0f} of "
        f"{history['epoch'][-1]:.0f} ({history['wall_minutes'][-1]:.1f} minutes); "
        f"skipped steps: {history['skipped_steps'].sum():.0f}",
        bold=True,
    )


def _say_next(config, out):
    say("Next:")
    say(f"  higlow evaluate {out} --maps {config.data.maps} --params {config.data.params} --out {out}_evaluation")
    say(f"  higlow sample {out} --from-prior 64 --out samples.npy")
    say(f"  higlow export {out} --out saved_models/{out.name}")
