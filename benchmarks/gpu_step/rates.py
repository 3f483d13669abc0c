"""The limits of a device: how quickly it copies memory and multiplies matrices, through JAX."""

import time

import jax
import jax.numpy as jnp

__all__ = ["measure_rates"]

_ROUNDS = 7
# By kind of device: rows of a square matrix, bytes of a copy that no cache holds, and calls that are begun at once.
_SIZES = {"cpu": (1024, 2**28, 1)}
_OTHER_SIZES = (8192, 2**31, 10)


def measure_rates(platform):
    """The best of some rounds.

    Args:
        platform: What JAX calls its device.

    Returns:
        Dict: `copy_bytes_per_s`, bytes read and written by a copy; `float32_per_s` and `tf32_per_s`, floating-point operations of
        the product of two large float32 matrices, exact and in TensorFloat-32, None where the device has none.
    """
    size, copied, calls = _SIZES.get(platform, _OTHER_SIZES)
    source = jnp.ones(copied // 4, jnp.float32)
    copy_s = _seconds(jax.jit(jnp.copy), (source,), calls)
    matrix = jax.random.normal(jax.random.key(0), (size, size), jnp.float32)
    products = {"float32_per_s": jax.lax.Precision.HIGHEST, "tf32_per_s": jax.lax.DotAlgorithmPreset.TF32_TF32_F32}
    rates = {"copy_bytes_per_s": 2 * copied / copy_s}
    for name, precision in products.items():
        try:
            seconds = _seconds(
                jax.jit(lambda a, b, p=precision: jax.lax.dot(a, b, precision=p)), (matrix, matrix), calls
            )
        except (RuntimeError, ValueError):  # no such unit
            if name == "float32_per_s":
                raise
            rates[name] = None
            continue
        rates[name] = 2 * size**3 / seconds
    return rates


def _seconds(function, arguments, calls):
    """Of one call: the best of some rounds of several."""
    jax.block_until_ready(function(*arguments))
    best = float("inf")
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        for _ in range(calls):
            result = function(*arguments)
        jax.block_until_ready(result)
        best = min(best, (time.perf_counter() - start) / calls)
    return best
