"""Trains the mixture network for a given time of the processor."""

import time

import keras
import numpy as np
import tensorflow as tf

from benchmarks.rivals.judging import log_posteriors_of_copies
from benchmarks.rivals.mixture_network import mixture_log_density, mixture_network
from higlow_tf.data.scalers import fit_map_scaler

__all__ = ["TITLE", "train_network"]

TITLE = "convolutional mixture-density network"
_BATCH_SIZE = 64
_LEARNING_RATE, _LAST_LEARNING_RATE = 2e-3, 1e-5
_WEIGHT_DECAY = 1e-2
_CLIP_NORM = 5.0
_MAPS_AT_ONCE = 64


def train_network(problem, seconds, seed, folder):
    """Trains on shifted, rotated and reflected maps, and keeps the weights of the best validation epoch.

    The learning rate falls as a half cosine over the time that is given, which counts the seconds of all threads of this process.

    Args:
        problem: `Problem`.
        seconds: CPU seconds.
        seed: Seed of weights, order and augmentation.
        folder: Not used.

    Returns:
        The pair (likelihoods, facts of the training), see `judge`.
    """
    start = time.process_time()
    train, parameters = problem.train, problem.parameters
    scaler = fit_map_scaler(train)
    network = mixture_network(train.map_size, len(parameters), seed=seed)
    optimizer = keras.optimizers.AdamW(_LEARNING_RATE, weight_decay=_WEIGHT_DECAY, global_clipnorm=_CLIP_NORM)
    optimizer.build(network.trainable_variables)
    batches = train.to_tf(min(_BATCH_SIZE, train.num_maps), seed=seed)

    def standardised(maps):
        return ((np.log10(maps) - scaler.shift) / scaler.scale).astype(np.float32)[..., None]

    @tf.function
    def step(maps, at):
        with tf.GradientTape() as tape:
            loss = -tf.reduce_mean(mixture_log_density(network(maps, training=True), at[:, None]))
        optimizer.apply(
            tape.gradient(loss, [v.value for v in network.trainable_variables]), network.trainable_variables
        )

    def log_density(maps, points):
        output = network.predict(standardised(maps), _MAPS_AT_ONCE, verbose=0)
        return mixture_log_density(tf.constant(output), tf.constant(points[None], tf.float32)).numpy()

    def validation_loss():
        at = parameters.normalize(problem.validation.theta).astype(np.float32)
        output = network.predict(standardised(problem.validation.maps), _MAPS_AT_ONCE, verbose=0)
        return -float(tf.reduce_mean(mixture_log_density(tf.constant(output), at[:, None])))

    best, history, share = None, [], 0.0
    while share < 1.0:
        for theta, maps in batches:
            share = (time.process_time() - start) / seconds
            if share >= 1.0:
                break
            cosine = 0.5 + 0.5 * np.cos(np.pi * share)
            optimizer.learning_rate = _LAST_LEARNING_RATE + _LEARNING_RATE * cosine
            step(standardised(maps.numpy()), parameters.normalize(theta.numpy()).astype(np.float32))
        history.append(validation_loss())
        if best is None or history[-1] <= min(history):
            best = network.get_weights()
    network.set_weights(best)

    def likelihoods(dataset, calibration_of):
        return log_posteriors_of_copies(log_density, dataset, problem.num_symmetries)

    facts = {
        "cpu_seconds": time.process_time() - start,
        "epochs": len(history),
        "best_epoch": int(np.argmin(history)) + 1,
        "num_weights": network.count_params(),
    }
    return likelihoods, facts
