"""What a training runs on, in words."""

import os
import warnings

import tensorflow as tf

from higlow_tf.errors import InputWarning

__all__ = ["describe_devices"]


def describe_devices(workers):
    """The devices of a training, such as "2 GPUs (NVIDIA A100)" or "the CPU, 8 cores".

    Args:
        workers: `Workers`.

    Returns:
        Text; of several workers, how many there are and what this one has.

    Warns:
        InputWarning: If TensorFlow finds no GPU.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        names = sorted({tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus})
        text = f"{len(gpus)} GPU{'s' * (len(gpus) > 1)} ({', '.join(names)})"
    else:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        text = f"the CPU, {cores} core{'s' * (cores > 1)}"
        warnings.warn("TensorFlow finds no GPU, and trains on the CPU", InputWarning, stacklevel=2)
    if workers.are_several:
        text = f"{len(workers.addresses)} workers; this is number {workers.index}, on {text}"
    return text
