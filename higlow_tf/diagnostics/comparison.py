"""Power spectra of generated maps against those of simulated maps."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from higlow_tf.diagnostics.bootstrap import NUM_BOOTSTRAP, bootstrap_error, halving_floor, sums_by_simulation
from higlow_tf.diagnostics.map_samples import MapSamples, MapSet
from higlow_tf.errors import InputError

__all__ = ["PowerComparison", "compare_power"]

# The sd comes from a difference of moments in float64; below this share of the mean it is rounding, not scatter.
_SMALLEST_RELATIVE_SD = 1e-7


@dataclass(frozen=True)
class PowerComparison:
    """P(k) of real and generated maps in `K` bins, and their ratios (generated / real).

    Attributes:
        k_h_mpc: Bin centres, h/Mpc.
        real_mean_mpc2_h2, real_sd_mpc2_h2, generated_mean_mpc2_h2, generated_sd_mpc2_h2: Mean and standard deviation
            of P(k) over the maps, (Mpc/h)**2.
        mean_ratio, sd_ratio: Ratios of the means and of the standard deviations.
        mean_ratio_error, sd_ratio_error: Their bootstrap errors over simulations; None with too few simulations.
        mean_ratio_floor, sd_ratio_floor: What abs(ratio - 1) is on average for real against real; None with too few.
        field: "log10" or "overdensity".
        num_real_simulations, num_generated_simulations: How many simulations stand behind it.
    """

    k_h_mpc: Float[np.ndarray, " K"]
    real_mean_mpc2_h2: Float[np.ndarray, " K"]
    real_sd_mpc2_h2: Float[np.ndarray, " K"]
    generated_mean_mpc2_h2: Float[np.ndarray, " K"]
    generated_sd_mpc2_h2: Float[np.ndarray, " K"]
    mean_ratio: Float[np.ndarray, " K"]
    mean_ratio_error: Float[np.ndarray, " K"] | None
    mean_ratio_floor: Float[np.ndarray, " K"] | None
    sd_ratio: Float[np.ndarray, " K"]
    sd_ratio_error: Float[np.ndarray, " K"] | None
    sd_ratio_floor: Float[np.ndarray, " K"] | None
    field: str
    num_real_simulations: int
    num_generated_simulations: int


def compare_power(
    samples: MapSamples,
    *,
    field: str = "log10",
    num_bootstrap: int = NUM_BOOTSTRAP,
    seed: int = 0,
) -> PowerComparison:
    """Compares the power spectra of generated maps with those of real ones, bin by bin.

    Definition:
        mean_ratio(k) = mean(P_generated(k)) / mean(P_real(k))      over all maps of a side
        sd_ratio(k) = sd(P_generated(k)) / sd(P_real(k))            over all maps of a side, dividing by N

    Convention: as `power_spectrum`. Simulations are resampled with all their maps. Where both sides hold the same
        simulation indices (maps generated at the parameters of the test simulations) each resample takes the same
        simulations on both sides, so that the spread of the parameters cancels. Otherwise the sides are resampled
        independently. The floor is `halving_floor` of the same ratio.

    Units: maps in physical units; power in (Mpc/h)**2, as the fields have no unit.

    What it can and cannot show: whether the two-point structure and its spread over maps are right. Compare at the same
        parameters: P(k) changes with them. The floor scales with the number of simulations, not of maps: give both sides
        about as many maps a simulation.

    Checked against: the analytic error of the mean power of white noise.

    Args:
        samples: Real and generated maps.
        field: "log10" or "overdensity": which field of the maps is measured.
        num_bootstrap: Number of resamples.
        seed: Seed of the resamples and halvings.

    Returns:
        A `PowerComparison`. Errors and floors are None, with an `InputWarning`, below four simulations.

    Raises:
        InputError: If the field is unknown, or the power of the real maps does not differ from map to map.
    """
    real_sums, sums = _power_sums(samples.real, field), _power_sums(samples.generated, field)
    real_mean, real_sd = _moments(real_sums.sum(axis=0))
    if np.any(real_sd <= _SMALLEST_RELATIVE_SD * real_mean):
        raise InputError(
            "real_maps: expected maps whose power differs from map to map. "
            f"Received: {len(samples.real)} maps without scatter."
        )
    error = bootstrap_error(
        _ratios,
        real_sums,
        sums,
        is_paired=samples.is_paired,
        num_bootstrap=num_bootstrap,
        seed=seed,
        name="compare_power",
    )
    floor = halving_floor(lambda half, rest: _ratios(half, rest) - 1, real_sums, len(sums), seed)
    mean, sd = _moments(sums.sum(axis=0))
    return PowerComparison(
        k_h_mpc=samples.real.power(field).k_h_mpc,
        real_mean_mpc2_h2=real_mean,
        real_sd_mpc2_h2=real_sd,
        generated_mean_mpc2_h2=mean,
        generated_sd_mpc2_h2=sd,
        mean_ratio=mean / real_mean,
        mean_ratio_error=None if error is None else error[0],
        mean_ratio_floor=None if floor is None else floor[0],
        sd_ratio=sd / real_sd,
        sd_ratio_error=None if error is None else error[1],
        sd_ratio_floor=None if floor is None else floor[1],
        field=field,
        num_real_simulations=len(real_sums),
        num_generated_simulations=len(sums),
    )


def _power_sums(map_set: MapSet, field: str) -> np.ndarray:
    """Sums of 1, P and P**2 over the maps of each simulation, `[S, 1 + 2 K]`."""
    power = map_set.power(field).power_mpc2_h2
    _, sums = sums_by_simulation(np.hstack([power, power**2]), map_set.simulation)
    return sums


def _moments(totals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation `[..., K]` from totals `[..., 1 + 2 K]`."""
    mean, second = np.split(totals[..., 1:] / totals[..., :1], 2, axis=-1)
    return mean, np.sqrt(np.maximum(second - mean**2, 0.0))


def _ratios(real_totals: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Mean ratio and sd ratio `[R, 2, K]`."""
    moments = zip(_moments(totals), _moments(real_totals), strict=True)
    return np.stack([generated / real for generated, real in moments], axis=1)
