"""Trains a model as a run that can be interrupted, continued and audited."""

import json
import time

import keras
import tensorflow as tf

from higlow_tf.data import HIMapDataset, ParameterSpace, ZeroFloor, load_cmd
from higlow_tf.data.epoch_counter import EpochCounter
from higlow_tf.data.parameter_choice import num_of_interest
from higlow_tf.errors import InputError
from higlow_tf.models.from_preset import model_from_preset
from higlow_tf.models.saving import load_model
from higlow_tf.models.weights import copy_weights
from higlow_tf.runs.callbacks import Clock, LearningRateByProgress, ProgressCallback, WeightAverage
from higlow_tf.runs.cluster import join_workers
from higlow_tf.runs.continuation import made_with, open_to_continue
from higlow_tf.runs.directory import RunDirectory
from higlow_tf.runs.epochs import train_epochs
from higlow_tf.runs.keeper import RunKeeper
from higlow_tf.runs.split_record import make_split_record, subset_of
from higlow_tf.runs.workers import Workers

__all__ = ["load_run_data", "run_nuisance", "train_run"]


def load_run_data(config) -> HIMapDataset:
    """The maps and parameters that a run's configuration names."""
    data = config.data
    how = {"nuisance": data.nuisance, "map_transform": config.map_transform, **data.reading}
    return load_cmd(data.map_files, data.params, data.parameters, **how)


def run_nuisance(config, parameters):
    """Names of the parameters of a run's maps, a `ParameterSpace`, that one does not ask for."""
    if not config.data.nuisance:
        return ()
    return parameters.names[num_of_interest(config.data.parameters, parameters) :]


def train_run(config, directory, *, data=None, resume=False, strategy=None, callbacks=()):
    """Trains from the start, or continues a run from its last whole checkpoint.

    Several workers call this together, each in its process; the chief writes.

    Args:
        config: `RunConfig`. Not used with `resume`, which reads the configuration of the run.
        directory: Folder of the run.
        data: `HIMapDataset` of all maps, as read; None to read the files of the configuration.
        resume: Whether to continue.
        strategy: `tf.distribute.Strategy`, or None for that of `join_workers`.
        callbacks: More Keras callbacks. A `ProgressCallback` gets the clock of the run.

    Returns:
        The Keras history of this part of the run.

    Raises:
        InputError: If the data, the configuration or the folder cannot be used, or is not the same for all workers.
        LostWorkerError: If another worker is gone.
    """
    started = time.monotonic()
    workers = Workers(strategy or join_workers())
    with workers.watched(directory):
        return _train(config, RunDirectory(directory), workers, data, resume, callbacks, started)


def _train(config, run, workers, data, resume, callbacks, started):
    record = checkpoint = None
    if resume:
        config, record, checkpoint = open_to_continue(run)
    training = config.training
    if training.deterministic:
        tf.config.experimental.enable_op_determinism()
    data = load_run_data(config) if data is None else data
    if resume:
        train, validation = subset_of(record, data, "train"), subset_of(record, data, "validation")
    else:
        train, validation, record = _split(config, data)
    made = made_with(config, record)
    workers.check_same(json.dumps([made, checkpoint and checkpoint.state], sort_keys=True), "run, maps and versions")
    steps_per_epoch = train.num_maps // training.batch_size
    if not steps_per_epoch:
        raise InputError(
            f"Expected at least one batch of {training.batch_size} training maps. Received: {train.num_maps}."
        )
    model, average = _prepared(config, train, record, checkpoint, workers.strategy)
    if workers.is_chief:
        run.continue_from(checkpoint) if resume else run.create(config, record)
    state = _state_of(checkpoint, time.monotonic() - started) | made
    max_seconds = None if training.max_minutes is None else 60.0 * training.max_minutes
    clock = Clock(training.epochs * steps_per_epoch, max_seconds, state["elapsed_seconds"], workers.chiefs)
    for callback in callbacks:
        if isinstance(callback, ProgressCallback):
            callback.clock = clock
    rate = LearningRateByProgress(
        clock, training.learning_rate, training.final_learning_rate_fraction, training.warmup_steps
    )
    epoch_counter = EpochCounter(state["epoch"])
    keeper = RunKeeper(
        run if workers.is_chief else None,
        average,
        clock,
        state,
        None if checkpoint is None else checkpoint.best_model,
        epoch_counter,
        training.early_stopping_epochs,
    )

    def training_batches(context):
        options = {"seed": training.seed, "augment": training.augment, "epoch_counter": epoch_counter}
        return train.to_tf(training.batch_size, input_context=context, **options)

    def validation_batches(context):
        return validation.to_tf_evaluation(training.batch_size, input_context=context)

    return train_epochs(
        model,
        training_batches,
        validation_batches,
        steps_per_epoch=steps_per_epoch,
        strategy=workers.strategy,
        callbacks=[rate, average, keeper, *callbacks],
        initial_epoch=state["epoch"],
        epochs=training.epochs,
    )


