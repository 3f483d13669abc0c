"""The loop over epochs and steps of a run: the same for one device, several GPUs and several machines."""

import keras
import tensorflow as tf

__all__ = ["train_epochs"]


def train_epochs(model, train, validation, *, steps_per_epoch, strategy, callbacks, initial_epoch, epochs):
    """Trains as `model.fit` does, with the callbacks of Keras, and also where several processes train together.

    `fit` of Keras 3 does not work under `MultiWorkerMirroredStrategy` [1]. On one device the numbers are those of `fit`.

    Args:
        model: Compiled `LikelihoodModel`, made in the scope of the strategy.
        train, validation: Functions of a `tf.distribute.InputContext`: the batches of one worker in an epoch, as `to_tf` and
            `to_tf_evaluation` make them.
        steps_per_epoch: Training batches in an epoch.
        strategy: `tf.distribute.Strategy`.
        callbacks: Keras callbacks; every worker has its own, and calls them at the same steps.
        initial_epoch, epochs: The first epoch, and the number at which training ends; a callback may end it sooner.

    Returns:
        The Keras history.

    References:
        [1] https://github.com/keras-team/keras/issues/20585
    """
    batches, validation_batches = map(strategy.distribute_datasets_from_function, (train, validation))
    train_step = _step(strategy, model.train_step, model.metrics)
    test_step = _step(strategy, model.test_step, model.test_metrics)
    callbacks = keras.callbacks.CallbackList(
        callbacks, add_history=True, add_progbar=False, verbose=0, epochs=epochs, steps=steps_per_epoch, model=model
    )
    model.stop_training = False
    callbacks.on_train_begin()
    logs = {}
    for epoch in range(initial_epoch, epochs):
        model.reset_metrics()
        callbacks.on_epoch_begin(epoch)
        for step, batch in enumerate(batches):
            callbacks.on_train_batch_begin(step)
            logs = train_step(batch)
            callbacks.on_train_batch_end(step, logs)
            if model.stop_training:
                break
        validated = _validate(model, validation_batches, test_step, callbacks)
        logs = {**logs, **{f"val_{name}": value for name, value in validated.items()}}
        callbacks.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    callbacks.on_train_end(logs)
    return model.history


def _validate(model, batches, test_step, callbacks):
    model.reset_metrics()
    callbacks.on_test_begin()
    logs = {}
    for step, batch in enumerate(batches):
        callbacks.on_test_batch_begin(step)
        logs = test_step(batch)
        callbacks.on_test_batch_end(step, logs)
    logs = {name: float(value) for name, value in logs.items()}
    callbacks.on_test_end(logs)
    return logs


def _step(strategy, step, metrics):
    """A graph function: a batch for each replica -> metrics over all replicas."""

    @tf.function(autograph=False)
    def run(batch):
        strategy.run(step, args=(batch,))
        return {metric.name: metric.result() for metric in metrics}

    return run
