"""All field statistics of generated maps against those of simulated maps."""

from collections.abc import Callable, Iterator

import numpy as np

from higlow_tf.diagnostics.bispectrum import bispectrum
from higlow_tf.diagnostics.map_samples import MapSamples, MapSet
from higlow_tf.diagnostics.minkowski import minkowski_functionals
from higlow_tf.diagnostics.peaks import peak_counts, void_counts
from higlow_tf.diagnostics.summaries import Summary, SummaryComparison, compare_summaries
from higlow_tf.diagnostics.texture import grey_level_edges, texture
from higlow_tf.errors import InputError

__all__ = ["compare_statistics"]

# The pixels of HI maps are skewed: their brightest thousandth lies beyond six standard deviations, their darkest at two.
_MINKOWSKI_THRESHOLDS = np.arange(-2.0, 6.01, 0.25)
_PEAK_THRESHOLDS = np.arange(-1.0, 6.01, 0.5)
_VOID_THRESHOLDS = np.arange(-2.5, 1.01, 0.25)

_KINDS = {
    "bispectrum_equilateral": "difference",
    "bispectrum_squeezed": "difference",
    "minkowski_area": "ratio",
    "minkowski_perimeter": "ratio",
    "minkowski_euler": "difference",
    "peaks": "ratio",
    "voids": "ratio",
    "texture": "difference",
}
_NUM_STEPS = 5


def compare_statistics(
    samples: MapSamples,
    *,
    progress: Callable[[str, int, int], object] | None = None,
    seed: int = 0,
) -> dict[str, SummaryComparison]:
    """Compares bispectra, Minkowski functionals, counts of peaks and voids, and texture of log10 maps.

    Convention: thresholds are in units of the mean and sd of log10 of all real pixels, and grey levels are the quantiles
        of the real pixels, on both sides. Errors and floors as in `compare_summaries`: "difference" for statistics that
        cross zero and for texture, "ratio" for the others.

    Units: maps in physical units; deviations have none.

    What it can and cannot show: structure beyond P(k) and the pixel PDF. No single statistic sees everything. Many numbers
        are compared: some of them exceed twice their error by chance.

    Args:
        samples: Real and generated maps, of at least eight pixels a side.
        progress: Called as `progress("statistics", done, total)` after each step.
        seed: Seed of the resamples and halvings.

    Returns:
        A `SummaryComparison` for each of "bispectrum_equilateral", "bispectrum_squeezed", "minkowski_area",
        "minkowski_perimeter", "minkowski_euler", "peaks", "voids" and "texture".

    Raises:
        InputError: If maps are too small, or all real pixels are equal.
    """
    real = samples.real.field("log10")
    mean, sd = float(real.mean()), float(real.std())
    if real.min() == real.max():
        raise InputError(f"real_maps: expected pixels that differ. Received: {real.size} pixels of 10**{mean:.3g}.")
    cuts = mean, sd, grey_level_edges(real)
    both_sides = zip(_measure(samples.real, *cuts), _measure(samples.generated, *cuts), strict=True)
    comparisons = {}
    for step, (real_summaries, generated_summaries) in enumerate(both_sides, start=1):
        for real_summary, summary in zip(real_summaries, generated_summaries, strict=True):
            name = real_summary.name
            comparisons[name] = compare_summaries(samples, real_summary, summary, kind=_KINDS[name], seed=seed)
        if progress is not None:
            progress("statistics", step, _NUM_STEPS)
    return comparisons


def _measure(map_set: MapSet, mean: float, sd: float, edges: np.ndarray) -> Iterator[tuple[Summary, ...]]:
    """The summaries of one side, step by step, cut at values that come from the real fields."""
    fields, box_size_mpc_h = map_set.field("log10"), map_set.box_size_mpc_h
    shapes = bispectrum(fields, box_size_mpc_h)
    yield shapes.equilateral, shapes.squeezed
    sets = minkowski_functionals(fields, box_size_mpc_h, _MINKOWSKI_THRESHOLDS, mean=mean, sd=sd)
    yield sets.area, sets.perimeter, sets.euler
    yield (peak_counts(fields, box_size_mpc_h, _PEAK_THRESHOLDS, mean=mean, sd=sd),)
    yield (void_counts(fields, box_size_mpc_h, _VOID_THRESHOLDS, mean=mean, sd=sd),)
    yield (texture(fields, edges),)
