"""Posterior on a regular grid that goes where the mass is."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from higlow_tf.errors import InputError
from higlow_tf.inference.cells import Cells, log_normalized, peak, refined
from higlow_tf.inference.result import GroupResult
from higlow_tf.inference.widening import widened

__all__ = ["GridOptions", "grid_group"]

# Evaluated and stored points an axis, by number of parameters. The evaluated ones fill batches of 64 rows.
_NUM_EVALUATED = {1: 64, 2: 16, 3: 12}
_NUM_STORED = {1: 128, 2: 48, 3: 24}
# The box holds what is within this many nats of the peak: beyond 5.3 standard deviations of a Gaussian.
_NATS_KEPT = 14.0
# A box that shrinks by less than this needs more points instead.
_SHRINKS = 0.7
_LARGEST_FACTOR = 3.0


@dataclass(frozen=True)
class GridOptions:
    """Options of the method "grid".

    Args:
        points_per_axis: Evaluated points an axis in the first round, 4 or more; None for 64, 16 or 12 with one, two or
            three parameters. The stored grid is finer (128, 48, 24; never coarser than this), by interpolation.
        max_rounds: Rounds at most, 2 or more; each evaluates the likelihood on a box of its own.
        tolerance: It ends when mean and standard deviation move by less than this share of the standard deviation.
    """

    points_per_axis: int | None = None
    max_rounds: int = 6
    tolerance: float = 0.01

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

    The first round covers the prior. Each next round covers a smaller box: what is within 14 nats of the peak, by a cubic
    spline of the log-density, and one cell more on every side. A box that no longer shrinks gets half as many points
    again. Midpoint sums over a smooth density are exact to rounding once the spacing is below a standard deviation, so
    that few points do.

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
    cells = Cells(prior.low, prior.high, (num_evaluated,) * num_parameters)
    before, notes = None, []
    for num_rounds in range(1, options.max_rounds + 1):
        log_density = target(cells.points()).reshape(cells.shape)
        fine = refined(log_density, cells, stored)
        moments = _moments(fine, cells.resampled(stored))
        moved = math.inf if before is None else _move(before, moments)
        if moved < options.tolerance:
            break
        before = moments
        if num_rounds < options.max_rounds:
            cells = _next_cells(log_density, fine, cells, num_evaluated)
    else:
        notes.append(f"the grid has not converged: in the last round mean or sd moved by {moved:.2g} sd")
    log_mass, box = log_normalized(fine), cells.resampled(stored)
    sd = widening_at(moments[0])
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
            "last_move_sd": moved,
        },
        notes=notes,
    )


def _moments(log_density, cells):
    """Mean and standard deviation along each axis, `[P]` each, normalised coordinates."""
    mass = np.exp(log_density - logsumexp(log_density)).ravel()
    points = cells.points()
    mean = mass @ points
    # A posterior narrower than a cell is known no better than the cell.
    return mean, np.maximum(np.sqrt(mass @ (points - mean) ** 2), 0.1 * cells.width)


def _move(before, after):
    return float(max(np.max(np.abs(a - b) / after[1]) for a, b in zip(after, before, strict=True)))


def _next_cells(log_density, fine, cells, num_evaluated):
    """The box of what counts, with more points where it has stopped to shrink."""
    # Relative to the highest point that was evaluated: an overshoot of the spline must not hide the rest.
    is_kept = fine > log_density.max() - _NATS_KEPT
    low, high = np.empty_like(cells.low), np.empty_like(cells.high)
    for axis in range(fine.ndim):
        others = tuple(other for other in range(fine.ndim) if other != axis)
        indices = np.flatnonzero(is_kept.any(axis=others))
        edges = cells.resampled(fine.shape).edges(axis)
        low[axis] = max(edges[indices[0]] - cells.width[axis], cells.low[axis])
        high[axis] = min(edges[indices[-1] + 1] + cells.width[axis], cells.high[axis])
    num_points = cells.shape[0]
    if np.all(high - low > _SHRINKS * (cells.high - cells.low)):
        num_points = min(math.ceil(1.5 * num_points), int(_LARGEST_FACTOR * num_evaluated))
    return Cells(low, high, (num_points,) * fine.ndim)
