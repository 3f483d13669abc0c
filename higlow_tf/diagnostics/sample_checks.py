"""Faults that a generated map has by itself: pixels that are not finite, not positive, far out of range, or all equal."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from higlow_tf.errors import InputError

__all__ = ["SampleChecks", "check_samples"]

_MARGIN_DEX = 1.0

# Relative range of the pixels of a map below which float32 rounding is all that varies.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class SampleChecks:
    """How many samples are wrong by themselves; a good generator has none.

    Attributes:
        num_samples: Number of samples looked at.
        num_nonfinite: Samples with a pixel that is NaN or infinite.
        num_nonpositive: Samples with a finite pixel that is zero or negative.
        num_out_of_range: Samples with a positive pixel more than a decade outside the training extremes.
        num_constant: Samples whose pixels are finite and all the same.
        num_bad: Samples with at least one of these faults.
        fraction_pixels_out_of_range: Share of all pixels more than a decade outside.
        lowest_log10, highest_log10: Extremes of the positive finite pixels; None if there is none.
    """

    num_samples: int
    num_nonfinite: int
    num_nonpositive: int
    num_out_of_range: int
    num_constant: int
    num_bad: int
    fraction_pixels_out_of_range: float
    lowest_log10: float | None
    highest_log10: float | None


def check_samples(samples: ArrayLike, lowest_log10: float, highest_log10: float) -> SampleChecks:
    """Counts the samples that are wrong by themselves. None is dropped or changed.

    Definition: a pixel is out of range if it is positive and finite and
        log10(pixel) < lowest_log10 - 1   or   log10(pixel) > highest_log10 + 1
        A map is constant if max - min <= 1e-6 * max(abs(pixel)).

    Convention: a sample counts once for each kind of fault, however many of its pixels have it.

    Units: samples in physical units; log10 of the same unit.

    What it can and cannot show: gross failures only, such as an overflow or a collapse. There is no error bar and no floor:
        real maps have no such pixel, and every count is compared with zero.

    Checked against: maps with planted faults.

    Args:
        samples: Generated maps `[N, H, W]` or `[N, H, W, C]`.
        lowest_log10, highest_log10: Extremes of log10 of the training maps.

    Returns:
        `SampleChecks`.

    Raises:
        InputError: If the samples are no such array, or the extremes are not finite and in order.

    Example:
        >>> import numpy as np
        >>> samples = np.array([[[1e6, 1e7]], [[1e6, np.nan]], [[1e6, 1e9]]])
        >>> checks = check_samples(samples, lowest_log10=5.0, highest_log10=7.5)
        >>> checks.num_nonfinite, checks.num_out_of_range, checks.num_bad
        (1, 1, 2)
    """
    samples = np.asarray(samples)
    if samples.ndim not in (3, 4) or not samples.size or samples.dtype.kind not in "fiu":
        raise InputError(
            f"samples: expected real maps [N, H, W] or [N, H, W, C] with N > 0. Received: {samples.dtype} {samples.shape}."
        )
    if not (np.isfinite([lowest_log10, highest_log10]).all() and lowest_log10 <= highest_log10):
        raise InputError(
            f"lowest_log10, highest_log10: expected finite extremes in order. Received: {lowest_log10}, {highest_log10}."
        )
    pixels = samples.reshape(len(samples), -1)
    is_finite = np.isfinite(pixels)
    is_positive = is_finite & (pixels > 0)
    log10_pixels = np.log10(np.where(is_positive, pixels, 1), dtype=np.float64)
    is_outside = (log10_pixels < lowest_log10 - _MARGIN_DEX) | (log10_pixels > highest_log10 + _MARGIN_DEX)
    is_outside &= is_positive

    finite = np.where(is_finite, pixels, 0)
    spread = finite.max(axis=1) - finite.min(axis=1)
    is_constant = is_finite.all(axis=1) & (spread <= _ROUNDING * np.abs(finite).max(axis=1))
    faults = [(~is_finite).any(axis=1), (is_finite & ~is_positive).any(axis=1), is_outside.any(axis=1), is_constant]
    has_extremes = is_positive.any()
    return SampleChecks(
        len(samples),
        *(int(np.count_nonzero(fault)) for fault in faults),
        num_bad=int(np.count_nonzero(np.any(faults, axis=0))),
        fraction_pixels_out_of_range=float(is_outside.mean()),
        lowest_log10=float(log10_pixels[is_positive].min()) if has_extremes else None,
        highest_log10=float(log10_pixels[is_positive].max()) if has_extremes else None,
    )
