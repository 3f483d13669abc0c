"""Knots of an increasing curve through given points."""

import numpy as np

__all__ = ["knots_through"]

# Of the straight lines beyond the outermost knots.
_SLOPES = (0.3, 3.0)
_LEAST_STEP = 1e-5


def knots_through(x, y):
    """Knots of a `MonotoneCurve` through points, which are drawn apart where they are equal.

    Args:
        x, y: `[C, K]`, not decreasing along the second axis.

    Returns:
        x, y and slope, `[C, K]` each. Slopes are harmonic means of the neighbouring secants, as in a monotone cubic; the
        curve goes on beyond its ends with slopes of 0.3 to 3.
    """
    x, y = _increasing(x), _increasing(y)
    secants = np.diff(y) / np.diff(x)
    inner = 2.0 * secants[:, :-1] * secants[:, 1:] / (secants[:, :-1] + secants[:, 1:])
    ends = np.clip(secants[:, [0, -1]], *_SLOPES)
    return x, y, np.concatenate([ends[:, :1], inner, ends[:, 1:]], axis=1)


def _increasing(knots):
    """The same knots, at least a little apart: equal ones would be a step."""
    steps = np.arange(knots.shape[1]) * _LEAST_STEP
    return np.maximum.accumulate(knots - steps, axis=1) + steps
