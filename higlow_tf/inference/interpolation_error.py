"""How far an interpolated log-likelihood can be trusted, in terms of the posterior that it gives."""

import numpy as np
from scipy.special import logsumexp

__all__ = ["interpolation_error", "moments"]

# What a spline of the fifth order changes is about the error of the cubic one, and half of the points have ten to fifty times
# the error of all: on maps of a trained model, and on made-up posteriors with up to three modes and bumps of all sizes.
# A linear spline through all points is nearer to one through half of them; and points that were not evaluated, at the border of
# the posterior, are off by half a nat at most.
_OF_HALF, _OF_HALF_IF_LINEAR, _OF_UNEVALUATED = 0.0625, 2.0, 0.5
# Distance of points, in units of the distance over which the log-likelihood bends by a nat, at which the error is 0.03 sd at
# worst; it grows with the fourth power. An estimate from points that are farther apart means little.
_COARSE, _ERROR_IF_COARSE = 5.0, 0.03


def moments(log_density, cells):
    """Mean and standard deviation along each axis of a density on cells, `[P]` each, normalised coordinates."""
    mass = np.exp(log_density - logsumexp(log_density)).ravel()
    points = cells.points()
    mean = mass @ points
    # A posterior narrower than a cell is known no better than the cell.
    return mean, np.maximum(np.sqrt(mass @ (points - mean) ** 2), 0.1 * cells.width)


def interpolation_error(known, cells, log_prior, widening_at):
    """Estimated error of the posterior for want of points, in standard deviations.

    Definition: the larger of the two
        1/2 of the posterior mass at points that were not evaluated + sum over the axes of the larger of
            what a quintic spline along the axis changes,
            1/16 of what half of the points along it change (twice that where likelihoods are zero: the spline is linear)
        largest, over the axes, of
            0.03 * (spacing / (5 * b))**4,  1 / b**2 = posterior mean of |d^2 log-likelihood / d x^2|
        "Changes" are those of mean and standard deviation, of all parameters, over the widened standard deviation.

    Args:
        known: `LatticeValues` of the tempered log-likelihood.
        cells: `Cells` that hold the posterior.
        log_prior: On the cells, `[n_1, ..., n_P]`.
        widening_at: Function from the mean, normalised `[P]`, to the standard deviation of the convolution there, `[P]`.

    Returns:
        A number.
    """
    at = [cells.centres(axis) for axis in range(len(cells.shape))]
    log_likelihood = known.at(at)
    mean, sd = moments(log_likelihood + log_prior, cells)
    widening = widening_at(mean)
    wide = np.hypot(sd, widening)

    def change(other):
        other_mean, other_sd = moments(other + log_prior, cells)
        return np.max(np.abs([other_mean - mean, np.hypot(other_sd, widening) - wide]) / wide)

    of_axes = _OF_UNEVALUATED * _share_unevaluated(known, cells, log_likelihood + log_prior)
    for axis in range(len(at)):
        half = change(known.at(at, thinned=axis))
        orders = [5 if other == axis else 3 for other in range(len(at))]
        of_axes += max(_OF_HALF * half, change(known.at(at, orders))) if known.is_finite else _OF_HALF_IF_LINEAR * half
    return float(max(of_axes, *_errors_if_coarse(log_likelihood, log_prior, cells, known.lattice.spacing)))


def _share_unevaluated(known, cells, log_density):
    """Mass of the cells whose nearest point of the lattice has the value of a spline."""
    mass = np.exp(log_density - logsumexp(log_density))
    nearest = [
        np.clip(np.rint((cells.centres(axis) - low) / spacing).astype(int), 0, number - 1)
        for axis, (low, spacing, number) in enumerate(
            zip(known.lattice.low, known.lattice.spacing, known.lattice.shape, strict=True)
        )
    ]
    return mass[~known.is_evaluated[np.ix_(*nearest)]].sum()


def _errors_if_coarse(log_likelihood, log_prior, cells, spacing):
    """The part of the error that grows with the spacing over the distance in which the log-likelihood bends, `[P]`."""
    log_density = log_likelihood + log_prior
    mass = np.exp(log_density - logsumexp(log_density))
    error = np.empty(len(spacing))
    for axis, width in enumerate(cells.width):
        inner = np.moveaxis(mass, axis, 0)[1:-1]
        bend = np.abs(np.diff(np.moveaxis(log_likelihood, axis, 0), 2, axis=0)) / width**2
        error[axis] = _ERROR_IF_COARSE * (np.sum(inner * bend) * spacing[axis] ** 2 / _COARSE**2) ** 2
    return error
