"""Texture features: which grey levels are neighbours in periodic maps."""

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from skimage.feature import graycomatrix, graycoprops

from higlow_tf.diagnostics.fields import as_square_maps
from higlow_tf.diagnostics.summaries import Summary
from higlow_tf.errors import InputError

__all__ = ["DISTANCES", "PROPERTIES", "grey_level_edges", "texture"]

PROPERTIES = ("contrast", "homogeneity", "correlation", "energy")
"""Features of a co-occurrence matrix, by their names in scikit-image."""

DISTANCES = (1, 2, 4)
"""Distances of the pairs, pixels along each axis."""

_NUM_LEVELS = 16
# The angle of each direction, its length for one pixel along each of its axes, and on which sides it needs pixels beyond
# the map: (below, left, right).
_DIRECTIONS = (
    (0.0, 1.0, (0, 0, 1)),
    (np.pi / 4, np.sqrt(2), (1, 0, 1)),
    (np.pi / 2, 1.0, (1, 0, 0)),
    (3 * np.pi / 4, np.sqrt(2), (1, 1, 0)),
)


def grey_level_edges(fields: ArrayLike) -> Float[np.ndarray, " L-1"]:
    """Returns the quantiles that divide the pixels into 16 grey levels of equal size. Take them from real maps."""
    return np.quantile(as_square_maps(fields, "fields"), np.arange(1, _NUM_LEVELS) / _NUM_LEVELS)


def texture(fields: ArrayLike, edges: Float[np.ndarray, " L-1"]) -> Summary:
    """Measures Haralick's features of the grey-level co-occurrence matrix of each of a stack of square periodic fields.

    Definition: G(i, j) = share of the pairs of pixels at a distance that have the levels i and j (0 ... L - 1)
        contrast = sum(G * (i - j)**2)                homogeneity = sum(G / (1 + (i - j)**2))
        correlation = correlation of i and j          energy = sqrt(sum(G**2))

    Convention: pairs d pixels apart along rows, columns and both diagonals (d along each axis), in both orders, over
        the edges of the periodic map; G is the mean over these directions, so that the features do not depend on
        orientation. Levels are ranks: a monotone change of the pixels that moves no pixel across an edge is not seen.
        The features are in the order of `PROPERTIES`, each at all `DISTANCES`.

    Units: features of grey levels have none.

    What it can and cannot show: the joint distribution of two pixels beyond their covariance, at short distances. It does not
        see what three pixels do together.

    Checked against: the pairs counted one by one; pixels without structure.

    Args:
        fields: `[N, n, n]`, for example from `log10_field`.
        edges: Values between the levels, ascending, from `grey_level_edges` of the real fields.

    Returns:
        A `Summary` named "texture" whose x is the number of the feature, from 0.

    Raises:
        InputError: If the fields are not finite and square, smaller than twice the largest distance, or the edges do
            not ascend.

    References:
        [1] Haralick et al. Textural features for image classification. IEEE Trans. Systems, Man and Cybernetics 1973.
    """
    fields = as_square_maps(fields, "fields")
    num_pixels, margin = fields.shape[1], max(DISTANCES)
    if num_pixels < 2 * margin:
        raise InputError(f"fields: expected at least {2 * margin} pixels a side. Received: {num_pixels}.")
    if not np.all(np.diff(edges) >= 0):
        raise InputError(f"edges: expected ascending numbers. Received: {edges}.")
    num_levels = len(edges) + 1
    pairs = np.zeros((num_levels, num_levels, len(DISTANCES), len(fields)))
    for i, field in enumerate(fields):
        padded = np.pad(np.searchsorted(edges, field, side="right").astype(np.uint8), margin, mode="wrap")
        for j, distance in enumerate(DISTANCES):
            pairs[:, :, j, i] = _count_pairs(padded, margin, distance, num_levels)
    # scikit-image's axes of distances and angles hold here distances and maps.
    features = [graycoprops(pairs, name) for name in PROPERTIES]
    return Summary(
        name="texture",
        label=f"Texture of {num_levels} grey levels",
        x=np.arange(len(PROPERTIES) * len(DISTANCES), dtype=np.float64),
        x_label=f"feature ({', '.join(PROPERTIES)}; each at {', '.join(map(str, DISTANCES))} pixels)",
        value_label="feature",
        values=np.concatenate(features).T,
    )


def _count_pairs(padded: np.ndarray, margin: int, distance: int, num_levels: int) -> np.ndarray:
    """Symmetric co-occurrence matrix `[L, L]` of the map within the margin, added up over the directions.

    Each direction is given just the pixels beyond the map that its pairs reach, so that every pixel starts one pair.
    """
    num_pixels = padded.shape[0] - 2 * margin
    total = np.zeros((num_levels, num_levels))
    for angle, length, (below, left, right) in _DIRECTIONS:
        rows = slice(margin, margin + num_pixels + below * distance)
        columns = slice(margin - left * distance, margin + num_pixels + right * distance)
        pairs = graycomatrix(padded[rows, columns], [length * distance], [angle], num_levels, symmetric=True)
        total += pairs[:, :, 0, 0]
    return total
