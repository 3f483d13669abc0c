"""The distribution of single pixels, generated against real."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from higlow_tf.diagnostics.bootstrap import MIN_SIMULATIONS, NUM_BOOTSTRAP, bootstrap_error, halving_floor
from higlow_tf.diagnostics.fields import as_simulation, as_square_maps
from higlow_tf.errors import InputError

__all__ = ["PixelPDF", "pixel_pdf"]


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
    num_real_simulations: int
    num_generated_simulations: int


def pixel_pdf(
    real_maps: ArrayLike,
    real_simulation: ArrayLike,
    generated_maps: ArrayLike,
    generated_simulation: ArrayLike,
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
    Convention: log10; bin edges are multiples of `bin_width_dex`, so that one stray pixel moves no bin. The same
        simulation indices on both sides are resampled together, as in `compare_power`.

    Units: maps in physical units, positive. Densities per dex.

    Empty bins: bins to which fewer than four real simulations contribute are dropped (with fewer simulations than four:
        bins without real pixels). What is generated there shows in the extremes and in `generated_fraction_outside`.

    What it can and cannot show: one-point statistics only; shuffled pixels have the same PDF. In the far tails a bin
        without generated pixels has ratio 0 and error 0: read it against the floor.

    Checked against: the closed form of a Gaussian.

    Args:
        real_maps, generated_maps: `[N, n, n]` and `[M, n, n]`.
        real_simulation, generated_simulation: Simulation of each map, `[N]` and `[M]`.
        bin_width_dex: Width of a bin.
        num_bootstrap: Number of resamples.
        seed: Seed of the resamples and halvings.

    Returns:
        A `PixelPDF`.

    Raises:
        InputError: If pixels are not finite and positive, shapes disagree, or the bin width is not positive.
    """
    if not (np.isfinite(bin_width_dex) and bin_width_dex > 0):
        raise InputError(f"bin_width_dex: expected a positive number. Received: {bin_width_dex}.")
    real, extremes = _positive_maps(real_maps, "real_maps")
    generated, generated_extremes = _positive_maps(generated_maps, "generated_maps")
    simulation = as_simulation(real_simulation, len(real), "real_simulation")
    generated_simulation = as_simulation(generated_simulation, len(generated), "generated_simulation")

    first = int(np.floor(extremes[0] / bin_width_dex))
    num_bins = int(np.floor(extremes[1] / bin_width_dex)) - first + 1
    indices, real_sums = _counts_by_simulation(real, simulation, first, num_bins, bin_width_dex)
    generated_indices, sums = _counts_by_simulation(generated, generated_simulation, first, num_bins, bin_width_dex)
    is_kept = np.count_nonzero(real_sums[:, 1:], axis=0) >= min(MIN_SIMULATIONS, len(indices))
    if not is_kept.any():
        raise InputError(
            "real_maps: expected simulations with common pixel values. Received: no bin that four of them share."
        )
    columns = np.append(True, is_kept)
    real_sums, sums = real_sums[:, columns], sums[:, columns]
    real_share, share = _shares(real_sums.sum(axis=0)), _shares(sums.sum(axis=0))
    ratio = share / real_share

    def linearised_ratio(real_totals: np.ndarray, totals: np.ndarray) -> np.ndarray:
        return (_shares(totals) - ratio * _shares(real_totals)) / real_share

    error = bootstrap_error(
        linearised_ratio,
        real_sums,
        sums,
        is_paired=np.array_equal(indices, generated_indices),
        num_bootstrap=num_bootstrap,
        seed=seed,
        name="pixel_pdf",
    )
    return PixelPDF(
        log10_hi=(first + np.flatnonzero(is_kept) + 0.5) * bin_width_dex,
        bin_width_dex=float(bin_width_dex),
        real_density=real_share / bin_width_dex,
        generated_density=share / bin_width_dex,
        ratio=ratio,
        ratio_error=error,
        ratio_floor=halving_floor(
            lambda one, other: (_shares(one) - _shares(other)) / real_share, real_sums, len(generated_indices), seed
        ),
        real_extremes_log10_hi=extremes,
        generated_extremes_log10_hi=generated_extremes,
        generated_fraction_outside=float(np.mean((generated < real.min()) | (generated > real.max()))),
        num_real_simulations=len(indices),
        num_generated_simulations=len(generated_indices),
    )


def _positive_maps(maps: ArrayLike, name: str) -> tuple[np.ndarray, tuple[float, float]]:
    """The maps and log10 of their smallest and largest pixel."""
    maps = as_square_maps(maps, name)
    if maps.min() <= 0:
        raise InputError(f"{name}: expected positive pixels. Received: {np.count_nonzero(maps <= 0)} that are not.")
    return maps, (float(np.log10(float(maps.min()))), float(np.log10(float(maps.max()))))


def _counts_by_simulation(
    maps: np.ndarray, simulation: np.ndarray, first: int, num_bins: int, width: float
) -> tuple[np.ndarray, np.ndarray]:
    """Simulation indices `[S]` and, for each, its number of pixels and of pixels in each bin, `[S, 1 + num_bins]`."""
    indices = np.unique(simulation)
    sums = np.zeros((len(indices), 1 + num_bins))
    for row, index in zip(sums, indices, strict=True):
        bins = np.floor(np.log10(maps[simulation == index], dtype=np.float64) / width).astype(np.int64).ravel() - first
        row[0] = bins.size
        row[1:] = np.bincount(bins[(bins >= 0) & (bins < num_bins)], minlength=num_bins)
    return indices, sums


def _shares(totals: np.ndarray) -> np.ndarray:
    return totals[..., 1:] / totals[..., :1]
