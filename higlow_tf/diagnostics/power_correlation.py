"""How the power at one scale goes with that at another, from map to map."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from higlow_tf.diagnostics.bootstrap import NUM_BOOTSTRAP, bootstrap_error, halving_floor
from higlow_tf.diagnostics.map_samples import MapSamples, MapSet
from higlow_tf.diagnostics.power_spectrum import power_spectrum
from higlow_tf.errors import InputError

__all__ = ["CorrelationComparison", "PowerCorrelation", "compare_power_correlation", "power_correlation"]

# Relative to the mean power: a smaller sd over the maps is rounding, not scatter.
_SMALLEST_RELATIVE_SD = 1e-7


@dataclass(frozen=True)
class PowerCorrelation:
    """Correlation matrix of the power in `K` bins over maps.

    Attributes:
        k_h_mpc: Bin centres `[K]`, h/Mpc.
        correlation: `[K, K]`, 1 on the diagonal.
    """

    k_h_mpc: Float[np.ndarray, " K"]
    correlation: Float[np.ndarray, "K K"]


@dataclass(frozen=True)
class CorrelationComparison:
    """Correlation matrices of the power of real and of generated maps.

    Attributes:
        k_h_mpc: Bin centres `[K]`, h/Mpc.
        real, generated: Correlation of P(k) with P(k') over the maps of a side.
        difference: generated - real.
        error: Its bootstrap error over simulations; None with too few simulations.
        floor: What abs(difference) is on average for real against real; None with too few simulations.
        mean_difference: Mean of the difference over all pairs of two bins: one number that
            does not depend on the choice of a pair.
        mean_difference_error, mean_difference_floor: Its error and floor; None with too few simulations.
        field: "log10" or "overdensity".
        num_real_simulations, num_generated_simulations: How many simulations stand behind it.
    """

    k_h_mpc: Float[np.ndarray, " K"]
    real: Float[np.ndarray, "K K"]
    generated: Float[np.ndarray, "K K"]
    difference: Float[np.ndarray, "K K"]
    error: Float[np.ndarray, "K K"] | None
    floor: Float[np.ndarray, "K K"] | None
    mean_difference: float
    mean_difference_error: float | None
    mean_difference_floor: float | None
    field: str
    num_real_simulations: int
    num_generated_simulations: int


def power_correlation(fields: ArrayLike, box_size_mpc_h: float) -> PowerCorrelation:
    """Measures the correlation of P(k) with P(k') over a stack of square periodic fields.

    Definition:
        correlation = cov(P(k), P(k')) / (sd(P(k)) sd(P(k')))      over the maps; P as in `power_spectrum`

    What it can and cannot show: Gaussian fields of one power spectrum have the unit matrix, up to noise of
        1 / sqrt(N); other elements off the diagonal come from the four-point structure of the maps and from the spread of
        their parameters.

    Checked against: NumPy's `corrcoef`.

    Args:
        fields: `[N, n, n]`, for example from `log10_field` or `overdensity`.
        box_size_mpc_h: Side of the box, Mpc/h.

    Returns:
        A `PowerCorrelation`.

    Raises:
        InputError: As `power_spectrum`, or if the power does not differ from map to map.
    """
    spectrum = power_spectrum(fields, box_size_mpc_h)
    power = spectrum.power_mpc2_h2
    sums = _sums_of_products(power, np.zeros(len(power)), "fields")
    return PowerCorrelation(spectrum.k_h_mpc, _correlation(sums[0], len(spectrum.k_h_mpc)))


def compare_power_correlation(
    samples: MapSamples,
    *,
    field: str = "log10",
    seed: int = 0,
) -> CorrelationComparison:
    """Compares the correlation matrices of the power of real and of generated maps.

    Convention: the matrices of `power_correlation`, over all maps of a side. Simulations are resampled with all their
        maps; the same simulation indices on both sides are resampled together, as in `compare_power`. The floor is
        `halving_floor` of the same difference.

    Units: maps in physical units. Correlations have none.

    What it can and cannot show: whether maps vary as simulations do, beyond the sd in each bin. The spread of the
        parameters is a large part of it: compare at the same parameters.

    Checked against: the analytic error 1 / sqrt(N) of a vanishing correlation; the floor of four simulations by hand.

    Args:
        samples: Real and generated maps.
        field: "log10" or "overdensity": which field of the maps is measured.
        seed: Seed of the resamples and halvings.

    Returns:
        A `CorrelationComparison`. Error and floor are None, with an `InputWarning`, below four simulations.

    Raises:
        InputError: If the field is unknown, or the power of a side does not differ from map to map.
    """
    real_sums, sums = (_sums_of_set(map_set, field) for map_set in (samples.real, samples.generated))
    k_h_mpc = samples.real.power(field).k_h_mpc
    shape, pairs = (len(k_h_mpc), len(k_h_mpc)), np.triu_indices(len(k_h_mpc), k=1)

    def matrix_and_mean(real_totals: np.ndarray, totals: np.ndarray) -> np.ndarray:
        """The difference as a flat matrix, and after it its mean over the pairs of two bins."""
        matrix = _correlation(totals, len(k_h_mpc)) - _correlation(real_totals, len(k_h_mpc))
        flat = matrix.reshape(*matrix.shape[:-2], -1)
        return np.concatenate([flat, matrix[..., pairs[0], pairs[1]].mean(axis=-1, keepdims=True)], axis=-1)

    error = bootstrap_error(
        matrix_and_mean,
        real_sums,
        sums,
        is_paired=samples.is_paired,
        num_bootstrap=NUM_BOOTSTRAP,
        seed=seed,
        name="compare_power_correlation",
    )
    floor = halving_floor(matrix_and_mean, real_sums, len(sums), seed)
    real_totals, totals = real_sums.sum(axis=0), sums.sum(axis=0)
    difference = matrix_and_mean(real_totals, totals)
    return CorrelationComparison(
        k_h_mpc=k_h_mpc,
        real=_correlation(real_totals, len(k_h_mpc)),
        generated=_correlation(totals, len(k_h_mpc)),
        difference=difference[:-1].reshape(shape),
        error=None if error is None else error[:-1].reshape(shape),
        floor=None if floor is None else floor[:-1].reshape(shape),
        mean_difference=float(difference[-1]),
        mean_difference_error=None if error is None else float(error[-1]),
        mean_difference_floor=None if floor is None else float(floor[-1]),
        field=field,
        num_real_simulations=len(real_sums),
        num_generated_simulations=len(sums),
    )


def _sums_of_set(map_set: MapSet, field: str) -> np.ndarray:
    return _sums_of_products(map_set.power(field).power_mpc2_h2, map_set.simulation, map_set.name_of("maps"))


def _sums_of_products(power: np.ndarray, simulation: np.ndarray, name: str) -> np.ndarray:
    """Sums of 1, P and P P' over the maps of each simulation, `[S, 1 + K + K * K]`.

    P is here the power less its mean over all maps, over its standard deviation: moments of such numbers lose no digits.
    """
    mean, sd = power.mean(axis=0), power.std(axis=0)
    if np.any(sd <= _SMALLEST_RELATIVE_SD * mean):
        raise InputError(
            f"{name}: expected maps whose power differs from map to map. Received: {len(power)} maps without scatter."
        )
    relative = (power - mean) / sd
    rows = [relative[simulation == index] for index in np.unique(simulation)]
    return np.stack([np.concatenate([[len(row)], row.sum(axis=0), (row.T @ row).ravel()]) for row in rows])


def _correlation(totals: np.ndarray, num_bins: int) -> np.ndarray:
    """Correlation `[..., K, K]` from totals `[..., 1 + K + K * K]`."""
    moments = totals[..., 1:] / totals[..., :1]
    mean, products = moments[..., :num_bins], moments[..., num_bins:]
    covariance = products.reshape(*mean.shape, num_bins) - mean[..., :, None] * mean[..., None, :]
    sd = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
    return covariance / (sd[..., :, None] * sd[..., None, :])
