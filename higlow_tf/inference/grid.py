"""Posterior on a regular grid, from the likelihood at few points."""

from dataclasses import dataclass

import numpy as np

from higlow_tf.errors import InputError
from higlow_tf.inference.cells import Cells, log_normalized, peak
from higlow_tf.inference.interpolation_error import interpolation_error, moments
from higlow_tf.inference.lattice import Lattice, LatticeValues
from higlow_tf.inference.result import GroupResult
from higlow_tf.inference.widening import widened

__all__ = ["GridOptions", "grid_group"]

# Evaluated points of the first round and stored cells an axis, by number of parameters.
_NUM_EVALUATED = {1: 17, 2: 9, 3: 9}
_NUM_STORED = {1: 128, 2: 48, 3: 24}
# Points an axis beyond which a grid is given up.
_MOST_POINTS = {1: 1025, 2: 65, 3: 25}
# The stored box holds what is within this many nats of the peak: 5.3 standard deviations of a Gaussian.
_NATS_STORED = 14.0
# Nats below the peak down to which points are added in each round (the last number holds from then on), and the box of all
# points of a round. Where the error is larger than `_ROUGH` nobody knows where the peak is: then the whole box is evaluated,
# with a margin of a spacing, and it gets twice as many points.
_NATS_ADDED, _NATS_EVALUATED = (4.5, 9.0, 12.0), 12.0
_ROUGH = 0.1
# A stored box that shrinks by less than this is left as it is, and so many cells are kept beside what counts.
_SHRINKS, _MARGIN_CELLS = 0.7, 2
_MOST_ZOOMS = 12
# Corners of a box that lie on points of the lattice do so to rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class GridOptions:
    """Options of the method "grid".

    Args:
        points_per_axis: Points an axis at which the likelihood is evaluated in the first round, 4 or more; None for 17, 9 or 9
            with one, two or three parameters. The stored grid is finer (128, 48, 24; never coarser than this), by
            interpolation.
        max_rounds: Rounds at most, 2 or more; each next one adds points where the error asks for them.
        tolerance: It ends when the interpolation changes mean and standard deviation by less than this share of the standard
            deviation, as far as it can be estimated (see `interpolation_error`).
    """

    points_per_axis: int | None = None
    max_rounds: int = 6
    tolerance: float = 0.03

    def __post_init__(self):
        points = self.points_per_axis
        if points is not None and (not isinstance(points, (int, np.integer)) or points < 4):
            raise InputError(f"points_per_axis: expected an integer of at least 4. Received: {points!r}.")
        if not isinstance(self.max_rounds, (int, np.integer)) or self.max_rounds < 2:
            raise InputError(f"max_rounds: expected an integer of at least 2. Received: {self.max_rounds!r}.")
        if not 0.0 < self.tolerance < 1.0:
            raise InputError(f"tolerance: expected a number in 0-1. Received: {self.tolerance!r}.")

    @staticmethod
    def check(num_parameters):
        """Refuses more parameters than a grid can hold."""
        if num_parameters > max(_NUM_STORED):
            raise InputError(
                f"method: expected 'importance' or 'nuts' for more than {max(_NUM_STORED)} parameters. "
                f"Received: 'grid' for {num_parameters}."
            )


def grid_group(target, widening_at, options, **_unused):
    """Posterior of one group of maps.

    The likelihood is smooth. It is evaluated at few points, which span the prior, edges included, and a cubic spline gives it on
    the cells. The error of the spline is estimated from the points themselves. Where it is too large, the next round halves
    the spacing in the box of what is within 12 nats of the peak, and evaluates those points that are near the peak. All that
    has been evaluated is kept. The prior is not interpolated.

    Args:
        target: `Target`.
        widening_at: Function from the mean, normalised `[P]`, to the standard deviation of the convolution there, `[P]`.
        options: `GridOptions`.

    Returns:
        `GroupResult` on a regular grid.
    """
    prior = target.prior
    num_parameters = len(prior.parameters)
    num_evaluated = options.points_per_axis or _NUM_EVALUATED[num_parameters]
    stored = (max(_NUM_STORED[num_parameters], num_evaluated),) * num_parameters
    known = LatticeValues.evaluate(
        target.log_likelihood, Lattice(prior.low, prior.high, (num_evaluated,) * num_parameters)
    )
    for num_rounds in range(1, options.max_rounds + 1):
        cells, log_prior = _cells_of_mass(known, target, stored)
        error = interpolation_error(known, cells, log_prior, widening_at)
        part = _part_to_refine(known, target, error > _ROUGH, num_evaluated - 1, stored)
        if error <= options.tolerance or part is None or num_rounds == options.max_rounds:
            break
        known = known.finer(
            target.log_likelihood, *part, _near_peak(known, target, _nats_added(known, error, num_rounds))
        )
    notes = []
    if error > options.tolerance:
        notes.append(f"the grid has not converged: mean or sd may be off by {error:.2g} sd")
    log_mass, box = log_normalized(_likelihood_on(known, cells) + log_prior), cells
    sd = widening_at(moments(log_mass, cells)[0])
    if sd.any():
        log_mass, box = widened(log_mass, box, sd, prior.low, prior.high)
    return GroupResult(
        theta_grid=prior.parameters.denormalize(box.points()),
        log_posterior=log_mass.ravel(),
        map_estimate=prior.parameters.denormalize(peak(log_mass, box)),
        box=np.stack([box.low, box.high]),
        diagnostics={
            "num_evaluations": target.num_evaluations,
            "num_rounds": num_rounds,
            "interpolation_error_sd": error,
        },
        notes=notes,
    )


