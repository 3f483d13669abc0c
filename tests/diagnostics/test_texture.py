"""Texture features against pairs counted one by one, and pixels without structure."""

import numpy as np
import pytest

from higlow_tf.diagnostics import texture
from higlow_tf.diagnostics.texture import DISTANCES, PROPERTIES, grey_level_edges
from higlow_tf.errors import InputError

ROUNDING = 1e-9  # sums of a few hundred float64


def features_of(fields, edges):
    """Features of each map, `[N, property, distance]`."""
    return texture(fields, edges).values.reshape(len(fields), len(PROPERTIES), len(DISTANCES))


def test_equals_pairs_counted_one_by_one():
    field = np.random.default_rng(0).normal(size=(9, 9)).cumsum(axis=0)
    edges = np.array([-1.0, 0.0, 1.5])
    levels = np.searchsorted(edges, field)
    features = features_of(field[None], edges)[0]
    for column, distance in enumerate(DISTANCES):
        matrix = np.zeros((4, 4))
        for y, x in np.ndindex(9, 9):
            for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
                level, neighbour = levels[y, x], levels[(y + distance * dy) % 9, (x + distance * dx) % 9]
                matrix[level, neighbour] += 1
                matrix[neighbour, level] += 1
        matrix /= matrix.sum()
        i, j = np.indices(matrix.shape)
        mean = np.sum(matrix * i)
        expected = [
            np.sum(matrix * (i - j) ** 2),
            np.sum(matrix / (1 + (i - j) ** 2)),
            np.sum(matrix * (i - mean) * (j - mean)) / np.sum(matrix * (i - mean) ** 2),
            np.sqrt(np.sum(matrix**2)),
        ]
        assert features[:, column] == pytest.approx(expected, rel=ROUNDING)


def test_pixels_without_structure():
    fields = np.random.default_rng(1).normal(size=(60, 32, 32))
    mean = features_of(fields, grey_level_edges(fields)).mean(axis=0)
    num_levels = 16
    difference = np.abs(np.subtract.outer(np.arange(num_levels), np.arange(num_levels)))
    # 60 * 32**2 pixels in four directions: relative noise below 0.5 %, that of the correlation 0.004.
    assert mean[0] == pytest.approx((num_levels**2 - 1) / 6, rel=0.02)
    assert mean[1] == pytest.approx(np.mean(1 / (1 + difference**2)), rel=0.02)
    assert mean[2] == pytest.approx(0.0, abs=0.02)
    # 8192 ordered pairs a map, each twice, in 256 cells: noise adds 2 * 256 / 8192 to the square of the energy.
    assert mean[3] ** 2 * num_levels**2 == pytest.approx(1 + 2 * 256 / 8192, rel=0.02)


def test_levels_hold_equally_many_pixels_and_are_ranks():
    fields = np.random.default_rng(2).normal(size=(4, 16, 16))
    edges = grey_level_edges(fields)
    assert np.bincount(np.searchsorted(edges, fields.ravel())) == pytest.approx(np.full(16, 64), abs=1)
    assert np.array_equal(texture(np.exp(fields), np.exp(edges)).values, texture(fields, edges).values)


def test_one_level_everywhere():
    features = features_of(np.zeros((1, 8, 8)), np.array([1.0, 2.0]))[0]
    assert features == pytest.approx(np.array([0.0, 1.0, 1.0, 1.0])[:, None] * np.ones(len(DISTANCES)))


@pytest.mark.parametrize(
    ("fields", "edges", "message"),
    [
        (np.ones((1, 7, 7)), np.array([0.0]), r"at least 8 pixels a side\. Received: 7"),
        (np.ones((1, 8, 8)), np.array([1.0, 0.0]), r"edges: expected ascending"),
    ],
)
def test_wrong_input(fields, edges, message):
    with pytest.raises(InputError, match=message):
        texture(fields, edges)
