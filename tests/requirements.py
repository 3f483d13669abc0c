"""What the contracts of bijectors, networks and flows say with: a requirement that is kept, or a `ContractError`."""

import numpy as np
import tensorflow as tf

from higlow_tf.bijectors.requirements import ContractError, require, require_close

__all__ = ["ContractError", "require", "require_close", "require_equal", "require_gradients"]


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
