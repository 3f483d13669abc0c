"""A convolutional classifier that is asked to tell generated maps from simulated ones, pixel by pixel."""

import itertools

import keras
import numpy as np
import tensorflow as tf

from higlow_tf.data.pipeline import augment_maps
from higlow_tf.diagnostics import ClassifierTest, MapSamples
from higlow_tf.diagnostics.bootstrap import MIN_SIMULATIONS
from higlow_tf.diagnostics.two_sample_test import Side, two_sample_test
from higlow_tf.evaluation.map_network import map_network
from higlow_tf.symmetries import NUM_SQUARE_SYMMETRIES, square_symmetry

__all__ = ["map_classifier_test"]

_NUM_FOLDS = 2
_NUM_FLOOR_TESTS = 2
_NUM_EPOCHS = 40
# More maps than this many steps see in so many epochs have fewer epochs.
_MOST_STEPS = 1600
_BATCH_SIZE = 32
_LEARNING_RATE = 5e-3
_MAPS_AT_ONCE = 128
_ORDER_STREAM = 0x6D617073

# Traced once for each size of maps and of batches; with `reduce_retracing` it would forget the size, which it needs.
_augment = tf.function(augment_maps)


def map_classifier_test(samples: MapSamples, *, progress=None, seed: int = 0) -> ClassifierTest:
    """Two-sample test by a convolutional network on log10 maps: what any statistic of neighbouring pixels could show.

    Definition: as `two_sample_test`, cross-validated in 2 folds of simulations, with
        score = log-odds of `map_network`, mean over the 8 symmetries of the square
    after 40 epochs of Adam with a cosine schedule from 5e-3 on batches of 32 (never more than 1600 steps: with more than 1280
    maps to learn from there are fewer epochs). Each map is shifted, rotated and reflected at random in each epoch, as in
    the training of models. Both sides weigh the same in the loss.

    Convention: as `two_sample_test`. The floor is of 2 halvings of the simulated maps: it is uncertain by half of itself. Each
        costs half of the test. The length of a training is in steps, never in seconds. The same seed gives the same answer
        on one machine, and no global random state is used or changed.

    Cost: for 900 + 900 maps of 64x64 pixels a minute on one core for each fold, and three minutes with the floor.

    Units: maps in physical units; an AUC has none.

    What it can and cannot show: structure that no feature was written for, above all on the smallest scales. It does not say
        what it saw. It learns from hundreds of maps, and an AUC of 0.5 says that these do not suffice to see more. Traces
        that no measurement could show count as much as physics.

    Checked against: equal distributions; maps of the same P(k) and pixels that differ in their phases.

    Args:
        samples: Simulated maps, and maps generated at their parameters.
        progress: Called as `progress("map classifier", done, total)` with epochs of all trainings.
        seed: Seed of folds, halvings, resamples, initial weights, order and augmentation.

    Returns:
        A `ClassifierTest`; its number of features is that of pixels. Error and floor are None, with an `InputWarning`, below
        four simulations.

    Raises:
        InputError: If a side has fewer than two simulations.
    """
    has_floor = len(samples.real.simulation_indices) >= MIN_SIMULATIONS
    num_trainings = _NUM_FOLDS * (1 + _NUM_FLOOR_TESTS * has_floor)
    trained = itertools.count()

    def classifier(maps, is_generated, others):
        start = next(trained) * _NUM_EPOCHS

        def report(share):
            if progress is not None:
                progress("map classifier", start + int(share * _NUM_EPOCHS), num_trainings * _NUM_EPOCHS)

        shift, scale = maps.mean(), maps.std()
        model = _train((maps - shift) / scale, is_generated, seed, report)
        return _log_odds(model, (others - shift) / scale)

    sides = [
        Side(map_set.field("log10").astype(np.float32), map_set.simulation)
        for map_set in (samples.real, samples.generated)
    ]
    return two_sample_test(
        classifier,
        *sides,
        num_folds=_NUM_FOLDS,
        num_floor_tests=_NUM_FLOOR_TESTS,
        seed=seed,
        name="map_classifier_test",
    )


def _train(maps, is_generated, seed, report):
    """Trains a network on standardised maps `[N, H, H]`; calls `report(share that is done)` after each epoch."""
    num_maps, map_size, _ = maps.shape
    batch_size = min(_BATCH_SIZE, num_maps)
    steps_per_epoch = num_maps // batch_size
    num_epochs = max(1, min(_NUM_EPOCHS, _MOST_STEPS // steps_per_epoch))
    schedule = keras.optimizers.schedules.CosineDecay(_LEARNING_RATE, num_epochs * steps_per_epoch)
    model = map_network(map_size, seed)
    # XLA's convolutions are slow on CPUs, and its compilation takes longer than a small training.
    model.compile(keras.optimizers.Adam(schedule), keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    labels = is_generated.astype(np.float32)
    weights = np.where(is_generated, 0.5 / labels.mean(), 0.5 / (1.0 - labels.mean())).astype(np.float32)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_ORDER_STREAM,)))
    for epoch in range(num_epochs):
        order = rng.permutation(num_maps)[: steps_per_epoch * batch_size]
        for rows in order.reshape(steps_per_epoch, batch_size):
            moved = _augment(maps[rows], np.stack([np.full_like(rows, seed + epoch), rows], axis=1))
            model.train_on_batch(moved[..., None], labels[rows, None], sample_weight=weights[rows])
        report((epoch + 1) / num_epochs)
    return model


def _log_odds(model, maps):
    """Mean over the symmetries of the square, of standardised maps `[N, H, H]` -> `[N]`."""
    copies = [
        model.predict(np.ascontiguousarray(square_symmetry(maps, number))[..., None], _MAPS_AT_ONCE, verbose=0)
        for number in range(NUM_SQUARE_SYMMETRIES)
    ]
    return np.mean(copies, axis=0, dtype=np.float64)[:, 0]
