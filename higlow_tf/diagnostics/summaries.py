"""Summary statistics of maps, one row a map, and their comparison between real and generated maps."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from higlow_tf.diagnostics.bootstrap import NUM_BOOTSTRAP, bootstrap_error, halving_floor, sums_by_simulation
from higlow_tf.diagnostics.map_samples import MapSamples, MapSet
from higlow_tf.errors import InputError

__all__ = ["Summary", "SummaryComparison", "compare_summaries"]

# A scale (mean or sd of the real values) below this share of the largest value is the rounding of float64, not a scale.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Summary:
    """A statistic of `N` maps in `K` bins.

    Attributes:
        name: Its key, an identifier.
        label: Its name in words.
        x: Where the bins are, `[K]`.
        x_label: What `x` is, with its unit.
        value_label: What `values` are, with their unit.
        values: `[N, K]`, one row a map.
    """

    name: str
    label: str
    x: Float[np.ndarray, " K"]
    x_label: str
    value_label: str
    values: Float[np.ndarray, "N K"]


@dataclass(frozen=True)
class SummaryComparison:
    """A statistic of real and of generated maps, in the `K` bins in which real maps differ.

    Attributes:
        name, label, x, x_label, value_label: As in `Summary`.
        real_mean, real_sd, generated_mean, generated_sd: Mean and standard deviation over the maps of a side.
        kind: What `deviation` is: "ratio" or "difference".
        deviation: generated / real - 1, or (generated - real) / real_sd, of the means.
        error: Its bootstrap error over simulations; None with too few simulations.
        floor: What abs(deviation) is on average for real against real; None with too few simulations.
        num_real_simulations, num_generated_simulations: How many simulations stand behind it.
    """

    name: str
    label: str
    x: Float[np.ndarray, " K"]
    x_label: str
    value_label: str
    real_mean: Float[np.ndarray, " K"]
    real_sd: Float[np.ndarray, " K"]
    generated_mean: Float[np.ndarray, " K"]
    generated_sd: Float[np.ndarray, " K"]
    kind: str
    deviation: Float[np.ndarray, " K"]
    error: Float[np.ndarray, " K"] | None
    floor: Float[np.ndarray, " K"] | None
    num_real_simulations: int
    num_generated_simulations: int


def compare_summaries(
    samples: MapSamples,
    real: Summary,
    generated: Summary,
    *,
    kind: str,
    seed: int = 0,
) -> SummaryComparison:
    """Compares the mean of a statistic over generated maps with that over real maps, bin by bin.

    Definition:
        "ratio":       deviation = mean(generated) / mean(real) - 1                        over all maps of a side
        "difference":  deviation = (mean(generated) - mean(real)) / sd(real)               for statistics that cross zero
        error = sd over resamples of (generated_b - slope * real_b) / scale    # the ratio linearised: no resampled zero
        with slope, scale = mean(generated) / mean(real), abs(mean(real))      # is ever divided by
        or 1, sd(real)

    Convention: `sd(real)` is the scatter of single maps (dividing by N), with that of their parameters. Simulations are
        resampled with all their maps; the same simulation indices on both sides are resampled together, as in
        `compare_power`. The floor is `halving_floor` of the difference of the means over the same scale.

    Units: the deviation, its error and its floor have none.

    Empty bins: bins in which all real maps agree are dropped, because there is no noise to compare with: no map has a peak
        that high, or all of every map lies above the threshold. Bins with scale zero are dropped too.

    What it can and cannot show: whether the mean is right at the parameters of the test maps. Neighbouring bins are
        correlated, and the largest of many deviations exceeds its floor by chance.

    Checked against: the analytic error of the mean of independent Gaussians.

    Args:
        samples: The `N` real and `M` generated maps that were measured; their simulations are resampled.
        real, generated: The same statistic in the same bins, one row for each of these maps.
        kind: "ratio" or "difference".
        seed: Seed of the resamples and halvings.

    Returns:
        A `SummaryComparison`. Error and floor are None, with an `InputWarning`, below four simulations.

    Raises:
        InputError: If the two are not the same statistic, there is not one row a map, a value is not finite, or no bin
            has a scale.
    """
    if kind not in ("ratio", "difference"):
        raise InputError(f'kind: expected "ratio" or "difference". Received: {kind!r}.')
    _check_same(real, generated)
    _check_rows(samples.real, real)
    _check_rows(samples.generated, generated)
    real_mean, real_sd = real.values.mean(axis=0), real.values.std(axis=0)
    scale = np.abs(real_mean) if kind == "ratio" else real_sd
    is_kept = np.minimum(scale, real_sd) > _ROUNDING * np.abs(real.values).max(axis=0)
    if not is_kept.any():
        raise InputError(
            f"real: expected values of {real.name} that differ from map to map and from zero. "
            f"Received: none in {len(is_kept)} bins."
        )
    real_mean, real_sd, scale = real_mean[is_kept], real_sd[is_kept], scale[is_kept]
    values = generated.values[:, is_kept]
    mean = values.mean(axis=0)
    slope = mean / real_mean if kind == "ratio" else np.ones_like(mean)
    _, real_sums = sums_by_simulation(real.values[:, is_kept], samples.real.simulation)
    _, sums = sums_by_simulation(values, samples.generated.simulation)
    error = bootstrap_error(
        lambda real_totals, totals: (_means(totals) - slope * _means(real_totals)) / scale,
        real_sums,
        sums,
        is_paired=samples.is_paired,
        num_bootstrap=NUM_BOOTSTRAP,
        seed=seed,
        name=f"compare_summaries of {real.name}",
    )
    return SummaryComparison(
        name=real.name,
        label=real.label,
        x=real.x[is_kept],
        x_label=real.x_label,
        value_label=real.value_label,
        real_mean=real_mean,
        real_sd=real_sd,
        generated_mean=mean,
        generated_sd=values.std(axis=0),
        kind=kind,
        deviation=slope - 1 if kind == "ratio" else (mean - real_mean) / scale,
        error=error,
        floor=halving_floor(lambda half, rest: (_means(half) - _means(rest)) / scale, real_sums, len(sums), seed),
        num_real_simulations=len(real_sums),
        num_generated_simulations=len(sums),
    )


def _check_same(real: Summary, generated: Summary) -> None:
    if real.name != generated.name or not np.array_equal(real.x, generated.x):
        raise InputError(
            f"generated: expected {real.name} in the {len(real.x)} bins of the real maps. "
            f"Received: {generated.name} in {len(generated.x)} bins."
        )


def _check_rows(map_set: MapSet, summary: Summary) -> None:
    if len(summary.values) != len(map_set):
        raise InputError(
            f"{map_set.side}: expected values of {summary.name} of {len(map_set)} maps. Received: {len(summary.values)} rows."
        )
    if not np.isfinite(summary.values).all():
        raise InputError(
            f"{map_set.side}: expected finite values of {summary.name}. "
            f"Received: {np.count_nonzero(~np.isfinite(summary.values))} that are not."
        )


def _means(totals: np.ndarray) -> np.ndarray:
    return totals[..., 1:] / totals[..., :1]
