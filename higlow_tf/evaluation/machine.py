"""The limits of this machine: how quickly it multiplies matrices and copies memory."""

import concurrent.futures
import time
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

__all__ = ["MachineRates", "measure_rates"]

# Float32 matrices of this size are multiplied at the highest rate; copies of so many bytes do not stay in a cache.
_MATRIX_SIZE = 1024
_COPIED_BYTES = 2**28
_ROUNDS = 7


@dataclass(frozen=True)
class MachineRates:
    """What a CPU second of this machine can do at most.

    Attributes:
        operations_per_s: Floating-point operations of a product of two float32 matrices (sgemm), a CPU second.
        bytes_per_s: Bytes read and written by a copy in memory, a CPU second.
    """

    operations_per_s: float
    bytes_per_s: float

    def least_seconds(self, operations, moved_bytes):
        """CPU seconds below which nothing can go that computes and moves so much: the longer of the two."""
        return max(operations / self.operations_per_s, moved_bytes / self.bytes_per_s)


def measure_rates(threads):
    """Measures the rates of the CPU in about two seconds; the best of some rounds, since other programs only lower them.

    Args:
        threads: Threads that copy at once. For the products, TensorFlow must have been told its threads before.

    Returns:
        `MachineRates`.
    """
    with tf.device("CPU:0"):
        matrix = tf.random.stateless_normal([_MATRIX_SIZE, _MATRIX_SIZE], seed=(0, 0))
        product_s = min(_cpu_seconds(lambda: tf.matmul(matrix, matrix).numpy()) for _ in range(_ROUNDS))
    source, target = (np.ones(_COPIED_BYTES // 4, np.float32) for _ in range(2))
    parts = list(zip(np.array_split(target, threads), np.array_split(source, threads), strict=True))
    with concurrent.futures.ThreadPoolExecutor(threads) as executor:
        copy_s = min(_cpu_seconds(lambda: list(executor.map(_copy, parts))) for _ in range(_ROUNDS))
    return MachineRates(2 * _MATRIX_SIZE**3 / product_s, 2 * _COPIED_BYTES / copy_s)


def _copy(pair):
    np.copyto(*pair)


def _cpu_seconds(function):
    start = time.process_time()
    function()
    return time.process_time() - start
