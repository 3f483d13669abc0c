"""Functions on the cells of a regular box: interpolation, moments, highest-density masses."""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from higlow_tf.inference.lattice import spline_through

__all__ = ["Cells", "denser_mass", "interpolate", "log_normalized", "peak", "refined"]

# A cell this far below the peak in log-density holds nothing that a float64 sum would notice.
_LOWEST = -700.0
# Zooms of `peak`, each by a factor of 8: from a cell to a thousandth of it.
_NUM_ZOOMS = 3
# Parts that `denser_mass` cuts each cell into, by number of axes: tens of thousands of cells in all.
_CUTS = {1: 32, 2: 4, 3: 2}
# Log-densities closer than their rounding count as equal.
_TIE = 1e-9


@dataclass(frozen=True)
class Cells:
    """A box cut into equal cells; the last axis varies fastest.

    Args:
        low: Lower corner, `[P]`.
        high: Upper corner, `[P]`.
        shape: Cells an axis, a tuple of P.
    """

    low: np.ndarray
    high: np.ndarray
    shape: tuple

    @property
    def width(self):
        """Width of a cell, `[P]`."""
        return (self.high - self.low) / np.array(self.shape)

    def edges(self, axis):
        """Edges of the cells along an axis, `[n + 1]`."""
        return np.linspace(self.low[axis], self.high[axis], self.shape[axis] + 1)

    def centres(self, axis):
        """Centres of the cells along an axis, `[n]`."""
        edges = self.edges(axis)
        return 0.5 * (edges[1:] + edges[:-1])

    def points(self):
        """Centres of all cells, `[G, P]`."""
        axes = np.meshgrid(*[self.centres(axis) for axis in range(len(self.shape))], indexing="ij")
        return np.stack([axis.ravel() for axis in axes], axis=-1)

    def resampled(self, shape):
        """The same box in other cells."""
        return Cells(self.low, self.high, tuple(shape))


def log_normalized(log_density):
    """Log of the mass of each equal cell: sums to one, nothing below the smallest that counts."""
    log_mass = log_density - logsumexp(log_density)
    return np.maximum(log_mass, log_mass.max() + _LOWEST)


def interpolate(log_density, cells, at):
    """Cubic spline of a log-density on the product of one array of coordinates an axis.

    It is exact for a Gaussian (whose log-density is quadratic), also between the outermost centres and the edges.

    Args:
        log_density: `[n_1, ..., n_P]`, finite.
        cells: Where they are.
        at: P arrays of coordinates.

    Returns:
        `[len(at[0]), ..., len(at[P - 1])]`.
    """
    for axis, coordinates in enumerate(at):
        log_density = spline_through(cells.centres(axis), log_density, coordinates, axis)
    return log_density


def refined(log_density, cells, shape):
    """The interpolated log-density on other cells of the same box."""
    fine = cells.resampled(shape)
    return interpolate(log_density, cells, [fine.centres(axis) for axis in range(len(shape))])


def peak(log_density, cells):
    """Where the interpolated log-density is largest inside the box, `[P]`."""
    where = np.unravel_index(np.argmax(log_density), log_density.shape)
    point = np.array([cells.centres(axis)[index] for axis, index in enumerate(where)])
    reach = cells.width.copy()
    for _ in range(_NUM_ZOOMS):
        low, high = np.maximum(point - reach, cells.low), np.minimum(point + reach, cells.high)
        at = [np.linspace(*pair, 17) for pair in zip(low, high, strict=True)]
        where = np.unravel_index(np.argmax(interpolate(log_density, cells, at)), [17] * len(at))
        point = np.array([axis[index] for axis, index in zip(at, where, strict=True)])
        reach /= 8.0
    return point


def denser_mass(log_density, cells, point):
    """Mass of the region that is denser than the box is at `point` `[P]`; 1 outside the box.

    The cells are cut finer, since a cell is either in or out. Cells that are exactly as dense count half: in a flat posterior
    every point has half of the mass above it.
    """
    if np.any(point < cells.low) or np.any(point > cells.high):
        return 1.0
    at_point = interpolate(log_density, cells, [[coordinate] for coordinate in point]).item()
    fine = refined(log_density, cells, [_CUTS[len(cells.shape)] * n for n in cells.shape])
    mass = np.exp(fine - logsumexp(fine))
    denser = mass[fine > at_point + _TIE].sum() + 0.5 * mass[np.abs(fine - at_point) <= _TIE].sum()
    return float(min(denser, 1.0))  # a sum of all masses may exceed one by rounding
