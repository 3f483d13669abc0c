"""How many threads TensorFlow takes in a process."""

import tensorflow as tf

__all__ = ["use_threads"]


def use_threads(number):
    """Bounds the threads of TensorFlow; before its first computation. None leaves its own choice.

    TensorFlow computes one request after the other here: its threads share the work of one call.
    """
    if number is not None:
        tf.config.threading.set_intra_op_parallelism_threads(number)
        tf.config.threading.set_inter_op_parallelism_threads(number)
