"""The widening of posteriors: its fit and its application use the same code."""

import numpy as np
from scipy.special import ndtr

from higlow_tf.inference.cells import Cells, log_normalized

__all__ = ["normalized_widening", "reflected_kernel", "widened"]

# Standard deviations of the Gaussian that fit in the widened box: 1e-5 of the mass would lie outside.
_REACH = 4.5
# Standard deviations beyond which a Gaussian is zero to float64, and the number of prior widths from which on a reflected
# Gaussian is flat to float64.
_NOTHING_BEYOND, _FLAT_FROM = 9.0, 3.0


def normalized_widening(parameters, widening, mean):
    """The widening in the coordinates of the prior.

    Args:
        parameters: `ParameterSpace`.
        widening: Standard deviations in the units of theta, `[P]`.
        mean: Means of the posteriors before the widening, normalised, `[..., P]`.

    Returns:
        Standard deviations in normalised coordinates, `[..., P]`.
    """
    # d log(theta) = d theta / theta
    theta = np.where(parameters.is_log, parameters.denormalize(mean), 1.0)
    return np.asarray(widening) * parameters.normalized_per_unit / theta


def reflected_kernel(source, target, sd, low, high):
    """Where the mass of each cell goes in a convolution with a Gaussian that the edges of the prior reflect.

    The mass of a cell counts as spread evenly over it. Every target cell gets what falls into it, so that cells that cover the
    prior keep all of the mass, whatever their widths.

    Args:
        source: Edges of the cells that have the mass, `[n + 1]`.
        target: Edges of the cells that get it, `[m + 1]` or `[B, m + 1]`.
        sd: Standard deviation of the Gaussian, a number or `[B]`, positive.
        low: Lower edge of the prior.
        high: Upper edge of the prior.

    Returns:
        Shares `[m, n]` or `[B, m, n]`: target masses are shares @ source masses.
    """
    width = high - low
    sd = np.minimum(sd, _FLAT_FROM * width)
    num_folds = int(np.ceil(_NOTHING_BEYOND * np.max(sd) / width))
    scale = np.reshape(sd, (*np.shape(sd), 1, 1))
    total = 0.0
    for fold in range(1 - num_folds, num_folds + 1):
        if abs(fold) < num_folds:
            total = total + _shares(source, target + 2.0 * fold * width, scale)
        mirrored = _shares(source, 2.0 * low + 2.0 * fold * width - target[..., ::-1], scale)
        total = total + mirrored[..., ::-1, :]
    # Differences of nearly equal numbers: rounding may leave a tiny negative share.
    return np.maximum(total, 0.0)


def _shares(source, target, scale):
    """The kernel without reflection: what a Gaussian of the standard deviation `scale` `[..., 1, 1]` does."""
    below, above = source[:-1], source[1:]
    overlap = np.minimum(target[..., 1:, None], above) - np.maximum(target[..., :-1, None], below)
    distance = np.abs(target[..., None] - source)
    # The second integral of a Gaussian is this plus max(x, 0), and integrating over two cells takes four differences. Those
    # of max(x, 0) are the overlap; alone, the rest is exact far from the source as well.
    tail = scale * np.exp(-0.5 * (distance / scale) ** 2) / np.sqrt(2.0 * np.pi) - distance * ndtr(-distance / scale)
    return (np.maximum(overlap, 0.0) - np.diff(np.diff(tail, axis=-2), axis=-1)) / (above - below)


def widened(log_mass, cells, sd, low, high):
    """Convolves the masses of a box of cells with a Gaussian, which the edges of the prior reflect.

    Args:
        log_mass: Of each cell, `[n_1, ..., n_P]`.
        cells: Where they are.
        sd: Standard deviation of the Gaussian along each axis, `[P]`; 0 leaves an axis as it is.
        low: Lower edges of the prior, `[P]`.
        high: Upper edges of the prior, `[P]`.

    Returns:
        Log-masses of the same shape, and the `Cells` of a box that holds them.
    """
    wide = Cells(np.maximum(cells.low - _REACH * sd, low), np.minimum(cells.high + _REACH * sd, high), cells.shape)
    mass = np.exp(log_mass)
    for axis in np.flatnonzero(sd):
        kernel = reflected_kernel(cells.edges(axis), wide.edges(axis), sd[axis], low[axis], high[axis])
        mass = np.moveaxis(np.tensordot(kernel, mass, axes=(1, axis)), 0, axis)
    with np.errstate(divide="ignore"):
        return log_normalized(np.log(mass)), wide
