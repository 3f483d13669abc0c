"""What TensorFlow computes on, in words."""

from higlow_tf.cores import num_cores

__all__ = ["device_text", "gpu_names"]


def gpu_names():
    """The GPUs that TensorFlow finds, by the names of their makers. Imports TensorFlow, which takes some seconds."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]


def device_text(gpus):
    """The devices in words, such as "2 GPUs (NVIDIA A100)" or "the CPU, 8 cores".

    Args:
        gpus: Names of the GPUs, as `gpu_names` gives them.
    """
    if gpus:
        return f"{len(gpus)} GPU{'s' * (len(gpus) > 1)} ({', '.join(sorted(set(gpus)))})"
    cores = num_cores()
    return f"the CPU, {cores} core{'s' * (cores > 1)}"
