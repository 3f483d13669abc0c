"""Posteriors as weighted points: cells of a grid or draws."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import RegularGridInterpolator
from scipy.special import logsumexp
from scipy.stats import gaussian_kde

from higlow_tf.errors import InputError

__all__ = ["WeightedPoints", "cell_edges"]

# A cubic spline takes four points an axis.
_MIN_SPLINE_POINTS = 4


class WeightedPoints:
    """Posteriors of N maps, each at G points that carry mass, beside the true parameters.

    Args:
        theta_points: Points `[N, G, P]`, or `[G, P]` for all maps: the centres of the cells of a product grid, or draws.
        log_mass: Log of the posterior mass of each point, `[N, G]`, up to a constant a map; -inf for no mass.
        truth: True parameters `[N, P]`.

    Raises:
        InputError: If shapes disagree, a point or a truth is not finite, or a row has NaN or no mass.
    """

    def __init__(self, theta_points: ArrayLike, log_mass: ArrayLike, truth: ArrayLike):
        points, log_mass = np.asarray(theta_points, np.float64), np.asarray(log_mass, np.float64)
        truth = np.asarray(truth, np.float64)
        if log_mass.ndim != 2 or not log_mass.size or truth.ndim != 2 or len(truth) != len(log_mass):
            raise InputError(
                "log_mass, truth: expected arrays [N, G] and [N, P] that are not empty. "
                f"Received: {log_mass.shape} and {truth.shape}."
            )
        shape = (*log_mass.shape, truth.shape[1])
        if points.shape not in (shape, shape[1:]):
            raise InputError(f"theta_points: expected the shape {shape} or {shape[1:]}. Received: {points.shape}.")
        if not (np.isfinite(points).all() and np.isfinite(truth).all()):
            raise InputError("theta_points, truth: expected finite parameters. Received: some that are not.")
        peak = log_mass.max(axis=1)
        if not np.isfinite(peak).all():
            row = int(np.argmax(~np.isfinite(peak)))
            raise InputError(f"log_mass: expected a finite largest log-mass in row {row}. Received: {peak[row]}.")
        self.points = np.broadcast_to(points, shape)
        self.log_mass = log_mass - logsumexp(log_mass, axis=1, keepdims=True)
        self.mass = np.exp(self.log_mass)
        self.truth = truth
        self._is_shared = points.ndim == 2

    @property
    def mean(self) -> np.ndarray:
        """Posterior means `[N, P]`."""
        return np.einsum("ng,ngp->np", self.mass, self.points)

    @property
    def sd(self) -> np.ndarray:
        """Posterior standard deviations `[N, P]`.

        Raises:
            InputError: If all mass of a row lies in one value of a parameter: the grid does not resolve it.
        """
        sd = np.sqrt(np.einsum("ng,ngp->np", self.mass, (self.points - self.mean[:, None]) ** 2))
        if np.any(sd == 0):
            raise InputError(
                f"theta_points: expected points that resolve every posterior. Received: row {int(np.argmin(sd.min(1)))} "
                "has all of its mass at one value."
            )
        return sd

    @property
    def box(self) -> tuple[np.ndarray, np.ndarray]:
        """Smallest and largest coordinates of all points, each `[P]`."""
        return self.points.min(axis=(0, 1)), self.points.max(axis=(0, 1))

    def log_density_at_truth(self) -> np.ndarray:
        """Log of the posterior density at the truth, `[N]`, in nats per unit of theta.

        On a product grid: a cubic spline through log(mass / cell volume), which continues beyond the outermost centres.
        For draws: a Gaussian kernel estimate (Scott's bandwidth). It is too wide: for a thousand draws of a Gaussian about
        0.05 nats too low for each parameter, and more at an edge of the prior.
        """
        density = np.empty(len(self.truth))
        grid = _ProductGrid.find(self.points[0]) if self._is_shared else None
        for row, truth in enumerate(self.truth):
            own = grid if self._is_shared else _ProductGrid.find(self.points[row])
            if own is not None:
                density[row] = own.log_density(self.log_mass[row], truth)
            else:
                density[row] = gaussian_kde(self.points[row].T, weights=self.mass[row]).logpdf(truth)[0]
        return density


class _ProductGrid:
    """Cell centres that are all combinations of some values of each parameter."""

    def __init__(self, axes: list[np.ndarray], order: np.ndarray):
        self._axes = axes
        self._order = order
        widths = [np.diff(cell_edges(axis)) for axis in axes]
        self._log_volume = sum(
            np.log(w).reshape([-1 if p == q else 1 for q in range(len(axes))]) for p, w in enumerate(widths)
        )

    @classmethod
    def find(cls, points: np.ndarray) -> "_ProductGrid | None":
        """The grid of points `[G, P]` in any order; None if they are no such grid, or too coarse for a spline."""
        unique = [np.unique(column, return_inverse=True) for column in points.T]
        shape = tuple(len(values) for values, _ in unique)
        if min(shape) < _MIN_SPLINE_POINTS or np.prod(shape) != len(points):
            return None
        order = np.ravel_multi_index([position for _, position in unique], shape)
        return cls([values for values, _ in unique], order) if len(np.unique(order)) == len(points) else None

    def log_density(self, log_mass: np.ndarray, truth: np.ndarray) -> float:
        values = np.empty(len(log_mass))
        # A spline takes no -inf: a point without mass is put one e-fold below the least mass.
        values[self._order] = np.where(np.isfinite(log_mass), log_mass, log_mass[np.isfinite(log_mass)].min() - 1.0)
        values = values.reshape([len(axis) for axis in self._axes]) - self._log_volume
        spline = RegularGridInterpolator(self._axes, values, method="cubic", bounds_error=False, fill_value=None)
        return float(spline(truth)[0])


def cell_edges(centres: np.ndarray) -> np.ndarray:
    """Edges of the cells round sorted centres `[n]` -> `[n + 1]`: halfway, the outer cells as wide as their inner side."""
    inner = 0.5 * (centres[1:] + centres[:-1])
    return np.concatenate([[2 * centres[0] - inner[0]], inner, [2 * centres[-1] - inner[-1]]])
