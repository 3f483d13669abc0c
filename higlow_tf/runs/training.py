"""Trains a run from options or a configuration: the whole of `higlow train` in one call."""

import contextlib
from functools import partial

import keras

from higlow_tf.errors import InputError
from higlow_tf.files import resolved
from higlow_tf.folder_lock import MARKER_FOLDER
from higlow_tf.models import preset as find_preset
from higlow_tf.models.posterior_record import forget_posterior_records
from higlow_tf.ownership import owned_folder
from higlow_tf.runs.callbacks import CallProgress, ProgressCallback
from higlow_tf.runs.cluster import join_workers
from higlow_tf.runs.config import RunConfig, write_run_config
from higlow_tf.runs.continuation import open_to_continue
from higlow_tf.runs.directory import RUN_FILES, RunDirectory
from higlow_tf.runs.end_of_training import end_training
from higlow_tf.runs.members import check_ensemble, other_flows
from higlow_tf.runs.options import check_changes, is_over, new_config, resumed_config
from higlow_tf.runs.run import Run
from higlow_tf.runs.split_record import subset_of
from higlow_tf.runs.trainer import load_run_data, train_run
from higlow_tf.runs.workers import Workers

__all__ = ["read_training_data", "run_folder", "train"]


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
    ensemble=1,
    **options,
):
    """Trains a model as a run: a folder that survives a kill and can be continued. Uses all GPUs of this machine.

    Several machines train together if each calls this with the same arguments, under TF_CONFIG or in a step of Slurm, and
    all see the folder of the run; the chief (worker 0) writes it.

    After the last epoch the best model is given end layers (`fit_end_layers`), unless the option end_layers is false.

    Args:
        config: `RunConfig`, a YAML file, or None for only options.
        out: Folder of the run: a new one, unless `resume` or `overwrite`.
        resume: Whether to continue the run from its last checkpoint, or from the one before if the last is damaged. Only
            epochs, max_minutes, maps and params may change then.
        overwrite: Whether an existing run may be replaced. It stays until the new one trains.
        data: What `read_training_data` returned for this configuration; None to read the files here.
        strategy: `tf.distribute.Strategy`; None for all GPUs, and for all workers that the environment names.
        progress: Called as `progress("training", done, total)` after every step, total is 1000; and with "end layers".
        callbacks: More Keras callbacks.
        start_from: Run of the first stage. This run is then the second stage, which trains for the posterior.
        settings: Any other values of the configuration, by their path with dots.
        ensemble: How many flows to train one after the other, from different seeds: the first in the folder of the run, the
            others in folders `member_2`, `member_3` and so on of it. Each has the time and the epochs of the configuration. With
            `resume`, those that are over stay, and those that are not there are begun.
        **options: Those of `OPTIONS`: preset, maps, params, parameters, nuisance, map_size, epochs, max_minutes, batch_size,
            learning_rate and so on.

    Returns:
        `Run` of the first flow; None in a worker that is not the chief.

    Raises:
        InputError: If the data, the configuration or the folder cannot be used. An existing run then stays as it was.
        LostWorkerError: If another worker is gone.

    Warns:
        InputWarning: If the last checkpoint or the best model on disk cannot be used, or other versions made the checkpoint.

    Example:
        run = train(preset="compact", maps="MAPS.npy", params="PARAMS.txt", out="runs/first", max_minutes=25)
    """
    if resume and overwrite:
        raise InputError("Expected resume or overwrite. Received: both.")
    check_ensemble(ensemble)
    if not isinstance(config, RunConfig):
        how = {"start_from": start_from, "settings": settings, "may_be_over": ensemble > 1}
        config = _config(config, out, resume, **how, **options)
    elif start_from is not None or settings or options:
        raise InputError("Expected a RunConfig, or options and a file. Received: a RunConfig and options.")
    callbacks = [*callbacks, *([] if progress is None else [CallProgress(progress)])]
    workers = Workers(strategy or join_workers())
    with run_folder(out, resume=resume, overwrite=overwrite) if workers.is_chief else contextlib.nullcontext():
        run = _train_flow(config, out, resume, overwrite, data, workers, callbacks)
        for number, own_config, folder, is_continued in other_flows(config, out, ensemble, resume):
            forget_posterior_records(out)
            for callback in _progress_of(callbacks):
                callback.flow = number
            _train_flow(own_config, folder, is_continued, False, data, workers, callbacks)
    return run


