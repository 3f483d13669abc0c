"""Peaks and voids: local maxima and minima of periodic maps, counted by height."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from scipy.ndimage import maximum_filter

from higlow_tf.diagnostics.fields import as_square_maps
from higlow_tf.diagnostics.power_spectrum import check_box_size
from higlow_tf.diagnostics.summaries import Summary

__all__ = ["peak_counts", "void_counts"]

_NEIGHBOURS = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)


def peak_counts(
    fields: ArrayLike,
    box_size_mpc_h: float,
    thresholds: Float[np.ndarray, " K"],
    *,
    mean: float = 0.0,
    sd: float = 1.0,
) -> Summary:
    """Counts the peaks above each threshold, map by map, per area.

    Definition:
        a peak is a pixel above all its 8 neighbours; it counts where field > mean + threshold * sd

    Convention: counts are cumulative. Equal neighbours are no peak.

    Units: fields, mean and sd in the same unit; counts per (Mpc/h)**2.

    What it can and cannot show: how many halos (void_counts: holes) of which contrast there are. One bright pixel is a
        peak like any other: in noisy maps most peaks are noise.

    Checked against: white noise, where (1 - Phi(threshold)**9) / 9 of the pixels are peaks above a threshold, and the
        density of maxima of a smooth Gaussian field [1].

    Args:
        fields: `[N, n, n]`, for example from `log10_field`.
        box_size_mpc_h: Side of the box, Mpc/h.
        thresholds: In units of `sd` above `mean`, `[K]`.
        mean, sd: Of the pixels of the real maps, so that real and generated maps are cut at the same values.

    Returns:
        A `Summary` named "peaks".

    Raises:
        InputError: If the fields are not finite and square, or the box has no size.

    References:
        [1] Longuet-Higgins. The statistical analysis of a random, moving surface. Phil. Trans. R. Soc. A 1957.
    """
    fields = as_square_maps(fields, "fields")
    check_box_size(box_size_mpc_h)
    counts = np.empty((len(fields), len(thresholds)))
    for row, field in zip(counts, fields, strict=True):
        heights = field[field > maximum_filter(field, footprint=_NEIGHBOURS, mode="wrap")]
        row[:] = np.count_nonzero(heights > mean + sd * thresholds[:, None], axis=1)
    return Summary(
        name="peaks",
        label="Peaks above a threshold",
        x=thresholds,
        x_label="threshold (sd of the real pixels)",
        value_label="peaks per area ((h/Mpc)^2)",
        values=counts / box_size_mpc_h**2,
    )


def void_counts(
    fields: ArrayLike,
    box_size_mpc_h: float,
    thresholds: Float[np.ndarray, " K"],
    *,
    mean: float = 0.0,
    sd: float = 1.0,
) -> Summary:
    """Counts the local minima below each threshold: the peaks of the field turned over; see `peak_counts`.

    Returns:
        A `Summary` named "voids".
    """
    fields = as_square_maps(fields, "fields")
    peaks = peak_counts(-fields, box_size_mpc_h, -thresholds, mean=-mean, sd=sd)
    return replace(
        peaks,
        name="voids",
        label="Voids below a threshold",
        x=thresholds,
        value_label="minima per area ((h/Mpc)^2)",
    )
