"""What the contracts of bijectors, networks and flows say with: a requirement that is kept, or a `ContractError`."""

import numpy as np
import tensorflow as tf

__all__ = ["ContractError", "require", "require_close", "require_equal", "require_gradients"]


class ContractError(Exception):
    """Something breaks its contract."""


def require(condition, message):
    if not condition:
        raise ContractError(message)


def require_close(actual, expected, tolerance, what):
    """|actual - expected| / max(1, |expected|) is at most `tolerance` everywhere, and the shapes are the same."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    require(actual.shape == expected.shape, f"{what}: expected shape {expected.shape}. Received: {actual.shape}")
    error = np.max(np.abs(actual - expected) / np.maximum(1.0, np.abs(expected)))
    require(error <= tolerance, f"{what}: expected a relative error of at most {tolerance:.0e}. Received: {error:.1e}")


def require_equal(actual, expected, what):
    """The same numbers to the last bit; NaN equals NaN."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    is_same = actual.shape == expected.shape and np.array_equal(actual, expected, equal_nan=True)
    require(is_same, f"{what}: expected the same numbers to the last bit")


def require_gradients(value_fn, variables, what):
    """The gradient of a scalar reaches every variable, finite and not all zero."""
    with tf.GradientTape() as tape:
        value = value_fn()
    gradients = tape.gradient(value, [variable.value for variable in variables])
    for variable, gradient in zip(variables, gradients, strict=True):
        name = f"gradient of {what} for {variable.path} {tuple(variable.shape)}"
        require(gradient is not None, f"{name}: None")
        require(np.isfinite(gradient).all(), f"{name}: not finite")
        require(np.any(gradient != 0.0), f"{name}: zero")
