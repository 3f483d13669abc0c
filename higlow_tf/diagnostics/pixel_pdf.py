"""The distribution of single pixels, generated against real."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from higlow_tf.diagnostics.bootstrap import MIN_SIMULATIONS, NUM_BOOTSTRAP, bootstrap_error, halving_floor
from higlow_tf.diagnostics.map_samples import MapSamples, MapSet
from higlow_tf.errors import InputError

__all__ = ["TAIL_PROBABILITY", "PixelPDF", "pixel_pdf"]

TAIL_PROBABILITY = 1e-3
"""Share of the real pixels in each of the two tails that are compared."""

# Where the lower tail ends, the central bins begin and end, and the upper tail begins.
_QUANTILES = (TAIL_PROBABILITY, 0.01, 0.99, 1 - TAIL_PROBABILITY)


@dataclass(frozen=True)
class PixelPDF:
    """Densities of log10 pixels in `K` common bins, and their ratio (generated / real).

    Attributes:
        log10_hi: Bin centres.
        bin_width_dex: Width of a bin.
        real_density, generated_density: Probability per dex.
        ratio: generated_density / real_density.
        ratio_error: Bootstrap error over simulations; None with too few simulations.
        ratio_floor: What abs(ratio - 1) is on average for real against real; None with too few simulations.
        real_extremes_log10_hi, generated_extremes_log10_hi: Smallest and largest pixel of each side.
        generated_fraction_outside: Share of generated pixels below the smallest or above the largest real one.
        worst_central_log10_hi, worst_central_ratio: The bin whose ratio is furthest from 1, of those between the 1st
            and the 99th percentile of the real pixels.
        worst_central_ratio_error, worst_central_ratio_floor: Error of the ratio of that bin, and the mean of the largest
            abs(ratio - 1) of all these bins for real against real. None with too few simulations.
        tail_log10_hi: The quantiles 1e-3 and 1 - 1e-3 of the real pixels.
        tail_ratio: Mass of generated over that of real pixels, below and above them (these pixels included).
        tail_ratio_error, tail_ratio_floor: Its error and floor; None with too few simulations.
        num_real_simulations, num_generated_simulations: How many simulations stand behind it.
    """

    log10_hi: Float[np.ndarray, " K"]
    bin_width_dex: float
    real_density: Float[np.ndarray, " K"]
    generated_density: Float[np.ndarray, " K"]
    ratio: Float[np.ndarray, " K"]
    ratio_error: Float[np.ndarray, " K"] | None
    ratio_floor: Float[np.ndarray, " K"] | None
    real_extremes_log10_hi: tuple[float, float]
    generated_extremes_log10_hi: tuple[float, float]
    generated_fraction_outside: float
    worst_central_log10_hi: float
    worst_central_ratio: float
    worst_central_ratio_error: float | None
    worst_central_ratio_floor: float | None
    tail_log10_hi: Float[np.ndarray, "2"]
    tail_ratio: Float[np.ndarray, "2"]
    tail_ratio_error: Float[np.ndarray, "2"] | None
    tail_ratio_floor: Float[np.ndarray, "2"] | None
    num_real_simulations: int
    num_generated_simulations: int


def pixel_pdf(
    samples: MapSamples,
    *,
    bin_width_dex: float = 0.1,
    num_bootstrap: int = NUM_BOOTSTRAP,
    seed: int = 0,
) -> PixelPDF:
    """Compares the histograms of log10 pixels of real and generated maps.

    Definition:
        density = (share of all pixels of a side in a bin) / bin_width_dex
        ratio = generated density / real density
        error = sd over resamples of (generated_b - ratio * real_b) / real     # the ratio linearised: no resampled zero
                                                                               # is ever divided by
        tail_ratio = the same of the pixels up to the quantile 1e-3, and from 1 - 1e-3 on, of all real pixels
    Convention: log10; bin edges are multiples of `bin_width_dex`, so that one stray pixel moves no bin. The same
        simulation indices on both sides are resampled together, as in `compare_power`.

    Units: maps in physical units. Densities per dex.

    Empty bins: bins to which fewer than four real simulations contribute are dropped (with fewer simulations than four:
        bins without real pixels). Generated pixels in them show in the extremes and in `generated_fraction_outside`.

    What it can and cannot show: one-point statistics only; shuffled pixels have the same PDF. In the far tails a bin
        without generated pixels has ratio 0 and error 0: read it against the floor. Pixels of a simulation are not
        independent, above all bright pixels: the error of the tails depends on the number of simulations, not of pixels.

    Checked against: the closed form of a Gaussian.

    Args:
        samples: Real and generated maps.
        bin_width_dex: Width of a bin.
        num_bootstrap: Number of resamples.
        seed: Seed of the resamples and halvings.

    Returns:
        A `PixelPDF`.

    Raises:
        InputError: If the bin width is not positive, or real simulations have no bin of pixels in common.
    """
    if not (np.isfinite(bin_width_dex) and bin_width_dex > 0):
        raise InputError(f"bin_width_dex: expected a positive number. Received: {bin_width_dex}.")
    real, generated = samples.real.maps, samples.generated.maps
    low, start, stop, high = np.quantile(real, _QUANTILES, method="inverted_cdf")
    first, first_central, last_central, last = np.floor(
        np.log10([real.min(), start, stop, real.max()], dtype=np.float64) / bin_width_dex
    ).astype(int)
    bins = np.arange(first, last + 1)
    real_sums, sums = (
        _counts_by_simulation(map_set, (low, high), bins, bin_width_dex)
        for map_set in (samples.real, samples.generated)
    )
    is_kept = np.count_nonzero(real_sums[:, 3:], axis=0) >= min(MIN_SIMULATIONS, len(real_sums))
    bins = bins[is_kept]
    is_central = (bins >= first_central) & (bins <= last_central)
    if not is_central.any():
        raise InputError(
            "real_maps: expected simulations with common pixel values. Received: no bin that four of them share."
        )
    columns = np.append([True] * 3, is_kept)
    real_sums, sums = real_sums[:, columns], sums[:, columns]
    real_share, share = _shares(real_sums.sum(axis=0)), _shares(sums.sum(axis=0))
    ratio = share / real_share  # of the two tails, then of the bins
    error, floor = _error_and_floor(real_sums, sums, is_central, samples.is_paired, num_bootstrap, seed)
    worst = int(np.argmax(np.where(is_central, np.abs(ratio[2:] - 1), -1.0)))
    log10_hi = (bins + 0.5) * bin_width_dex
    return PixelPDF(
        log10_hi=log10_hi,
        bin_width_dex=float(bin_width_dex),
        real_density=real_share[2:] / bin_width_dex,
        generated_density=share[2:] / bin_width_dex,
        ratio=ratio[2:],
        ratio_error=None if error is None else error[2:],
        ratio_floor=None if floor is None else floor[2:-1],
        real_extremes_log10_hi=_extremes(real),
        generated_extremes_log10_hi=_extremes(generated),
        generated_fraction_outside=float(np.mean((generated < real.min()) | (generated > real.max()))),
        worst_central_log10_hi=float(log10_hi[worst]),
        worst_central_ratio=float(ratio[2:][worst]),
        worst_central_ratio_error=None if error is None else float(error[2:][worst]),
        worst_central_ratio_floor=None if floor is None else float(floor[-1]),
        tail_log10_hi=np.log10([low, high], dtype=np.float64),
        tail_ratio=ratio[:2],
        tail_ratio_error=None if error is None else error[:2],
        tail_ratio_floor=None if floor is None else floor[:2],
        num_real_simulations=len(real_sums),
        num_generated_simulations=len(sums),
    )


def _extremes(maps: np.ndarray) -> tuple[float, float]:
    return float(np.log10(float(maps.min()))), float(np.log10(float(maps.max())))


def _counts_by_simulation(map_set: MapSet, tails: tuple[float, float], bins: np.ndarray, width: float) -> np.ndarray:
    """For each simulation its numbers of pixels: all, in the lower tail, in the upper tail, and in each bin.

    The counts are `[S, 1 + 2 + num_bins]`.
    """
    sums = np.zeros((len(map_set.simulation_indices), 3 + len(bins)))
    for row, index in zip(sums, map_set.simulation_indices, strict=True):
        is_of_simulation = map_set.simulation == index
        pixels = map_set.maps[is_of_simulation].ravel()
        in_bin = np.floor(map_set.field("log10")[is_of_simulation].ravel() / width).astype(np.int64) - bins[0]
        row[:3] = pixels.size, np.count_nonzero(pixels <= tails[0]), np.count_nonzero(pixels >= tails[1])
        row[3:] = np.bincount(in_bin[(in_bin >= 0) & (in_bin < len(bins))], minlength=len(bins))
    return sums


def _error_and_floor(
    real_sums: np.ndarray, sums: np.ndarray, is_central: np.ndarray, is_paired: bool, num_bootstrap: int, seed: int
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Error and floor of the ratio of each share; the last entry of the floor is that of the worst central bin."""
    real_share = _shares(real_sums.sum(axis=0))
    ratio = _shares(sums.sum(axis=0)) / real_share

    def linearised_ratio(real_totals: np.ndarray, totals: np.ndarray) -> np.ndarray:
        return (_shares(totals) - ratio * _shares(real_totals)) / real_share

    def deviation(half: np.ndarray, rest: np.ndarray) -> np.ndarray:
        deviations = np.abs(_shares(half) - _shares(rest)) / real_share
        return np.column_stack([deviations, deviations[:, 2:][:, is_central].max(axis=1)])

    error = bootstrap_error(
        linearised_ratio,
        real_sums,
        sums,
        is_paired=is_paired,
        num_bootstrap=num_bootstrap,
        seed=seed,
        name="pixel_pdf",
    )
    return error, halving_floor(deviation, real_sums, len(sums), seed)


def _shares(totals: np.ndarray) -> np.ndarray:
    return totals[..., 1:] / totals[..., :1]