def _likelihood_on(known, cells):
    return known.at([cells.centres(axis) for axis in range(len(cells.shape))])


def _prior_on(target, cells):
    return target.log_prior(cells.points()).reshape(cells.shape)


def _cells_of_mass(known, target, shape):
    """Cells of the box that holds the posterior, and the log prior on them."""
    cells = Cells(known.lattice.low, known.lattice.high, shape)
    for _ in range(_MOST_ZOOMS):
        log_prior = _prior_on(target, cells)
        log_density = _likelihood_on(known, cells) + log_prior
        smaller = _box_of(log_density >= log_density.max() - _NATS_STORED, cells, _MARGIN_CELLS * cells.width)
        if np.all(smaller[1] - smaller[0] > _SHRINKS * (cells.high - cells.low)):
            break
        cells = Cells(*smaller, shape)
    return cells, log_prior


def _box_of(is_kept, cells, margin):
    """Lower and upper corner of the box of some cells with a margin, inside that of all cells."""
    low, high = np.empty((2, is_kept.ndim))
    for axis in range(is_kept.ndim):
        others = tuple(other for other in range(is_kept.ndim) if other != axis)
        indices, edges = np.flatnonzero(is_kept.any(axis=others)), cells.edges(axis)
        low[axis], high[axis] = edges[indices[0]], edges[indices[-1] + 1]
    return np.maximum(low - margin, cells.low), np.minimum(high + margin, cells.high)


def _part_to_refine(known, target, is_rough, num_intervals, shape):
    """Corners of the part of the lattice that gets more points, and the factors of their number; None if they are too many."""
    lattice = known.lattice
    cells = Cells(lattice.low, lattice.high, shape)
    is_kept = _near_peak(known, target, _NATS_EVALUATED)(cells, _likelihood_on(known, cells))
    low, high = _box_of(is_kept, cells, (1.0 if is_rough else 0.5) * lattice.spacing)
    first = np.floor((low - lattice.low) / lattice.spacing + _ROUNDING).astype(int)
    last = np.ceil((high - lattice.low) / lattice.spacing - _ROUNDING).astype(int)
    factors = np.full(len(shape), 2)
    while np.any(is_few := (last - first) * factors < (2 if is_rough else 1) * num_intervals):
        factors = np.where(is_few, 2 * factors, factors)
    is_too_many = np.any((last - first) * factors > max(_MOST_POINTS[len(shape)] - 1, 2 * num_intervals))
    return None if is_too_many else (first, last, factors)


def _nats_added(known, error, num_rounds):
    """How far below the peak, in nats, points are evaluated in the next round."""
    if not known.is_finite:
        return np.inf  # the spline is linear, and its values are of little use
    return _NATS_EVALUATED if error > _ROUGH else _NATS_ADDED[min(num_rounds, len(_NATS_ADDED)) - 1]


def _near_peak(known, target, nats):
    """Function of points (`Lattice` or `Cells`) and the log-likelihood there: which ones are within so many nats of the peak."""

    def is_near(points, log_likelihood):
        log_density = log_likelihood + _prior_on(target, points)
        # Where the spline is higher than every point that was evaluated, it may be wrong by as much elsewhere.
        overshoot = max(0.0, log_likelihood.max() - known.highest)
        return log_density >= log_density.max() - overshoot - nats

    return is_near
