"""higlow train: a run that can be interrupted, continued and audited."""

import contextlib
import enum
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


class Stage(enum.StrEnum):
    """What a run trains for."""

    DENSITY = "density"
    POSTERIOR = "posterior"


def train(
    out: Annotated[Path, typer.Option(metavar="RUN", help="Folder of the run.")],
    config_file: Annotated[
        Path | None, typer.Argument(metavar="[CONFIG.yaml]", help="Configuration; options below go before it.")
    ] = None,
    stage: Annotated[
        Stage,
        typer.Option(help="density: maximum likelihood; posterior: goes on from the run --from, for its parameters."),
    ] = Stage.DENSITY,
    start_from: Annotated[
        Path | None, typer.Option("--from", metavar="RUN", help="Run of the first stage, for --stage posterior.")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Architecture: compact, higlow, paper or tiny; of the baseline hiflow64, hiflow32 or hiflow16."
        ),
    ] = None,
    maps: Annotated[
        list[Path] | None,
        typer.Option(help="Maps: .npy (2D maps or 3D grids, as CAMELS names them) or .h5; several are channels."),
    ] = None,
    params: Annotated[
        Path | None, typer.Option(help="Parameters: a table, one row a simulation; not for .h5 that holds them.")
    ] = None,
    parameters: Annotated[
        str | None,
        typer.Option(
            help="Columns to condition on, with commas; all; or an Info_*.txt file. [default: Omega_m,sigma_8]"
        ),
    ] = None,
    map_size: Annotated[int | None, typer.Option(help="Regrid the maps to so many pixels a side.")] = None,
    slab_thickness: Annotated[
        float | None, typer.Option(help="Depth of the maps that 3D grids are projected to, in Mpc/h. [default: 5]")
    ] = None,
    box_size: Annotated[float | None, typer.Option(help="Side of the maps in Mpc/h. [default: 25]")] = None,
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

    Then, for better posteriors: higlow train --stage posterior --from runs/first --max-minutes 50 --out runs/second
    """
    if (stage is Stage.POSTERIOR) != (start_from is not None):
        raise InputError("Expected --stage posterior together with --from RUN. Received: one of them.")
    flags = {
        "preset": preset,
        "data.maps": _absolute(maps or None),
        "data.params": _absolute(params),
        "data.parameters": _parse_parameters(parameters),
        "data.map_size": map_size,
        "data.slab_thickness_mpc_h": slab_thickness,
        "data.box_size_mpc_h": box_size,
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
        if start_from is not None:
            flags = _second_stage(start_from, config_file) | flags
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
    from higlow_tf.models import preset
    from higlow_tf.runs import RunDirectory, train_run

    preset(config.preset)
    run = RunDirectory(out)
    _check_data(config, run, resume)
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


def _check_data(config, run, resume):
    """Reads the data, and lets them go; what is wrong with them ends it before anything is written.

    That are parameters outside the prior, anywhere in the file, and other content than that of a run that is resumed.
    """
    from higlow_tf.runs import subset_of
    from higlow_tf.runs.config import write_run_config
    from higlow_tf.runs.trainer import load_run_data

    data = load_run_data(config)
    outside = data.parameters.describe_outside(data.theta)
    if outside:
        raise InputError(
            f"{data.source[-1]}: training needs parameters inside the prior. Received: {outside} (rows are maps)."
        )
    if resume:
        old, record = run.open()
        if config.data != old.data:
            subset_of(record, data, "train")
        if config != old:
            write_run_config(config, run.path / "config.yaml")
    regridded = "" if data.native_size == data.map_size else f" (regridded from {data.native_size})"
    channels = "" if data.num_channels == 1 else f" and {data.num_channels} fields"
    say(
        f"{data.num_maps} maps of {data.map_size}x{data.map_size} pixels{regridded}{channels}, "
        f"{data.num_simulations} simulations, conditioned on {', '.join(data.parameters.names)}; preset {config.preset}"
    )


def _absolute(files):
    """Files are named relative to the folder of the call, and the run must find them from any folder."""
    if files is None or isinstance(files, list):
        paths = [str(Path(file).resolve()) for file in files or []]
        return None if not paths else paths[0] if len(paths) == 1 else paths
    return str(Path(files).resolve())


def _parse_parameters(text):
    if text is None or text == "all":
        return text
    if Path(text).suffix:  # a file: no parameter has a dot in its name
        return _absolute(text)
    return [name.strip() for name in text.split(",")]


def _second_stage(start_from, config_file):
    """What a second stage takes over from the run that it starts from: data, split and model."""
    from higlow_tf.runs import RunDirectory

    if config_file is not None:
        raise InputError("Expected --from RUN, whose configuration is used, or CONFIG.yaml. Received: both.")
    first, _ = RunDirectory(start_from).open()
    content = first.model_dump(mode="json")
    return {
        "start_from": str(start_from.resolve()),
        "preset": content["preset"],
        "model": content["model"],
        **{f"data.{name}": value for name, value in content["data"].items()},
    }


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
    from higlow_tf.data.hdf5 import HDF5_SUFFIXES
    from higlow_tf.runs.config import parse_run_config, read_run_config

    if config_file is None:
        missing = [name for name in ("preset", "data.maps", "data.params") if name not in flags]
        files = flags.get("data.maps", [])
        if any(str(file).endswith(HDF5_SUFFIXES) for file in (files if isinstance(files, list) else [files])):
            missing = [name for name in missing if name != "data.params"]
        if missing:
            options = ", ".join("--" + name.removeprefix("data.") for name in missing)
            raise InputError(f"Expected CONFIG.yaml, or --preset, --maps and --params. Received: no {options}.")
        content = {}
    else:
        read_run_config(config_file)  # names the file in its errors
        # As written: what a preset fills in must be that of the preset which --preset may have chosen.
        content = yaml.safe_load(config_file.read_text(encoding="utf-8"))
        for name in ("maps", "params"):
            content["data"][name] = _absolute(content["data"].get(name))
        parameters = content["data"].get("parameters")
        if isinstance(parameters, str):
            content["data"]["parameters"] = _parse_parameters(parameters)
    return parse_run_config(_with_flags(content, flags), _COMMAND_LINE)


def _config_to_resume(out, flags):
    """The configuration of the run with what may change: its length, and where its files lie now (known by content)."""
    from higlow_tf.runs import RunDirectory
    from higlow_tf.runs.config import parse_run_config

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
    files = " ".join(f"--maps {file}" for file in config.data.map_files)
    files += "" if config.data.params is None else f" --params {config.data.params}"
    say(f"  higlow evaluate {out} {files} --out {out}_evaluation")
    say(f"  higlow calibrate {out} {files}")
    say(f"  higlow sample {out} --from-prior 64 --out samples.npy")
    say(f"  higlow export {out} --out saved_models/{out.name}")
