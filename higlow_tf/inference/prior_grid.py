"""Log-likelihoods of many maps on one grid over the prior, and their calibrated posterior density at the truth."""

import numpy as np

from higlow_tf.errors import InputError
from higlow_tf.inference.cells import Cells, denser_mass
from higlow_tf.inference.lattice import spline_through
from higlow_tf.inference.widening import normalized_widening, reflected_kernel

__all__ = ["PriorGrid"]

_MIN_SPLINE_POINTS = 4
# Order of the spline that tells the error of the cubic one.
_OTHER_ORDER = 5

# Points an axis to which likelihoods are interpolated, by number of parameters: cells of a few per cent of a calibrated
# posterior, at some 10 MB for hundred maps. With more parameters the grid stays as it is.
_FINE_POINTS = {1: 256, 2: 48, 3: 32}

_TINY = 1e-300


class PriorGrid:
    """Log-likelihoods on the cells of a regular grid over the prior, in the prior's own coordinates.

    Up to three parameters, cubic splines take them to finer cells than they were computed on.

    Args:
        log_likelihood: Raw log-likelihoods `[N, G]`; -inf and NaN count as the least finite one of the row.
        theta_grid: Points `[G, P]` of a regular grid over the prior (regular in log for log-uniform parameters), in any order:
            equally spaced points that include its edges (`theta_lattice_over_prior`), or the centres of equal cells.
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
        nodes, order = _grid_order(normalized)
        values = np.empty_like(log_likelihood)
        values[:, order] = np.where(is_finite, log_likelihood, least)
        self._nodes, self._values = nodes, values.reshape(-1, *map(len, nodes))
        self.log_likelihood = self._interpolated()

    def interpolation_errors(self, tempering, widening):
        """Estimated error of each calibrated posterior for want of points, in standard deviations, `[N]`.

        Definition: the largest change of a mean or standard deviation, over the widened standard deviation, that a quintic spline
            makes; infinite where there are too few points for it, because then nobody can tell
        """
        if min(map(len, self._nodes)) <= _OTHER_ORDER:
            return np.full(len(self.log_likelihood), np.inf)
        at = self._cells.points()
        (mean, sd), (other_mean, other_sd) = (
            self._moments(values, tempering, widening, at)
            for values in (self.log_likelihood, self._interpolated(_OTHER_ORDER))
        )
        return np.max(np.abs([other_mean - mean, other_sd - sd]) / sd, axis=(0, 2))

    def _moments(self, log_likelihood, tempering, widening, at):
        """Mean and widened standard deviation in normalised coordinates, `[N, P]` each."""
        mass = _tempered(log_likelihood, tempering)
        sd = self._normalized_sd(mass, widening)
        mass = mass.reshape(len(mass), -1)
        mean = mass @ at
        variance = np.maximum(mass @ at**2 - mean**2, (0.1 * self._cells.width) ** 2)
        return mean, np.sqrt(variance + sd**2)

    def _interpolated(self, order=3):
        """Splines of an order on the fine cells, `[N, n_1, ..., n_P]`."""
        values = self._values
        for axis, nodes in enumerate(self._nodes):
            fine = max(len(nodes), _FINE_POINTS.get(len(self._nodes), len(nodes)))
            values = spline_through(nodes, values, _centres(fine), axis + 1, order)
        return values

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
        sd = self._normalized_sd(mass, widening)
        fractions = []
        for axis, num_points in enumerate(shape):
            position = np.clip((at[:, axis] + 1.0) / 2.0 * num_points - 0.5, 0.0, num_points - 1.0)
            first = np.minimum(position.astype(int), num_points - 2)
            fractions.append(position - first)
            # The first axis that is left is contracted; that of the two neighbours goes to the end.
            neighbours = _spread_to_pairs(mass.reshape(num_rows, num_points, -1), sd[:, axis], first)
            mass = np.moveaxis(neighbours.reshape(num_rows, 2, *mass.shape[2:]), 1, -1)
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
        sd = self._normalized_sd(mass, widening)
        num_rows, *shape = mass.shape
        for axis, num_points in enumerate(shape):
            spread = _spread(mass.reshape(num_rows, num_points, -1), sd[:, axis])
            mass = np.moveaxis(spread.reshape(mass.shape), 1, -1)
        mass = mass.reshape(num_rows, -1)
        return np.log(np.maximum(mass / mass.sum(axis=1, keepdims=True), _TINY))

    def hpd_level(self, log_mass, theta):
        """Mass denser than theta `[N, P]` of the posteriors that `log_mass` returned, `[N]`."""
        pairs = zip(log_mass, self.parameters.normalize(theta), strict=True)
        return np.array([denser_mass(row.reshape(self.shape), self._cells, point) for row, point in pairs])

    @property
    def _cells(self):
        edge = np.ones(len(self.parameters))
        return Cells(-edge, edge, self.shape)

    def _normalized_sd(self, mass, widening):
        """The widening in the prior's coordinates: `[N, P]`, or `[1, P]` where it is the same for all maps."""
        if not self.parameters.is_log.any():
            return normalized_widening(self.parameters, widening, np.zeros((1, len(widening))))
        axes = range(1, mass.ndim)
        means = [
            mass.sum(axis=tuple(other for other in axes if other != axis)) @ _centres(mass.shape[axis]) for axis in axes
        ]
        return normalized_widening(self.parameters, widening, np.stack(means, axis=-1))