def _prepared(config, train, record, checkpoint, strategy):
    """The compiled model and the average of its weights, at their start or at a checkpoint."""
    training = config.training
    with strategy.scope():
        model = _build_model(config, train)
        if checkpoint is None:
            _start(model, config.start_from, train, record)
        model.compile(
            optimizer=keras.optimizers.AdamW(training.learning_rate, beta_2=0.99, weight_decay=training.weight_decay),
            clip_norm=training.clip_norm,
            jit_compile=training.jit_compile,
            posterior_weight=training.posterior_weight,
            num_candidates=training.num_candidates,
            seed=training.seed,
        )
        # Here, and not in the first step: there TensorFlow makes no variables for several devices.
        model.optimizer.build(model.trainable_variables)
        average = WeightAverage(training.average_momentum)
        average.set_model(model)
        if checkpoint is not None:
            checkpoint.assign(model, average)
    return model, average


def _state_of(checkpoint, seconds):
    """The state that a run starts or goes on with."""
    if checkpoint is not None:
        return dict(checkpoint.state)
    return {"epoch": 0, "elapsed_seconds": seconds, "best": None, "best_epoch": 0, "history": []}


def _split(config, data):
    """Splits, fits the floor on training maps, and records both."""
    fractions, seed = config.data.split_fractions, config.data.split_seed
    subsets = data.split_by_simulation(fractions, seed=seed)
    has_floor = config.map_transform == "log10" and data.zero_pixels > 0
    floor = ZeroFloor.fit(subsets[0]) if has_floor else None
    record = make_split_record(data, subsets, fractions=fractions, seed=seed, zero_floor=floor)
    train, validation = (subset if floor is None else floor.apply(subset) for subset in subsets[:2])
    return train, validation, record


def _start(model, start_from, train, record):
    """Starts at the data, or at the model of another run that has the same training simulations."""
    if start_from is None:
        model.initialize(train)
        return
    other = load_model(start_from)
    same_in_both = {"name": other.name, "use_end_layers": other.use_end_layers}
    if other.get_config() != {**model.get_config(), **same_in_both}:
        raise InputError(f"{start_from}: expected a run of the same model. Received: one with another configuration.")
    same = ("content_hash", "simulations", "zero_floor")
    if other.split is None or any(other.split[key] != record[key] for key in same):
        raise InputError(f"{start_from}: expected a run of the same maps and split. Received: a run of others.")
    copy_weights(other, model)


def _build_model(config, train):
    space: ParameterSpace = train.parameters
    try:
        return model_from_preset(
            config.preset,
            **{
                "map_size": train.map_size,
                "num_channels": train.num_channels,
                "parameters": space,
                "nuisance": run_nuisance(config, space),
                **config.model,
            },
        )
    except TypeError as error:
        raise InputError(f"model: expected arguments of the preset's model. Received: {error}.") from error
