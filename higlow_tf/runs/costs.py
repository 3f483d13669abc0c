"""What a training run will cost, before it: time of an epoch, memory, disk."""

import time
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from higlow_tf.data.big_arrays import IN_MEMORY_BYTES
from higlow_tf.errors import InputError
from higlow_tf.models import count_operations
from higlow_tf.models.from_preset import model_from_preset
from higlow_tf.runs.config import parse_run_config
from higlow_tf.runs.options import keeps_activations, with_values

__all__ = ["Estimate", "disk_mib", "estimate", "memory_mib"]

# The probe has the first level alone, and as many steps: its compilation takes a few seconds.
_PROBE_STEPS = 2
_PROBE_ROUNDS = 5
# On a CPU the time grows in proportion to the maps: a few are enough. A GPU wants the whole batch.
_MOST_PROBE_PIXELS = 2**15
# One pass forwards, of three: two more for the gradients. 0.29 was measured for `paper`.
_VALIDATION_SHARE_OF_STEP = 0.3
_MIB = 2**20
_BYTES = 4
# Measured: TensorFlow, Keras and the package, and what XLA takes to compile a level or a block and does not give back.
_START_MIB, _COMPILATION_MIB = 1000, 200
# Inputs of steps are kept forwards and copied on the way back, activations are kept once; of a weight there are the gradient, two
# moments, the average and what a checkpoint copies.
_COPIES_OF_INPUTS, _COPIES_OF_WEIGHTS = 3, 12
# Beside their numbers: an HDF5 dataset of model.keras, an array of a checkpoint, a map in split.json.
_FILE_BYTES_OF_VARIABLE, _ARRAY_BYTES, _RECORD_BYTES_OF_MAP = 2500, 300, 80


@dataclass(frozen=True)
class Estimate:
    """What a run costs on this machine.

    Attributes:
        title: The model, in words.
        num_weights: Trainable weights.
        operations_per_map: Floating-point operations of the matrix products of one map, forwards.
        batch_size: Maps a step.
        steps_per_epoch: Steps of an epoch, of the training maps.
        seconds_per_step: Wall seconds.
        minutes_per_epoch: Wall minutes, validation included.
        compile_seconds: Wall seconds before the first step, once.
        memory_mib: Largest memory of the process.
        disk_mib: What the run leaves in its folder.
    """

    title: str
    num_weights: int
    operations_per_map: int
    batch_size: int
    steps_per_epoch: int
    seconds_per_step: float
    minutes_per_epoch: float
    compile_seconds: float
    memory_mib: float
    disk_mib: float


def estimate(
    preset="compact", *, map_size=None, batch_size=None, num_maps=15000, num_channels=1, memory=None, settings=None
):
    """Estimates a run by its operations, counted, and by the rate of this machine, measured on a part of the model.

    The part is the first level with two steps. It is trained for a few steps, which takes some ten seconds with its compilation.

    Args:
        preset: Name of a preset.
        map_size: Pixels on a side; None for that of the preset.
        batch_size: Maps a step; None for that of the preset's recipe.
        num_maps: Maps of the file; 70 % of them are trained on.
        num_channels: Fields in a map.
        memory: "high" or "low", as that of `train`; None for that of the preset.
        settings: Other values of the configuration, by their path with dots: `{"model.width": 64}`.

    Returns:
        `Estimate`.

    Raises:
        InputError: If the preset or a setting does not exist, or there are fewer training maps than a batch.
    """
    config = _config(preset, map_size, batch_size, num_channels, memory, settings)
    training = config.training
    model = model_from_preset(config.preset, **config.model)
    train_maps, validation_maps = (int(share * num_maps) for share in config.data.split_fractions[:2])
    steps_per_epoch = train_maps // training.batch_size
    if not steps_per_epoch:
        raise InputError(
            f"Expected at least one batch of {training.batch_size} training maps, 70 % of all. Received: {num_maps} maps."
        )
    operations = count_operations(model)
    seconds_per_operation, compile_seconds = _probe(config, model)
    seconds_per_step = seconds_per_operation * operations.of_batch(training.batch_size)
    validation_s = _VALIDATION_SHARE_OF_STEP * seconds_per_operation * operations.of_batch(validation_maps)
    return Estimate(
        title=_describe(config),
        num_weights=model.count_params(),
        operations_per_map=operations.per_map,
        batch_size=training.batch_size,
        steps_per_epoch=steps_per_epoch,
        seconds_per_step=seconds_per_step,
        minutes_per_epoch=(steps_per_epoch * seconds_per_step + validation_s) / 60.0,
        compile_seconds=compile_seconds,
        memory_mib=memory_mib(model, training.batch_size, num_maps),
        disk_mib=disk_mib(model, num_maps),
    )


