"""The mean P(k) of each cosmology, generated against real, as one R2 a cosmology."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from higlow_tf.diagnostics.bootstrap import NUM_BOOTSTRAP, bootstrap_error, resampled_median
from higlow_tf.diagnostics.map_samples import MapSamples, MapSet
from higlow_tf.errors import InputError

__all__ = ["PowerR2", "power_r2_by_cosmology"]

_NUM_HALVINGS = 20
_CHOICE_STREAM, _HALVING_STREAM = 0x63686F69, 0x68616C76


@dataclass(frozen=True)
class PowerR2:
    """R2 of the generated mean spectrum of each of `S` cosmologies.

    Attributes:
        simulation: Simulation indices, `[S]`.
        r2: R2 over the k bins of each, `[S]`; 1 for equal spectra, 0 for a flat line at the right height, without lower limit.
        floor_r2: What real maps give against real maps of the same simulation, `[S]`; None where one has a single map.
        median, minimum: Over the cosmologies.
        median_error: Bootstrap error over simulations; None with too few simulations.
        median_floor: Median of `floor_r2`, or None.
        k_h_mpc: Bin centres, h/Mpc, `[K]`.
        real_log10_power, generated_log10_power: Mean log10 of P(k) / ((Mpc/h)**2), `[S, K]`.
        field: "log10" or "overdensity".
    """

    simulation: np.ndarray
    r2: Float[np.ndarray, " S"]
    floor_r2: Float[np.ndarray, " S"] | None
    median: float
    minimum: float
    median_error: float | None
    median_floor: float | None
    k_h_mpc: Float[np.ndarray, " K"]
    real_log10_power: Float[np.ndarray, "S K"]
    generated_log10_power: Float[np.ndarray, "S K"]
    field: str


def power_r2_by_cosmology(
    samples: MapSamples,
    *,
    num_cosmologies: int = 30,
    field: str = "log10",
    seed: int = 0,
) -> PowerR2:
    """Compares the mean spectrum of each simulation with that of the maps generated at its parameters.

    Definition: with real(k) and generated(k) the means of log10 P(k) over the maps of one simulation,
        r2 = 1 - sum_k (real - generated)**2 / sum_k (real - mean_k(real))**2
        floor_r2 = 1 - mean over halvings of [sum_k (half_1 - half_2)**2] * f / sum_k (real - mean_k(real))**2
        f = (1 / n + 1 / m) / (1 / h_1 + 1 / h_2)     # noise of n real and m generated maps over that of the two halves

    Convention: P(k) as `power_spectrum`; every bin has the same weight. The halves are of maps, at random, 20 times.

    Units: maps in physical units; R2 has none.

    What it can and cannot show: the mean spectrum at each cosmology by itself, so that errors of opposite sign do not
        cancel. A spectrum that falls by decades has a large denominator: R2 = 0.99 is a typical error of a tenth of the
        scatter over k. Read it beside its floor. Maps of one simulation share a box and its modes. The halves share them
        too, and generated maps do not: the floor is therefore a little too high.

    Checked against: closed forms (equal spectra; spectra off by a constant factor).

    Args:
        samples: Real and generated maps. A generated map has the index of the simulation whose parameters it was given.
        num_cosmologies: How many of the simulations of both sides are looked at; chosen at random if there are more.
        field: "log10" or "overdensity": which field of the maps is measured.
        seed: Seed of the choice, the halvings and the resamples.

    Returns:
        A `PowerR2`. The error is None, with an `InputWarning`, below four simulations.

    Raises:
        InputError: If the field is unknown, a map has no power, no simulation is on both sides, or `num_cosmologies` is
            not positive.
    """
    if num_cosmologies < 1:
        raise InputError(f"num_cosmologies: expected a positive number. Received: {num_cosmologies}.")
    common = np.intersect1d(samples.real.simulation_indices, samples.generated.simulation_indices)
    if not len(common):
        raise InputError(
            "generated_simulation: expected indices of the real simulations. Received: none that the real maps have."
        )
    chosen = np.sort(_generator(seed, _CHOICE_STREAM).permutation(common)[:num_cosmologies])
    real, generated = (_log10_power(map_set, chosen, field) for map_set in (samples.real, samples.generated))
    real_mean, generated_mean = (np.array([power.mean(axis=0) for power in side]) for side in (real, generated))
    scatter = np.sum((real_mean - real_mean.mean(axis=1, keepdims=True)) ** 2, axis=1)
    r2 = 1 - np.sum((real_mean - generated_mean) ** 2, axis=1) / scatter
    noise = _noise(real, [len(power) for power in generated], seed)
    floor_r2 = None if noise is None else 1 - noise / scatter
    median_error = bootstrap_error(
        lambda weights: resampled_median(r2, weights),
        np.eye(len(r2)),
        num_bootstrap=NUM_BOOTSTRAP,
        seed=seed,
        name="power_r2_by_cosmology",
    )
    return PowerR2(
        simulation=chosen,
        r2=r2,
        floor_r2=floor_r2,
        median=float(np.median(r2)),
        minimum=float(r2.min()),
        median_error=None if median_error is None else float(median_error),
        median_floor=None if floor_r2 is None else float(np.median(floor_r2)),
        k_h_mpc=samples.real.power(field).k_h_mpc,
        real_log10_power=real_mean,
        generated_log10_power=generated_mean,
        field=field,
    )


def _log10_power(map_set: MapSet, chosen: np.ndarray, field: str) -> list[np.ndarray]:
    """log10 P(k) of the maps of each chosen simulation, a list of `[n_s, K]`."""
    is_chosen = np.isin(map_set.simulation, chosen)
    power = map_set.log_power(field, is_chosen)
    return [power[map_set.simulation[is_chosen] == index] / np.log(10) for index in chosen]


def _noise(real: list[np.ndarray], num_generated: list[int], seed: int) -> np.ndarray | None:
    """Sum over k of the squared noise of real against as many generated maps, `[S]`, from halves of the real maps."""
    if min(len(power) for power in real) < 2:
        return None
    rng = _generator(seed, _HALVING_STREAM)
    noise = np.empty(len(real))
    for s, power in enumerate(real):
        half = len(power) // 2
        halves = [np.split(rng.permutation(power), [half]) for _ in range(_NUM_HALVINGS)]
        squares = [np.sum((first.mean(axis=0) - second.mean(axis=0)) ** 2) for first, second in halves]
        scale = (1 / len(power) + 1 / num_generated[s]) / (1 / half + 1 / (len(power) - half))
        noise[s] = np.mean(squares) * scale
    return noise


def _generator(seed: int, stream: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stream,)))
