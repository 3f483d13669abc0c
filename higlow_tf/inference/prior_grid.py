"""Log-likelihoods of many maps on one grid over the prior, and their calibrated posterior density at the truth."""

import numpy as np
from scipy.interpolate import make_interp_spline
from scipy.special import ndtr

from higlow_tf.errors import InputError
from higlow_tf.inference.cells import Cells, denser_mass

__all__ = ["MAX_SMOOTHING", "PriorGrid"]

_MIN_SPLINE_POINTS = 4

# Points an axis to which likelihoods are interpolated, by number of parameters: cells of a few per cent of a calibrated
# posterior, at some 10 MB for hundred maps. With more parameters the grid stays as it is.
_FINE_POINTS = {1: 256, 2: 48, 3: 32}

# The prior is [-1, 1]; a Gaussian of a standard deviation above a quarter of it would need a second reflection.
MAX_SMOOTHING = 0.5

_TINY = 1e-300


class PriorGrid:
    """Log-likelihoods on the cells of a regular grid over the prior, in the prior's own coordinates.

    Up to three parameters, cubic splines take them to finer cells than they were computed on.

    Args:
        log_likelihood: Raw log-likelihoods `[N, G]`; -inf and NaN count as the least finite one of the row.
        theta_grid: Centres `[G, P]` of equal cells of the prior (equal in log for log-uniform parameters), in any order.
        parameters: `ParameterSpace` of the `P` columns.

    Raises:
        InputError: If the points are not such a grid or have fewer than four values of a parameter, shapes disagree, or a
            row has no finite log-likelihood.
    """

    def __init__(self, log_likelihood, theta_grid, parameters):
        self.parameters = parameters
        normalized = parameters.normalize(theta_grid)
        log_likelihood = np.asarray(log_likelihood, np.float64)
        if normalized.ndim != 2 or log_likelihood.ndim != 2 or log_likelihood.shape[1] != len(normalized):
            raise InputError(
                "log_likelihood, theta_grid: expected arrays [N, G] and [G, P]. "
                f"Received: {log_likelihood.shape} and {normalized.shape}."
            )
        is_finite = np.isfinite(log_likelihood)
        if not is_finite.any(axis=1).all():
            row = int(np.argmin(is_finite.any(axis=1)))
            raise InputError(f"log_likelihood: expected a finite number in every row. Received: none in row {row}.")
        least = np.min(np.where(is_finite, log_likelihood, np.inf), axis=1, keepdims=True)
        shape, order = _grid_order(normalized)
        values = np.empty_like(log_likelihood)
        values[:, order] = np.where(is_finite, log_likelihood, least)
        values = values.reshape(-1, *shape)
        for axis, num_points in enumerate(shape):
            fine = max(num_points, _FINE_POINTS.get(len(shape), num_points))
            spline = make_interp_spline(_centres(num_points), values, k=3, axis=axis + 1)
            values = spline(_centres(fine))
        self.log_likelihood = values

    def log_density_ratio(self, tempering, widening, truth, log_likelihood=None):
        """Log of calibrated posterior over prior density at the truth, in nats.

        Math:
            posterior = exp(tempering * log-likelihood) * prior, convolved with a Gaussian that the prior's edges reflect

        Between the cells' centres the log-density is interpolated linearly; the outermost half cells are flat.

        Args:
            tempering: Factor of the log-likelihood.
            widening: Standard deviation of the Gaussian for each parameter, `[P]`, in the units of theta.
            truth: True parameters `[N, P]`.
            log_likelihood: Other likelihoods on the fine cells, `[N, n_1, ..., n_P]`; None for those of the maps.

        Returns:
            `[N]`.
        """
        log_likelihood = self.log_likelihood if log_likelihood is None else log_likelihood
        num_rows, *shape = log_likelihood.shape
        mass = _tempered(log_likelihood, tempering)
        at = self.parameters.normalize(truth)
        sds = [self._normalized_sd(mass, axis, sd) for axis, sd in enumerate(widening)]
        fractions = []
        for axis, num_points in enumerate(shape):
            position = np.clip((at[:, axis] + 1.0) / 2.0 * num_points - 0.5, 0.0, num_points - 1.0)
            first = np.minimum(position.astype(int), num_points - 2)
            fractions.append(position - first)
            neighbours = _centres(num_points)[first[:, None] + np.arange(2)]
            weights = _smoothing_weights(neighbours, num_points, sds[axis])
            # The first axis that is left is contracted; that of the two neighbours goes to the end.
            contracted = weights @ mass.reshape(num_rows, num_points, -1)
            mass = np.moveaxis(contracted.reshape(num_rows, 2, *mass.shape[2:]), 1, -1)
        log_density = np.log(np.maximum(mass, _TINY)) + np.log(np.prod(shape))
        for fraction in reversed(fractions):
            weight = fraction.reshape(-1, *[1] * (log_density.ndim - 2))
            log_density = (1 - weight) * log_density[..., 0] + weight * log_density[..., 1]
        return log_density

    @property
    def shape(self):
        """Cells along each parameter."""
        return self.log_likelihood.shape[1:]

    @property
    def points(self):
        """Centres of the cells, physical, `[G, P]`, the last parameter varying fastest."""
        return self.parameters.denormalize(self._cells.points())

    def log_mass(self, tempering, widening):
        """Log of the calibrated mass of each cell, in the order of `points`, `[N, G]`."""
        mass = _tempered(self.log_likelihood, tempering)
        sds = [self._normalized_sd(mass, axis, sd) for axis, sd in enumerate(widening)]
        num_rows, *shape = mass.shape
        for num_points, sd in zip(shape, sds, strict=True):
            everywhere = np.broadcast_to(_centres(num_points), (num_rows, num_points))
            smoothed = _smoothing_weights(everywhere, num_points, sd) @ mass.reshape(num_rows, num_points, -1)
            mass = np.moveaxis(smoothed.reshape(mass.shape), 1, -1)
        mass = mass.reshape(num_rows, -1)
        return np.log(np.maximum(mass / mass.sum(axis=1, keepdims=True), _TINY))

    def hpd_level(self, log_mass, theta):
        """Mass denser than theta `[N, P]` of the posteriors that `log_mass` returned, `[N]`."""
        pairs = zip(log_mass, self.parameters.normalize(theta), strict=True)
        return np.array([denser_mass(row.reshape(self.shape), self._cells, point) for row, point in pairs])

    @property
    def _cells(self):
        ones = np.ones(len(self.parameters))
        return Cells(-ones, ones, self.shape)

    def _normalized_sd(self, mass, axis, widening):
        """The widening in the prior's coordinates, `[N]`; see `Calibration` for log-uniform parameters."""
        spec = self.parameters.specs[axis]
        if spec.transform == "linear":
            return np.full(len(mass), 2.0 * widening / (spec.high - spec.low))
        others = tuple(other + 1 for other in range(mass.ndim - 1) if other != axis)
        log_theta = np.log(spec.low) + 0.5 * (_centres(mass.shape[axis + 1]) + 1.0) * np.log(spec.high / spec.low)
        mean = mass.sum(axis=others) @ np.exp(log_theta)
        return 2.0 * widening / mean / np.log(spec.high / spec.low)