def _config(preset, map_size, batch_size, num_channels, memory, settings):
    """The configuration of the run, checked as that of a run; its files are never read."""
    values = {"model.map_size": map_size, "training.batch_size": batch_size, "model.num_channels": num_channels}
    values["model.keep_activations"] = keeps_activations(memory)
    given = {key: value for key, value in values.items() if value is not None} | dict(settings or {})
    content = {"data": {"maps": "maps.npy"}, "preset": preset, "model": {}, "training": {}}
    return parse_run_config(with_values(content, given), "the options")


def _describe(config):
    changes = [f"{name}={value}" for name, value in config.model.items() if (name, value) != ("num_channels", 1)]
    return ", ".join([config.preset, *changes])


# ---- time


def _probe(config, model):
    """Seconds for each counted operation of a forward pass in a training step, and seconds of compilation."""
    part, parts = _part_of(config, model)
    num_maps = _probe_maps(model, config.training.batch_size)
    rng = np.random.default_rng(0)
    maps = tf.constant(
        10.0 ** rng.normal(0.0, 0.4, (num_maps, part.map_size, part.map_size, part.num_channels)), tf.float32
    )
    theta = tf.constant(part.parameters.sample_uniform(num_maps, seed=0), tf.float32)
    part.compile(optimizer="adam", jit_compile=config.training.jit_compile)
    part.optimizer.build(part.trainable_variables)
    step = tf.function(lambda: part.train_step((theta, maps)), autograph=False)
    seconds = [_seconds(lambda: step()["loss"].numpy()) for _ in range(1 + _PROBE_ROUNDS)]
    step_s = float(np.median(seconds[1:]))
    return step_s / count_operations(part).of_batch(num_maps), parts * (seconds[0] - step_s)


def _part_of(config, model):
    """A model of the first level, or the first block, and how many of these the whole has."""
    changes = {**config.model}
    if hasattr(model, "levels"):
        width = model.width[0] if isinstance(model.width, (list, tuple)) else model.width
        steps = min(_PROBE_STEPS, model.num_steps_per_level)
        changes |= {"num_levels": 1, "num_steps_per_level": steps, "width": width}
        return model_from_preset(config.preset, **changes), model.num_levels
    return model_from_preset(config.preset, **changes, num_blocks=1), model.num_blocks


def _probe_maps(model, batch_size):
    if tf.config.list_logical_devices("GPU"):
        return batch_size
    return min(batch_size, max(1, _MOST_PROBE_PIXELS // model.map_size**2))


def _seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


# ---- memory and disk


def memory_mib(model, batch_size, num_maps):
    """Largest memory of the process that trains.

    Args:
        model: The model.
        batch_size: Maps a step.
        num_maps: Maps of the file. Those that take more than 1 GiB stay on disk.
    """
    inputs, activations = _kept_a_map(model) if hasattr(model, "levels") else (0, 0)
    kept = batch_size * (_COPIES_OF_INPUTS * inputs + activations)
    weights, maps = _COPIES_OF_WEIGHTS * model.count_params(), num_maps * model.num_dimensions * _BYTES
    maps = min(maps, IN_MEMORY_BYTES)
    parts = len(model.levels) if hasattr(model, "levels") else len(model.blocks)
    return _START_MIB + _COMPILATION_MIB * parts + (_BYTES * (kept + weights) + maps) / _MIB


def _kept_a_map(model):
    """Numbers that training keeps of a map for the way back: inputs of all steps of a Glow, and activations in them."""
    inputs = activations = 0
    for number, level in enumerate(model.levels):
        pixels = (model.map_size // 2 ** (number + 1)) ** 2 * model.num_steps_per_level
        inputs += pixels * level.channels
        activations += pixels * sum(level.steps.kept_channels)
    return inputs, activations


def disk_mib(model, num_maps):
    """The folder of a run: the best model, and two checkpoints, each with a copy of it, Adam's moments and the average.

    Args:
        model: The model.
        num_maps: Maps of the file; the record of the split has a line for each.
    """
    weights = _BYTES * model.count_params()
    of_model = weights + _FILE_BYTES_OF_VARIABLE * len(model.variables)
    checkpoint = 4 * weights + 4 * _ARRAY_BYTES * len(model.variables) + of_model
    return (of_model + 2 * checkpoint + _RECORD_BYTES_OF_MAP * num_maps) / _MIB
