"""What a contract says with: a requirement that is kept, or a `ContractError`."""

import numpy as np

__all__ = ["ContractError", "require", "require_close"]


class ContractError(Exception):
    """Something breaks its contract."""


def require(condition, message):
    """Raises a `ContractError` with the message unless the condition is true."""
    if not condition:
        raise ContractError(message)


def require_close(actual, expected, tolerance, what):
    """|actual - expected| / max(1, |expected|) is at most `tolerance` everywhere, and the shapes are the same."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    require(actual.shape == expected.shape, f"{what}: expected shape {expected.shape}. Received: {actual.shape}")
    error = np.max(np.abs(actual - expected) / np.maximum(1.0, np.abs(expected)))
    require(error <= tolerance, f"{what}: expected a relative error of at most {tolerance:.0e}. Received: {error:.1e}")
