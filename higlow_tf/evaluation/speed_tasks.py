"""The tasks that a benchmark times, and how much each of them needs at least."""

import math

import numpy as np

from higlow_tf.expected_rows import expect_rows
from higlow_tf.models import count_operations

__all__ = [
    "LEARNING_RATE",
    "POSTERIOR_POINTS",
    "make_task",
    "needs_of_task",
    "posterior_points",
    "synthetic_batch",
    "synthetic_model",
]

LEARNING_RATE = 1e-5
"""Of every program that is timed. At 1e-3 without warm-up the loss of `paper` is 1e33 after a step, and our steps are skipped."""

POSTERIOR_POINTS = 1024
"""Points of the parameters at which the task "posterior" evaluates the density of one map."""

_LOG10_MEAN, _LOG10_SD = 6.5, 0.4
# Keeps programs from multiplying by zeros. At 0.01 the log-density of 120 random steps reaches -1e26, and rounding errors
# are as large as the values.
_WEIGHT_SD = 0.001
# Of a job for which XLA compiles every model.
_MANY_ROWS = 10**9
_BYTES = 4
# Numbers that are read or written at each step of Adam for every weight: weight, gradient and two moments, and all but the
# gradient written again.
_MOVED_PER_WEIGHT = {"train": 7, "log_prob": 1, "sample": 1}


def synthetic_model(preset, changes):
    """A model with random weights, the same at each call, scaled to maps of `synthetic_batch`."""
    from higlow_tf.models import model_from_preset

    model = model_from_preset(preset, **changes)
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign_add(_WEIGHT_SD * rng.standard_normal(variable.shape))
    model.map_shift.assign(np.full(model.num_channels, _LOG10_MEAN))
    model.map_log_scale.assign(np.full(model.num_channels, math.log(_LOG10_SD)))
    return model


def synthetic_batch(model, num_maps):
    """Maps `[N, H, W, C]` of independent lognormal pixels, theta `[N, P]` and noise `[N, D]`, all float32."""
    rng = np.random.default_rng(0)
    shape = (num_maps, model.map_size, model.map_size, model.num_channels)
    maps = 10.0 ** rng.normal(_LOG10_MEAN, _LOG10_SD, shape)
    theta = model.parameters.sample_uniform(num_maps, seed=0)
    noise = rng.standard_normal((num_maps, model.num_dimensions))
    return tuple(array.astype(np.float32) for array in (maps, theta, noise))


def posterior_points(model):
    """Points of the prior `[POSTERIOR_POINTS, P]`, float32."""
    return model.parameters.sample_uniform(POSTERIOR_POINTS, seed=1).astype(np.float32)


def make_task(model, task, batch_size):
    """A function without arguments that does a task once, as XLA compiles it, waits for the result and returns it as NumPy.

    Args:
        model: A model; "train" compiles it, with Adam.
        task: One of `TASKS`.
        batch_size: Maps a call; of the posterior, points at once.
    """
    import keras
    import tensorflow as tf

    maps, theta, _ = (tf.constant(array) for array in synthetic_batch(model, batch_size))
    points = posterior_points(model)
    parts = np.split(points, range(batch_size, len(points), batch_size))
    tasks = {
        "log_prob": lambda: model.log_prob(maps, theta).numpy(),
        "sample": lambda: model.sample(theta).numpy(),
        "posterior": lambda: posterior_mean(
            points, np.concatenate([model.log_prob(maps[:1], part).numpy() for part in parts])
        ),
    }
    if task in tasks:

        def compiled():
            with expect_rows(_MANY_ROWS):
                return tasks[task]()

        return compiled
    model.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE))
    model.optimizer.build(model.trainable_variables)  # no variable can be made inside the traced step
    step = tf.function(lambda: model.train_step((theta, maps)), autograph=False)

    def train():
        results = step()
        if results["skipped_steps"].numpy():
            raise RuntimeError("Expected steps whose gradients are finite. Received: one that was skipped.")
        return results["loss"].numpy()

    return train


def posterior_mean(points, log_prob):
    """Mean `[P]` over points `[G, P]` with the weights exp(log_prob), `[G]`."""
    weights = np.exp(log_prob - log_prob.max())
    return weights @ points / weights.sum()


def needs_of_task(model, task, batch_size):
    """What any program needs for a task: floating-point operations of matrix products, and bytes that move.

    Returns:
        The pair (operations, bytes). The bytes are those of maps and weights alone: what is between may stay in a cache.
    """
    calls, kind = 1, task
    if task == "posterior":
        calls, kind = math.ceil(POSTERIOR_POINTS / batch_size), "log_prob"
    operations = calls * count_operations(model, kind).of_batch(batch_size)
    numbers = batch_size * model.num_dimensions + _MOVED_PER_WEIGHT[kind] * model.count_params()
    return operations, _BYTES * calls * numbers
