"""Medians of resamples, for error bars of statistics that are no function of sums."""

import numpy as np
from jaxtyping import Float

__all__ = ["resampled_median"]


def resampled_median(values: Float[np.ndarray, " n"], weights: Float[np.ndarray, "R n"]) -> Float[np.ndarray, " R"]:
    """The median of each resample of `values`, whose `n` values it holds `weights` times each.

    `bootstrap_error` returns these weights if the sums that it is given are an identity matrix `[n, n]`.
    """
    return np.array([np.median(np.repeat(values, row)) for row in np.rint(weights).astype(np.int64)])
