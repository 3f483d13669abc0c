"""Minkowski functionals of the excursion sets of periodic maps."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from higlow_tf.diagnostics.fields import as_square_maps
from higlow_tf.diagnostics.power_spectrum import check_box_size
from higlow_tf.diagnostics.summaries import Summary
from higlow_tf.errors import InputError

__all__ = ["MinkowskiFunctionals", "minkowski_functionals"]

# One pixel to the right, down, and along both diagonals: the lines of Crofton's formula, and their lengths in pixels.
_LINES = (((0, 1), 1.0), ((1, 0), 1.0), ((1, 1), np.sqrt(2)), ((1, -1), np.sqrt(2)))


@dataclass(frozen=True)
class MinkowskiFunctionals:
    """The three functionals of each map, at the same thresholds.

    Attributes:
        area: Share of the pixels above the threshold.
        perimeter: Length of the boundary per area, h/Mpc.
        euler: Euler characteristic (pieces minus holes) per area, (h/Mpc)**2.
    """

    area: Summary
    perimeter: Summary
    euler: Summary


def minkowski_functionals(
    fields: ArrayLike,
    box_size_mpc_h: float,
    thresholds: Float[np.ndarray, " K"],
    *,
    mean: float = 0.0,
    sd: float = 1.0,
) -> MinkowskiFunctionals:
    """Measures the Minkowski functionals of the pixels above each threshold, map by map.

    Definition: of the set field > mean + threshold * sd, with a = box_size_mpc_h / n
        area = share of its pixels
        perimeter = pi / (2 a) * mean over 4 directions of (share of neighbours of which one is in the set) / length
        euler = (share of 2x2 squares with one pixel in the set - share of those with three) / (4 a**2)

    Convention: the perimeter is Crofton's formula with lines along rows, columns (length 1) and both diagonals (length
        sqrt(2)). The Euler characteristic is the mean of those with 4 and with 8 neighbours, so that the set and its
        complement differ in the sign only.
        Lattice bias: for a smooth isotropic field both tend to the continuous functionals from below. Where the
        correlation length (sd of a Gaussian field over that of its gradient) is 2 pixels, the perimeter is 2 % low and
        the Euler characteristic 1 %; at 1 pixel 8 % and 5 %. The perimeter of a straight edge is right within 6 %.
        Real and generated maps share the bias.

    Units: fields, mean and sd in the same unit; perimeter in h/Mpc, Euler characteristic in (h/Mpc)**2.

    What it can and cannot show: the three together, all that is additive and does not depend on position or orientation: how
        much lies above a threshold, how ragged it is and how connected. They do not show at which scale.

    Checked against: the closed forms of a Gaussian field [1, 2]; scikit-image's Euler number and Crofton perimeter.

    Args:
        fields: `[N, n, n]`, for example from `log10_field`.
        box_size_mpc_h: Side of the box, Mpc/h.
        thresholds: In units of `sd` above `mean`, ascending, `[K]`.
        mean, sd: Of the pixels of the real maps, so that real and generated maps are cut at the same values.

    Returns:
        A `MinkowskiFunctionals`.

    Raises:
        InputError: If the fields are not finite and square, the box has no size, or the thresholds do not ascend.

    References:
        [1] Tomita. Statistical properties of random interface systems. Progress of Theoretical Physics 1986.
        [2] Schmalzing and Gorski. Minkowski functionals used in the morphological analysis of cosmic microwave
            background anisotropy maps. MNRAS 1998. https://arxiv.org/abs/astro-ph/9710185
    """
    fields = as_square_maps(fields, "fields")
    check_box_size(box_size_mpc_h)
    values = mean + thresholds * sd
    if not np.all(np.diff(values) > 0):
        raise InputError(f"thresholds: expected ascending numbers, and a positive sd. Received: {thresholds}, sd {sd}.")
    shares = np.empty((len(fields), 3, len(thresholds)))
    for row, field in zip(shares, fields, strict=True):
        row[:] = _shares(np.searchsorted(values, field), len(thresholds))
    pixel_mpc_h = box_size_mpc_h / fields.shape[1]

    def summary(name: str, label: str, value_label: str, values: np.ndarray) -> Summary:
        return Summary(f"minkowski_{name}", label, thresholds, "threshold (sd of the real pixels)", value_label, values)

    return MinkowskiFunctionals(
        summary("area", "Area above a threshold", "share of the area", shares[:, 0]),
        summary("perimeter", "Boundary length", "length per area (h/Mpc)", np.pi / (2 * pixel_mpc_h) * shares[:, 1]),
        summary(
            "euler",
            "Euler characteristic",
            "pieces less holes per area ((h/Mpc)^2)",
            shares[:, 2] / (4 * pixel_mpc_h**2),
        ),
    )


def _shares(num_below: Int[np.ndarray, "n n"], num_thresholds: int) -> Float[np.ndarray, "3 K"]:
    """Shares of pixels, of cut neighbours (mean over directions, over length) and of squares with one less three pixels.

    At every threshold at once: a pair is cut while the larger value is above and the smaller is not; a square has one
    pixel in the set between its two largest values, three between its two smallest.

    Args:
        num_below: How many thresholds lie below each pixel.
        num_thresholds: K.
    """

    def share_above(values: np.ndarray) -> np.ndarray:
        counts = np.bincount(values.ravel(), minlength=num_thresholds + 1)
        return np.cumsum(counts[::-1])[::-1][1:] / num_below.size

    cut = np.zeros(num_thresholds)
    for shift, length in _LINES:
        neighbour = np.roll(num_below, shift, axis=(0, 1))
        larger, smaller = np.maximum(num_below, neighbour), np.minimum(num_below, neighbour)
        cut += (share_above(larger) - share_above(smaller)) / length
    corners = [np.roll(num_below, shift, axis=(0, 1)) for shift in ((0, 0), (0, 1), (1, 0), (1, 1))]
    first, second, third, fourth = (share_above(values) for values in np.sort(corners, axis=0))
    return np.stack([share_above(num_below), cut / len(_LINES), (fourth - third) - (second - first)])
