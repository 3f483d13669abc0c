"""Trains a model as a run that can be interrupted, continued and audited."""

import math
import time

import keras
import tensorflow as tf

from higlow_tf.data import HIMapDataset, ParameterSpace, ZeroFloor, load_cmd
from higlow_tf.data.parameter_choice import num_of_interest
from higlow_tf.errors import InputError
from higlow_tf.models.from_preset import model_from_preset
from higlow_tf.models.saving import load_model
from higlow_tf.models.weights import copy_weights
from higlow_tf.runs.callbacks import Clock, LearningRateByProgress, ProgressCallback, WeightAverage
from higlow_tf.runs.continuation import made_with, open_to_continue
from higlow_tf.runs.directory import RunDirectory
from higlow_tf.runs.split_record import make_split_record, subset_of

__all__ = ["default_strategy", "load_run_data", "run_nuisance", "train_run"]


# Columns of history.csv that only the second stage has: the two terms of the loss.
_POSTERIOR_COLUMNS = ("nll", "posterior", "val_nll", "val_posterior")


def load_run_data(config) -> HIMapDataset:
    """The maps and parameters that a run's configuration names."""
    data = config.data
    return load_cmd(data.map_files, data.params, data.parameters, nuisance=data.nuisance, **data.reading)


def run_nuisance(config, parameters):
    """Names of the parameters of a run's maps, a `ParameterSpace`, that one does not ask for."""
    if not config.data.nuisance:
        return ()
    return parameters.names[num_of_interest(config.data.parameters, parameters) :]


def default_strategy():
    """All GPUs that TensorFlow finds; with fewer than two, no distribution."""
    gpus = tf.config.list_logical_devices("GPU")
    return tf.distribute.MirroredStrategy() if len(gpus) > 1 else tf.distribute.get_strategy()


def train_run(config, directory, *, data=None, resume=False, strategy=None, callbacks=()):
    """Trains from the start, or continues a run from its last whole checkpoint.

    Args:
        config: `RunConfig`. Not used with `resume`, which reads the configuration of the run.
        directory: Folder of the run.
        data: `HIMapDataset` of all maps, as read; None to read the files of the configuration.
        resume: Whether to continue.
        strategy: `tf.distribute.Strategy`, or None for `default_strategy`.
        callbacks: More Keras callbacks. A `ProgressCallback` gets the clock of the run.

    Returns:
        The Keras history of this part of the run.

    Raises:
        InputError: If the data, the configuration or the folder cannot be used.
    """
    started = time.monotonic()
    run = RunDirectory(directory)
    record = checkpoint = None
    if resume:
        config, record, checkpoint = open_to_continue(run)
    if config.training.deterministic:
        tf.config.experimental.enable_op_determinism()
    data = load_run_data(config) if data is None else data
    if resume:
        train, validation = subset_of(record, data, "train"), subset_of(record, data, "validation")
    else:
        train, validation, record = _split(config, data)
    strategy = strategy or default_strategy()
    training = config.training
    steps_per_epoch = train.num_maps // training.batch_size
    if not steps_per_epoch:
        raise InputError(
            f"Expected at least one batch of {training.batch_size} training maps. Received: {train.num_maps}."
        )
    with strategy.scope():
        model = _build_model(config, train)
        if not resume:
            _start(model, config.start_from, train, record)
        optimizer = keras.optimizers.AdamW(training.learning_rate, beta_2=0.99, weight_decay=training.weight_decay)
        model.compile(
            optimizer=optimizer,
            clip_norm=training.clip_norm,
            jit_compile=training.jit_compile,
            posterior_weight=training.posterior_weight,
            num_candidates=training.num_candidates,
            seed=training.seed,
        )
        average = WeightAverage(training.average_momentum)
        average.set_model(model)
    if resume:
        checkpoint.assign(model, average)
        run.continue_from(checkpoint)
        state, best_model = checkpoint.state, checkpoint.best_model
    else:
        run.create(config, record)
        state = {
            "epoch": 0,
            "elapsed_seconds": time.monotonic() - started,
            "best": None,
            "best_epoch": 0,
            "history": [],
        }
        best_model = None
    state |= made_with(config, record)
    clock = Clock(
        training.epochs * steps_per_epoch,
        None if training.max_minutes is None else 60.0 * training.max_minutes,
        state["elapsed_seconds"],
    )
    for callback in callbacks:
        if isinstance(callback, ProgressCallback):
            callback.clock = clock
    batches = train.to_tf(training.batch_size, seed=training.seed, augment=training.augment)
    keeper = RunKeeper(run, average, clock, state, best_model, batches.epoch_counter, training.early_stopping_epochs)
    rate = LearningRateByProgress(
        clock, training.learning_rate, training.final_learning_rate_fraction, training.warmup_steps
    )
    return model.fit(
        batches,
        validation_data=validation.to_tf_evaluation(training.batch_size),
        initial_epoch=state["epoch"],
        epochs=training.epochs,
        shuffle=False,
        verbose=0,
        callbacks=[rate, average, keeper, *callbacks],
    )


class RunKeeper(keras.callbacks.Callback):
    """Writes checkpoint, history and best model after every epoch, and stops a run that no longer improves.

    Args:
        run: `RunDirectory`.
        average: `WeightAverage`.
        clock: `Clock`.
        state: State of the run, as in its checkpoint; changed in place.
        best_model: Bytes of model.keras, or None if there is no best epoch yet.
        epoch_counter: The counter of the training batches: it tells them which epoch it is.
        patience: Epochs without improvement after which to stop.
    """

    def __init__(self, run, average, clock, state, best_model, epoch_counter, patience):
        super().__init__()
        self._run = run
        self._average = average
        self._clock = clock
        self._state = state
        self._best_model = best_model
        self._epoch_counter = epoch_counter
        self._patience = patience

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch_counter.set(epoch)
        self._steps = 0

    def on_train_batch_end(self, batch, logs=None):
        self._steps += 1

    def on_test_begin(self, logs=None):
        self._test_start = time.monotonic()

    def on_test_end(self, logs=None):
        self._clock.reserved_seconds = time.monotonic() - self._test_start

    def on_epoch_end(self, epoch, logs=None):
        state, loss = self._state, logs["val_loss"]
        is_best = math.isfinite(loss) and (state["best"] is None or loss < state["best"])
        if is_best:
            state["best"], state["best_epoch"] = float(loss), epoch
            with self._average.applied():
                self._best_model = self._run.write_model(self.model)
        state["epoch"] = epoch + 1
        state["elapsed_seconds"] = self._clock.elapsed_seconds
        state["history"].append(
            {
                "epoch": epoch + 1,
                # The epoch in which the time ran out has fewer batches: its training loss is that of few maps.
                "steps": self._steps,
                "wall_minutes": round(self._clock.elapsed_seconds / 60.0, 4),
                "loss": float(logs["loss"]),
                "val_loss": float(loss),
                **{name: float(value) for name, value in logs.items() if name in _POSTERIOR_COLUMNS},
                "learning_rate": float(self.model.optimizer.learning_rate.numpy()),
                "skipped_steps": int(logs["skipped_steps"]),
            }
        )
        self._run.write_history(state["history"])
        self._run.checkpoints.write(self.model, self._average, state, self._best_model)
        if epoch - state["best_epoch"] >= self._patience or self._clock.is_over:
            self.model.stop_training = True


def _split(config, data):
    """Splits, fits the floor on training maps, and records both."""
    fractions, seed = config.data.split_fractions, config.data.split_seed
    subsets = data.split_by_simulation(fractions, seed=seed)
    floor = ZeroFloor.fit(subsets[0]) if data.zero_pixels else None
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
