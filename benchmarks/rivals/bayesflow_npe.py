"""Neural posterior estimation by BayesFlow 2: its own networks, its own workflow and its own recipe."""

import importlib.util
import logging
import os
import time

import keras
import numpy as np
import tensorflow as tf

from benchmarks.rivals.judging import log_posteriors_of_copies
from higlow_tf.data.pipeline import augment_maps
from higlow_tf.data.scalers import fit_map_scaler
from higlow_tf.errors import InputError

__all__ = ["TITLE", "check_bayesflow", "train_bayesflow"]

TITLE = "BayesFlow NPE"
# Of its workflow; fewer where the time is shorter.
_MOST_EPOCHS = 100
_BATCH_SIZE = 32
# Steps that tell how long a step takes; the first ones compile.
_TIMED_STEPS, _FIRST_STEPS = 8, 3
_MAPS_AT_ONCE = 64
_POINTS_AT_ONCE = 65536


def check_bayesflow():
    """Refuses an installation without BayesFlow."""
    if importlib.util.find_spec("bayesflow") is None:
        raise InputError("--rival bayesflow: expected the package bayesflow (the extra peers). Received: none.")


def train_bayesflow(problem, seconds, seed, folder):
    """Trains as `BasicWorkflow.fit_offline` does: AdamW, a cosine schedule over the epochs that the time allows, at most 100.

    What is not BayesFlow's default: maps are shifted, rotated and reflected at random, as for every rival, the weights of the
    best validation epoch are kept, and XLA, whose convolutions are slow on CPUs, does not compile.

    Args:
        problem: `Problem`.
        seconds: CPU seconds, those that tell the length of a step included.
        seed: Seed of weights, order and augmentation. It sets the global states of Keras and NumPy, which BayesFlow uses.
        folder: Not used.

    Returns:
        The pair (likelihoods, facts of the training), see `judge`.
    """
    start = time.process_time()
    keras.utils.set_random_seed(seed)
    parameters, scaler = problem.parameters, fit_map_scaler(problem.train)

    def data_of(maps, at):
        maps = (np.log10(maps) - scaler.shift) / scaler.scale
        return {"theta": at.astype(np.float32), "maps": maps.astype(np.float32)[..., None]}

    train, validation = (
        data_of(np.asarray(subset.maps), parameters.normalize(subset.theta))
        for subset in (problem.train, problem.validation)
    )
    per_epoch = _seconds_per_epoch(train, validation, seed)
    left = seconds - (time.process_time() - start)
    epochs = int(np.clip(left / per_epoch, 1, _MOST_EPOCHS))
    keras.utils.set_random_seed(seed)
    workflow = _workflow()
    best = keras.callbacks.EarlyStopping("val_loss", patience=epochs, restore_best_weights=True)
    history = _fit(workflow, train, validation, epochs, seed, [best]).history
    approximator = workflow.approximator

    def log_density(maps, points):
        summaries = approximator.summarize(data_of(maps, np.zeros((len(maps), len(parameters)))))
        return _log_density(approximator.inference_network, summaries, points.astype(np.float32))

    def likelihoods(dataset, calibration_of):
        return log_posteriors_of_copies(log_density, dataset, problem.num_symmetries)

    facts = {
        "cpu_seconds": time.process_time() - start,
        "epochs": len(history["val_loss"]),
        "best_epoch": int(np.argmin(history["val_loss"])) + 1,
        "num_weights": approximator.count_params(),
    }
    return likelihoods, facts


def _workflow():
    """Networks with their default sizes. Theta and maps are standardised already."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TQDM_DISABLE", "1")
    import bayesflow

    logging.getLogger("bayesflow").setLevel(logging.ERROR)
    adapter = bayesflow.Adapter().rename("theta", "inference_variables").rename("maps", "summary_variables")
    return bayesflow.BasicWorkflow(
        adapter=adapter,
        inference_network=bayesflow.networks.CouplingFlow(),
        summary_network=bayesflow.networks.ConvolutionalNetwork(),
        standardize=[],
    )


def _fit(workflow, train, validation, epochs, seed, callbacks):
    """What `fit_offline` of the workflow does, but for XLA."""
    from bayesflow.datasets import OfflineDataset

    rng = np.random.default_rng(seed)

    def augmented(batch):
        seeds = rng.integers(2**31, size=(len(batch["maps"]), 2))
        return {**batch, "maps": augment_maps(batch["maps"], seeds).numpy()}

    dataset = OfflineDataset(train, _BATCH_SIZE, workflow.adapter, augmentations=augmented)
    others = None if validation is None else OfflineDataset(validation, _BATCH_SIZE, workflow.adapter)
    optimizer = workflow.build_optimizer(epochs, dataset.num_batches, strategy="offline")
    workflow.approximator.compile(optimizer=optimizer, jit_compile=False)
    return workflow.approximator.fit(
        dataset=dataset, epochs=epochs, validation_data=others, callbacks=callbacks, verbose=0
    )


class _StepTimes(keras.callbacks.Callback):
    """CPU seconds at the end of every step."""

    def __init__(self):
        super().__init__()
        self.ends = []

    def on_train_batch_end(self, batch, logs=None):
        self.ends.append(time.process_time())


def _seconds_per_epoch(train, validation, seed):
    """CPU seconds of an epoch, from some steps of a workflow that is thrown away; a validation map costs a third of a step's."""
    few = {name: array[: _BATCH_SIZE * (_FIRST_STEPS + _TIMED_STEPS)] for name, array in train.items()}
    times = _StepTimes()
    _fit(_workflow(), few, None, 1, seed, [times])
    of_map = float(np.median(np.diff(times.ends)[_FIRST_STEPS - 1 :])) / _BATCH_SIZE
    return of_map * (len(train["maps"]) + len(validation["maps"]) / 3)


def _log_density(inference_network, summaries, points):
    """Log-density of its flow at all points for each map: `[M, S]`, `[G, P]` -> `[M, G]`."""
    num_maps = max(1, _POINTS_AT_ONCE // len(points))
    rows = []
    for first in range(0, len(summaries), num_maps):
        chunk = summaries[first : first + num_maps]
        conditions = np.repeat(chunk, len(points), axis=0)
        log_prob = inference_network.log_prob(tf.constant(np.tile(points, (len(chunk), 1))), conditions=conditions)
        rows.append(np.reshape(log_prob, (len(chunk), -1)))
    return np.concatenate(rows)
