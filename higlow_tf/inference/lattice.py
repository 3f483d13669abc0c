"""Log-likelihoods on equally spaced points of a box, the spline through them, and finer points in the same or a smaller box."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.interpolate import make_interp_spline

__all__ = ["Lattice", "LatticeValues", "spline_through"]

# Non-finite log-densities count as this many nats below the least finite one.
_BELOW_LEAST = 50.0


@dataclass(frozen=True)
class Lattice:
    """Equally spaced points of a box, which include its edges; the last axis varies fastest.

    Args:
        low: Lower corner, `[P]`.
        high: Upper corner, `[P]`.
        shape: Points an axis, a tuple of P, each 2 or more.
    """

    low: np.ndarray
    high: np.ndarray
    shape: tuple

    @cached_property
    def axes(self):
        """Coordinates along each axis, P arrays."""
        return [np.linspace(*edges) for edges in zip(self.low, self.high, self.shape, strict=True)]

    @property
    def spacing(self):
        """Distance of neighbours along each axis, `[P]`."""
        return (self.high - self.low) / (np.array(self.shape) - 1)

    def points(self):
        """All points, `[G, P]`."""
        return np.stack([axis.ravel() for axis in np.meshgrid(*self.axes, indexing="ij")], axis=-1)


@dataclass(frozen=True)
class LatticeValues:
    """A function on a lattice, evaluated at some of its points.

    Args:
        lattice: `Lattice`.
        values: `[n_1, ..., n_P]`; -inf where the likelihood is zero.
        is_evaluated: Which values are those of the function, of the same shape; the others are those of a spline.
    """

    lattice: Lattice
    values: np.ndarray
    is_evaluated: np.ndarray

    @classmethod
    def evaluate(cls, function, lattice):
        """Calls `function`, points `[G, P]` -> `[G]`, at all points."""
        return cls(lattice, function(lattice.points()).reshape(lattice.shape), np.ones(lattice.shape, bool))

    @property
    def highest(self):
        """The largest value that was evaluated."""
        return self.values[self.is_evaluated].max()

    @property
    def is_finite(self):
        """Whether all values are."""
        return bool(np.isfinite(self.values).all())

    def at(self, coordinates, orders=None, thinned=None):
        """The spline through the values, on the product of one array of coordinates an axis.

        A cubic spline would ring where some values are not finite. Then it is linear, and they count as 50 nats below the least
        finite value.

        Args:
            coordinates: P arrays.
            orders: Order of the spline along each axis, 1, 3 or 5; None for the usual one.
            thinned: An axis along which only every second value (and the last one) is used; None for all values.

        Returns:
            `[len(coordinates[0]), ..., len(coordinates[P - 1])]`.
        """
        values, order = self._filled, 3 if self.is_finite else 1
        for axis, (nodes, at) in enumerate(zip(self.lattice.axes, coordinates, strict=True)):
            if axis == thinned:
                kept = np.unique([*range(0, len(nodes), 2), len(nodes) - 1])
                nodes, values = nodes[kept], np.take(values, kept, axis=axis)
            values = spline_through(nodes, values, at, axis, order if orders is None else orders[axis])
        return values

    @property
    def _filled(self):
        least = self.values[np.isfinite(self.values)].min()
        return np.where(np.isfinite(self.values), self.values, least - _BELOW_LEAST)

    def finer(self, function, first, last, factors, is_wanted):
        """More points in a part of the box. What has been evaluated is kept.

        Args:
            function: Points `[G, P]` -> `[G]`; called once, at the points that are wanted and not known.
            first, last: Indices of the lattice at the corners of the part, `[P]` each.
            factors: New intervals for each old one along each axis, `[P]`.
            is_wanted: Function of the new `Lattice` and the values of the spline there; it says which points are to be
                evaluated. The others keep the value of the spline.

        Returns:
            `LatticeValues`.
        """
        corners = [[nodes[i] for nodes, i in zip(self.lattice.axes, corner, strict=True)] for corner in (first, last)]
        lattice = Lattice(*np.array(corners), tuple(int(n) for n in (last - first) * factors + 1))
        values, is_evaluated = self.at(lattice.axes), np.zeros(lattice.shape, bool)
        new = tuple(slice(None, None, int(factor)) for factor in factors)
        old = tuple(slice(i, j + 1) for i, j in zip(first, last, strict=True))
        values[new], is_evaluated[new] = self.values[old], self.is_evaluated[old]
        is_missing = is_wanted(lattice, values) & ~is_evaluated
        if is_missing.any():
            values[is_missing] = function(lattice.points()[is_missing.ravel()])
        return LatticeValues(lattice, values, is_evaluated | is_missing)


def spline_through(nodes, values, at, axis, order=3):
    """Spline along one axis; its order is lower, and odd, where there are too few nodes.

    Args:
        nodes: Ascending coordinates `[n]`.
        values: Finite, with n of them along `axis`.
        at: Coordinates `[m]`.
        axis: Which axis.
        order: 1, 3 or 5; the spline is exact for polynomials of this order.

    Returns:
        Values with m in the place of n.
    """
    order = next(lower for lower in (5, 3, 1) if lower <= min(order, len(nodes) - 1))
    return make_interp_spline(nodes, values, k=order, axis=axis)(at)
