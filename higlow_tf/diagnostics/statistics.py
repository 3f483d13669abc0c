"""All field statistics of generated maps against those of simulated maps."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike

from higlow_tf.diagnostics.bispectrum import bispectrum
from higlow_tf.diagnostics.fields import as_simulation, log10_field
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
    real_maps: ArrayLike,
    real_simulation: ArrayLike,
    generated_maps: ArrayLike,
    generated_simulation: ArrayLike,
    box_size_mpc_h: float,
    *,
    progress: Callable[[int, int], object] | None = None,
    seed: int = 0,
) -> dict[str, SummaryComparison]:
    """Compares bispectra, Minkowski functionals, counts of peaks and voids, and texture of log10 maps.

    Convention: thresholds are in units of the mean and sd of log10 of all real pixels, and grey levels are the quantiles
        of the real pixels, on both sides. Errors and floors as in `compare_summaries`: "difference" for statistics that
        cross zero and for texture, "ratio" for the others.

    Units: maps in physical units, positive; deviations have none.

    What it can and cannot show: structure beyond P(k) and the pixel PDF. None of these alone sees everything, and many
        numbers are compared: one of them beyond twice its error is expected.

    Args:
        real_maps, generated_maps: `[N, n, n]` and `[M, n, n]`, of at least eight pixels a side.
        real_simulation, generated_simulation: Simulation of each map, `[N]` and `[M]`.
        box_size_mpc_h: Side of the box, Mpc/h.
        progress: Called with (steps done, steps in all) after each step.
        seed: Seed of the resamples and halvings.

    Returns:
        A `SummaryComparison` for each of "bispectrum_equilateral", "bispectrum_squeezed", "minkowski_area",
        "minkowski_perimeter", "minkowski_euler", "peaks", "voids" and "texture".

    Raises:
        InputError: If shapes disagree, pixels are not finite and positive, or all real pixels are equal.
    """
    real, generated = log10_field(real_maps), log10_field(generated_maps)
    if real.shape[1:] != generated.shape[1:]:
        raise InputError(
            f"generated_maps: expected maps of {real.shape[1:]} pixels like the real ones. "
            f"Received: {generated.shape[1:]}."
        )
    real_simulation = as_simulation(real_simulation, len(real), "real_simulation")
    generated_simulation = as_simulation(generated_simulation, len(generated), "generated_simulation")
    mean, sd = float(real.mean()), float(real.std())
    if real.min() == real.max():
        raise InputError(f"real_maps: expected pixels that differ. Received: {real.size} pixels of 10**{mean:.3g}.")
    cuts = mean, sd, grey_level_edges(real)
    both_sides = zip(_measure(real, box_size_mpc_h, *cuts), _measure(generated, box_size_mpc_h, *cuts), strict=True)
    comparisons = {}
    for step, (real_summaries, generated_summaries) in enumerate(both_sides, start=1):
        for one, other in zip(real_summaries, generated_summaries, strict=True):
            comparisons[one.name] = compare_summaries(
                one, real_simulation, other, generated_simulation, kind=_KINDS[one.name], seed=seed
            )
        if progress is not None:
            progress(step, _NUM_STEPS)
    return comparisons


def _measure(
    fields: np.ndarray, box_size_mpc_h: float, mean: float, sd: float, edges: np.ndarray
) -> Iterator[tuple[Summary, ...]]:
    """The summaries of one side, step by step, cut at values that come from the real fields."""
    shapes = bispectrum(fields, box_size_mpc_h)
    yield shapes.equilateral, shapes.squeezed
    sets = minkowski_functionals(fields, box_size_mpc_h, _MINKOWSKI_THRESHOLDS, mean=mean, sd=sd)
    yield sets.area, sets.perimeter, sets.euler
    yield (peak_counts(fields, box_size_mpc_h, _PEAK_THRESHOLDS, mean=mean, sd=sd),)
    yield (void_counts(fields, box_size_mpc_h, _VOID_THRESHOLDS, mean=mean, sd=sd),)
    yield (texture(fields, edges),)
