"""What a training runs on, in words."""

import warnings

from higlow_tf.devices import device_text, gpu_names
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
    gpus = gpu_names()
    if not gpus:
        warnings.warn("TensorFlow finds no GPU, and trains on the CPU", InputWarning, stacklevel=2)
    text = device_text(gpus)
    if workers.are_several:
        text = f"{len(workers.addresses)} workers; this is number {workers.index}, on {text}"
    return text