def _smoothing_weights(at, num_points, sd):
    """Weights of the cells of [-1, 1] in the convolution with a Gaussian that both edges reflect.

    Args:
        at: Where the result is wanted, `[N, A]`.
        num_points: Number of cells; the mass of each is spread evenly over it.
        sd: Standard deviation `[N]`; with 0 each point has the mass of its own cell.

    Returns:
        `[N, A, num_points]`: mass of a cell times these, summed, is the mass of a cell's width round the point.
    """
    edges = np.linspace(-1.0, 1.0, num_points + 1)
    scale = np.clip(sd, 1e-9, MAX_SMOOTHING)[:, None, None]
    cumulative = sum(
        sign * ndtr((image - at[..., None]) / scale)
        for sign, image in ((1.0, edges), (-1.0, 2.0 - edges), (-1.0, -2.0 - edges))
    )
    return np.diff(cumulative, axis=-1)


def _tempered(log_likelihood, tempering):
    """Masses proportional to exp(tempering * log_likelihood), which sum to one in every row."""
    flat = log_likelihood.reshape(len(log_likelihood), -1)
    mass = np.exp(tempering * (flat - flat.max(axis=1, keepdims=True)))
    return (mass / mass.sum(axis=1, keepdims=True)).reshape(log_likelihood.shape)


def _centres(num_points):
    return (np.arange(num_points) + 0.5) / num_points * 2.0 - 1.0


def _grid_order(normalized):
    """Cells an axis, and the flat position of each point; refuses points that are not the centres of all cells."""
    # Round off a tenth of the finest conceivable cell, so that a logarithm's rounding does not split a value in two.
    unique = [np.unique(column.round(6), return_inverse=True) for column in normalized.T]
    shape = tuple(len(values) for values, _ in unique)
    is_regular = np.prod(shape) == len(normalized) and all(
        np.allclose(values, _centres(len(values)), atol=1e-4 / len(values)) for values, _ in unique
    )
    if not is_regular or min(shape) < _MIN_SPLINE_POINTS:
        raise InputError(
            "theta_grid: expected the centres of a regular grid of equal cells over the prior, four or more a parameter. "
            f"Received: {len(normalized)} points with {list(shape)} values."
        )
    order = np.ravel_multi_index([position for _, position in unique], shape)
    if len(np.unique(order)) < len(order):
        raise InputError("theta_grid: expected every point once. Received: repeated points.")
    return shape, order