def _spread(mass, sd):
    """Convolves masses `[N, n, R]` of cells of [-1, 1] along the second axis; sd `[N]` or `[1]`, all 0 or none."""
    if not sd.any():
        # In the memory order of a product too: by it a sum rounds.
        return np.ascontiguousarray(mass)
    edges = _edges(mass.shape[1])
    return reflected_kernel(edges, np.broadcast_to(edges, (len(sd), len(edges))), sd, -1.0, 1.0) @ mass


def _spread_to_pairs(mass, sd, first):
    """The same for two neighbouring cells of each row alone, those with the indices `first` `[N]` and the next: `[N, 2, R]`."""
    if not sd.any():
        return np.take_along_axis(mass, (first[:, None] + np.arange(2))[..., None], axis=1)
    edges = _edges(mass.shape[1])
    return reflected_kernel(edges, edges[first[:, None] + np.arange(3)], sd, -1.0, 1.0) @ mass


def _tempered(log_likelihood, tempering):
    """Masses proportional to exp(tempering * log_likelihood), which sum to one in every row."""
    flat = log_likelihood.reshape(len(log_likelihood), -1)
    mass = np.exp(tempering * (flat - flat.max(axis=1, keepdims=True)))
    return (mass / mass.sum(axis=1, keepdims=True)).reshape(log_likelihood.shape)


def _edges(num_points):
    return np.linspace(-1.0, 1.0, num_points + 1)


def _centres(num_points):
    return (np.arange(num_points) + 0.5) / num_points * 2.0 - 1.0


def _grid_order(normalized):
    """Coordinates along each axis, and the flat position of each point; refuses points that are no regular grid."""
    # Round off a tenth of the finest conceivable cell, so that a logarithm's rounding does not split a value in two.
    unique = [np.unique(column.round(6), return_inverse=True) for column in normalized.T]
    nodes = [_regular_nodes(values) for values, _ in unique]
    shape = tuple(len(values) for values, _ in unique)
    if np.prod(shape) != len(normalized) or any(axis is None for axis in nodes) or min(shape) < _MIN_SPLINE_POINTS:
        raise InputError(
            "theta_grid: expected a regular grid over the prior, with its edges or of the centres of equal cells, four or more "
            f"points a parameter. Received: {len(normalized)} points with {list(shape)} values."
        )
    order = np.ravel_multi_index([position for _, position in unique], shape)
    if len(np.unique(order)) < len(order):
        raise InputError("theta_grid: expected every point once. Received: repeated points.")
    return nodes, order


def _regular_nodes(values):
    """Ascending values `[n]` without their rounding; None if they are neither points with the edges nor centres of cells."""
    number = len(values)
    for nodes in (np.linspace(-1.0, 1.0, number), _centres(number)):
        if np.allclose(values, nodes, atol=1e-4 / number):
            return nodes
    return None
