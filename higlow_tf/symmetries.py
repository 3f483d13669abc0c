"""The symmetries of the square: what can be done to a periodic map besides shifting it without changing its physics."""

import numpy as np

__all__ = ["NUM_SQUARE_SYMMETRIES", "square_symmetry"]

NUM_SQUARE_SYMMETRIES = 8
"""Rotations and reflections that map a square onto itself."""


def square_symmetry(maps, number):
    """Applies one of the eight to maps `[N, n, n, ...]`: `number % 4` quarter turns, and from 4 on a transposition after them."""
    turned = np.rot90(maps, number % 4, axes=(1, 2))
    return np.swapaxes(turned, 1, 2) if number % NUM_SQUARE_SYMMETRIES >= 4 else turned
