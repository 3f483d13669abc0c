"""How much maps of the same parameters differ from one another in what a whole map shares."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from higlow_tf.diagnostics.bootstrap import NUM_BOOTSTRAP, bootstrap_error, halving_floor
from higlow_tf.diagnostics.map_quantities import bright_log10, map_quantities
from higlow_tf.diagnostics.map_samples import MapSamples
from higlow_tf.diagnostics.variance_components import VarianceComponents
from higlow_tf.errors import InputError

__all__ = ["SpreadComparison", "compare_spread"]

# A standard deviation below this share of the largest value is the rounding of float64, not a spread.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class SpreadComparison:
    """Standard deviations at fixed parameters of `Q` quantities of whole maps.

    Attributes:
        names: Keys of the quantities, identifiers.
        labels: Their names in words.
        real_sd, generated_sd: Standard deviation from map to map at fixed parameters, `[Q]`.
        ratio: generated_sd / real_sd, `[Q]`.
        error: Its bootstrap error over simulations; None with too few simulations.
        floor: What abs(ratio - 1) is on average for real against real; None with too few simulations.
        share_between: Share of the real variance that lies between simulations, `[Q]`; None with one map a simulation.
        share_between_error: Its bootstrap error over simulations; None where it has no value or too few simulations.
        degree: Degree of the polynomial in the parameters that was taken out.
        num_real_simulations, num_generated_simulations: How many simulations stand behind it.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    real_sd: Float[np.ndarray, " Q"]
    generated_sd: Float[np.ndarray, " Q"]
    ratio: Float[np.ndarray, " Q"]
    error: Float[np.ndarray, " Q"] | None
    floor: Float[np.ndarray, " Q"] | None
    share_between: Float[np.ndarray, " Q"] | None
    share_between_error: Float[np.ndarray, " Q"] | None
    degree: int
    num_real_simulations: int
    num_generated_simulations: int


def compare_spread(samples: MapSamples, *, seed: int = 0) -> SpreadComparison:
    """Compares how much maps of the same parameters differ from one another: generated over real standard deviation.

    Definition: for each quantity of `map_quantities`, on each side by itself,
        sd = sqrt(within + between)             # of `VarianceComponents`: maps of a simulation, and simulations
        ratio = generated sd / real sd
        share_between = between / (within + between)       of the real maps

    Convention: a cubic in theta is taken out (with few simulations a polynomial of lower degree), fitted once to each side.
        Simulations are resampled, on both sides together where they are the same. The floor is `halving_floor` of the
        ratio of one half to the other, minus 1.

    Units: maps in physical units; a ratio and a share have none.

    What it can and cannot show: whether a generator draws what theta does not tell (nuisance parameters, the phases of the
        box), and draws it for the map as a whole. Means over many maps do not show it. Maps of one simulation have this
        in common, and generated maps at one theta do not: the sum of both variances is compared. What the polynomial
        leaves of the dependence on theta counts as spread on both sides. A few unusual simulations decide the spread of a
        skewed quantity, and the error says so.

    Checked against: quantities with known variances between and within simulations.

    Args:
        samples: Real maps, and maps generated at their parameters, both with theta.
        seed: Seed of the resamples and halvings.

    Returns:
        A `SpreadComparison`. Quantities in which real maps do not differ are left out. Errors and floor are None, with an
        `InputWarning`, below four simulations.

    Raises:
        InputError: If there is no theta, there are too few simulations for a linear function of it, a map has no power in a
            bin, or real maps differ in no quantity.
    """
    bright = bright_log10(samples)
    measured = [map_quantities(map_set, bright) for map_set in (samples.real, samples.generated)]
    real, generated = (
        VarianceComponents(quantities.values, _theta_of(map_set), map_set.simulation, map_set.name_of("simulation"))
        for quantities, map_set in zip(measured, (samples.real, samples.generated), strict=True)
    )
    real_sd, generated_sd = (
        np.sqrt(side.variance(side.sums.sum(axis=0, keepdims=True))[0]) for side in (real, generated)
    )
    is_kept = real_sd > _ROUNDING * np.abs(measured[0].values).max(axis=0)
    if not is_kept.any():
        raise InputError("real_maps: expected maps that differ at fixed parameters. Received: maps that do not.")

    def ratio(real_totals: np.ndarray, totals: np.ndarray) -> np.ndarray:
        return np.sqrt(generated.variance(totals) / real.variance(real_totals))[:, is_kept]

    def deviation(half: np.ndarray, rest: np.ndarray) -> np.ndarray:
        return np.sqrt(real.variance(half) / real.variance(rest))[:, is_kept] - 1.0

    options = {"num_bootstrap": NUM_BOOTSTRAP, "seed": seed, "name": "compare_spread"}
    with np.errstate(divide="ignore", invalid="ignore"):  # of quantities that are left out
        error = bootstrap_error(ratio, real.sums, generated.sums, is_paired=samples.is_paired, **options)
        floor = halving_floor(deviation, real.sums, generated.num_simulations, seed)
        share, share_error = _share_between(real, is_kept, options if error is not None else None)
    return SpreadComparison(
        names=_chosen(measured[0].names, is_kept),
        labels=_chosen(measured[0].labels, is_kept),
        real_sd=real_sd[is_kept],
        generated_sd=generated_sd[is_kept],
        ratio=generated_sd[is_kept] / real_sd[is_kept],
        error=error,
        floor=floor,
        share_between=share,
        share_between_error=share_error,
        degree=real.degree,
        num_real_simulations=real.num_simulations,
        num_generated_simulations=generated.num_simulations,
    )


def _share_between(real, is_kept, options):
    """The share and its error; without `options` there is no error."""
    if not real.has_several_maps:
        return None, None

    def share(totals: np.ndarray) -> np.ndarray:
        return real.share_between(totals)[:, is_kept]

    error = None if options is None else bootstrap_error(share, real.sums, **options)
    return share(real.sums.sum(axis=0, keepdims=True))[0], error


def _theta_of(map_set):
    if map_set.theta is None:
        raise InputError(f"{map_set.name_of('theta')}: expected the parameters of each map. Received: None.")
    return map_set.theta


def _chosen(words, is_chosen):
    return tuple(word for word, chosen in zip(words, is_chosen, strict=True) if chosen)