def _train_flow(config, out, resume, overwrite, data, workers, callbacks):
    """The `Run` of one flow; None in a worker that is not the chief."""
    if not workers.is_chief:
        with workers.watched(out):
            workers.wait()
            _train_to_the_end(config, out, resume, data, workers, callbacks)
        return None
    with run_folder(out, resume=resume, overwrite=overwrite) as folder, workers.watched(out):
        if data is None:
            data = read_training_data(config, out, resume=resume)
        if resume:
            _take_over(config, RunDirectory(out), data)
        workers.wait()
        with folder.set_aside() if overwrite else contextlib.nullcontext() as discard_old:
            if discard_old is not None:
                callbacks = [
                    *callbacks,
                    keras.callbacks.LambdaCallback(on_train_begin=lambda logs=None: discard_old()),
                ]
            _train_to_the_end(config, out, resume, data, workers, callbacks)
            fit = end_training(RunDirectory(out), config, data, partial(_tell, callbacks))
    run = Run(out)
    run.end_layer_fit = fit
    return run


def _train_to_the_end(config, out, resume, data, workers, callbacks):
    # A run that was killed between its last epoch and its end layers needs only these.
    if not (resume and is_over(config.training, RunDirectory(out).checkpoints.read())):
        train_run(config, out, data=data, resume=resume, strategy=workers.strategy, callbacks=callbacks)


def _tell(callbacks, stage, done, total):
    for callback in _progress_of(callbacks):
        callback.on_stage(stage, done, total)


def _progress_of(callbacks):
    return [callback for callback in callbacks if isinstance(callback, ProgressCallback)]


@contextlib.contextmanager
def run_folder(out, *, resume=False, overwrite=False):
    """Takes the folder of a run for one writer: a new one, one that is to be continued, or one that is to be replaced.

    Yields:
        `OwnedFolder`.

    Raises:
        InputError: If there are files that may not be replaced or that somebody else wrote, or another process trains there.
    """
    path = resolved(out)
    is_there = path.is_dir() and any(entry.name != MARKER_FOLDER for entry in path.iterdir())
    if path.exists() and not (overwrite or resume) and (is_there or not path.is_dir()):
        raise _refusal(out)
    with owned_folder(out, "run") as folder:
        if is_there and not folder.files:
            # Runs of older versions have no list; what can be read as a run is one.
            if resume:
                RunDirectory(out).open()
            folder.adopt(RUN_FILES if RunDirectory(out).is_readable() else ())
        if is_there and overwrite and not folder.files:
            raise InputError(
                f"{out}: --overwrite replaces runs only, folders that higlow train has made. Received: something else."
            )
        folder.check(RUN_FILES, out, overwrite=overwrite, resume=resume)
        yield folder


def _refusal(out):
    run = RunDirectory(out)
    if run.is_readable() and not run.checkpoints.exist():
        return InputError(
            f"{out}: expected a new folder, or --overwrite to start again. "
            "Received: a run that ended before its first checkpoint."
        )
    return InputError(f"{out}: expected a new folder, --resume or --overwrite. Received: an existing path.")


def read_training_data(config, out, *, resume=False):
    """Reads and checks what a run will be trained on. Nothing is written.

    Returns:
        `HIMapDataset` of all maps.

    Raises:
        InputError: If the preset is unknown, if parameters anywhere in the file lie outside the prior, or if the
            configuration or the content is not that of the run that is continued.
    """
    find_preset(config.preset)
    data = load_run_data(config)
    outside = data.parameters.describe_outside(data.theta)
    if outside:
        raise InputError(
            f"{data.source[-1]}: training needs parameters inside the prior. Received: {outside} (rows are maps)."
        )
    if resume:
        old, record = RunDirectory(out).open()
        check_changes(old, config)
        if config.data != old.data:
            subset_of(record, data, "train")
    return data


def _take_over(config, run, data):
    """The new places of its files and its new length become those of a run that is continued."""
    old, record, _ = open_to_continue(run)
    check_changes(old, config)
    if config != old:
        subset_of(record, data, "train")
        write_run_config(config, run.path / "config.yaml")


def _config(config_file, out, resume, *, start_from, settings, may_be_over, **options):
    if not resume:
        return new_config(config_file, start_from=start_from, settings=settings, **options)
    if config_file is not None or start_from is not None:
        raise InputError("Expected a run to continue, or a configuration of a new one. Received: both.")
    return resumed_config(out, settings=settings, may_be_over=may_be_over, **options)
