"""Trains a run from options or a configuration: the whole of `higlow train` in one call."""

import contextlib
import os
import shutil
from pathlib import Path

import keras

from higlow_tf.errors import InputError
from higlow_tf.models import preset as find_preset
from higlow_tf.runs.callbacks import CallProgress
from higlow_tf.runs.config import RunConfig, write_run_config
from higlow_tf.runs.directory import RunDirectory
from higlow_tf.runs.options import new_config, resumed_config
from higlow_tf.runs.run import Run
from higlow_tf.runs.split_record import subset_of
from higlow_tf.runs.trainer import load_run_data, train_run

__all__ = ["check_out", "read_training_data", "train"]


def train(
    config=None,
    *,
    out,
    resume=False,
    overwrite=False,
    data=None,
    strategy=None,
    progress=None,
    callbacks=(),
    start_from=None,
    settings=None,
    **options,
):
    """Trains a model as a run: a folder that survives a kill and can be continued. Uses all GPUs.

    Args:
        config: `RunConfig`, a YAML file, or None for only options.
        out: Folder of the run: a new one, unless `resume` or `overwrite`.
        resume: Whether to continue the run from its last checkpoint. Only epochs, max_minutes, maps and params may change
            then.
        overwrite: Whether an existing run may be replaced. It stays until the new one trains.
        data: What `read_training_data` returned for this configuration; None to read the files here.
        strategy: `tf.distribute.Strategy`; None for all GPUs.
        progress: Called as `progress("training", done, total)` after every step; total is 1000.
        callbacks: More Keras callbacks.
        start_from: Run of the first stage. This run is then the second stage, which trains for the posterior.
        settings: Any other values of the configuration, by their path with dots.
        **options: Those of `OPTIONS`: preset, maps, params, parameters, map_size, epochs, max_minutes, batch_size,
            learning_rate and so on.

    Returns:
        `Run`.

    Raises:
        InputError: If the data, the configuration or the folder cannot be used. An existing run then stays as it was.

    Example:
        run = train(preset="compact", maps="MAPS.npy", params="PARAMS.txt", out="runs/first", max_minutes=25)
    """
    check_out(out, resume=resume, overwrite=overwrite)
    if not isinstance(config, RunConfig):
        config = _config(config, out, resume, start_from=start_from, settings=settings, **options)
    elif start_from is not None or settings or options:
        raise InputError("Expected a RunConfig, or options and a file. Received: a RunConfig and options.")
    data = read_training_data(config, out, resume=resume) if data is None else data
    callbacks = [*callbacks, *([] if progress is None else [CallProgress(progress)])]
    with _kept_until_training(out) if overwrite else contextlib.nullcontext() as discard_old:
        callbacks += [] if discard_old is None else [keras.callbacks.LambdaCallback(on_train_begin=discard_old)]
        train_run(config, out, data=data, resume=resume, strategy=strategy, callbacks=callbacks)
    return Run(out)


def check_out(out, *, resume=False, overwrite=False):
    """Refuses a folder with files, unless it shall be continued or replaced."""
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())) and not (overwrite or resume):
        raise InputError(f"{out}: expected a new folder, --resume or --overwrite. Received: an existing path.")


def read_training_data(config, out, *, resume=False):
    """Reads and checks what a run will be trained on, before anything is written.

    A run that is continued takes over the new places of its files and its new length.

    Returns:
        `HIMapDataset` of all maps.

    Raises:
        InputError: If the preset is unknown, if parameters anywhere in the file lie outside the prior, or if the content is
            not that of the run that is continued.
    """
    find_preset(config.preset)
    data = load_run_data(config)
    outside = data.parameters.describe_outside(data.theta)
    if outside:
        raise InputError(
            f"{data.source[-1]}: training needs parameters inside the prior. Received: {outside} (rows are maps)."
        )
    if resume:
        run = RunDirectory(out)
        old, record = run.open()
        if config.data != old.data:
            subset_of(record, data, "train")
        if config != old:
            write_run_config(config, run.path / "config.yaml")
    return data


def _config(config_file, out, resume, *, start_from, settings, **options):
    if not resume:
        return new_config(config_file, start_from=start_from, settings=settings, **options)
    if config_file is not None or start_from is not None:
        raise InputError("Expected a run to continue, or a configuration of a new one. Received: both.")
    return resumed_config(out, settings=settings, **options)


@contextlib.contextmanager
def _kept_until_training(out):
    """Moves an old run aside. It is deleted when the new one trains (call what is yielded), otherwise it is put back."""
    out = Path(out)
    if not out.exists():
        yield None
        return
    if not out.is_dir() or (any(out.iterdir()) and not (out / "config.yaml").exists()):
        raise InputError(f"{out}: --overwrite replaces runs only, folders with config.yaml. Received: something else.")
    aside = out.resolve().with_name(f".{out.resolve().name}.{os.getpid()}.old")
    os.replace(out, aside)
    try:
        yield lambda logs=None: shutil.rmtree(aside)
    finally:
        if aside.exists():
            shutil.rmtree(out, ignore_errors=True)
            os.replace(aside, out)
