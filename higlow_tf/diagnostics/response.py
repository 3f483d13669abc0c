"""How P(k) answers to the parameters: derivatives of ln P, generated against real."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from higlow_tf.diagnostics.bootstrap import NUM_BOOTSTRAP, bootstrap_error, halving_floor, sums_by_simulation
from higlow_tf.diagnostics.map_samples import MapSamples, MapSet
from higlow_tf.errors import InputError, InputWarning

__all__ = ["ResponseComparison", "power_response"]

# Simulations for each coefficient: a resample (63 % of them are distinct) and a half must give a stable regression too.
_SIMULATIONS_PER_COEFFICIENT = 4

_FIELD = "log10"


@dataclass(frozen=True)
class ResponseComparison:
    """Derivatives of ln P(k) with respect to each of `P` parameters, in `K` bins.

    Attributes:
        k_h_mpc: Bin centres, h/Mpc, `[K]`.
        at: Parameters at which the derivative is taken, `[P]`.
        parameter_names: Their names.
        real, generated: Derivatives per unit of the parameter, `[P, K]`.
        real_error, generated_error: Bootstrap errors over simulations; None with too few simulations.
        difference: generated - real.
        difference_error: Its bootstrap error, the sides resampled together where they hold the same simulations.
        floor: What abs(difference) is on average for real against real; None with too few simulations.
        num_real_simulations, num_generated_simulations: How many simulations stand behind it.
    """

    k_h_mpc: Float[np.ndarray, " K"]
    at: Float[np.ndarray, " P"]
    parameter_names: tuple[str, ...]
    real: Float[np.ndarray, "P K"]
    real_error: Float[np.ndarray, "P K"] | None
    generated: Float[np.ndarray, "P K"]
    generated_error: Float[np.ndarray, "P K"] | None
    difference: Float[np.ndarray, "P K"]
    difference_error: Float[np.ndarray, "P K"] | None
    floor: Float[np.ndarray, "P K"] | None
    num_real_simulations: int
    num_generated_simulations: int


def power_response(
    samples: MapSamples,
    *,
    parameter_names: Sequence[str],
    at: ArrayLike | None = None,
    seed: int = 0,
) -> ResponseComparison:
    """Compares how the power of generated and of real maps changes with the parameters.

    Definition: by least squares over the maps of a side,
        ln P(k) = c + sum_i g_i d_i + sum_(i <= j) h_ij d_i d_j,      d = theta - at
        real, generated = g_i = d ln P(k) / d theta_i at `at`

    Convention: P(k) of log10 maps, natural logarithm. The mean of ln P of a map lies below the ln of the mean P. For
        Gaussian fields the parameters do not change the difference, and the derivatives are the same.

    Units: maps in physical units; derivatives in 1 / unit of the parameter.

    What it can and cannot show: whether the model uses its condition, and by how much. Comparisons over all parameters
        together do not show it: a generator that mixes up the parameters keeps the mean P(k). It sees two-point structure
        only, near one point. If ln P is not quadratic over the whole range, both sides are wrong alike.

    Checked against: spectra that are exactly quadratic, and the derivative of the lognormal suite's own power.

    Args:
        samples: Real and generated maps with their parameters.
        parameter_names: Names of the `P` parameters.
        at: Where the derivative is taken, `[P]`; None for the middle of the range of the parameters of the real maps.
        seed: Seed of the resamples and halvings.

    Returns:
        A `ResponseComparison`. Errors and floor are None, with an `InputWarning`, below four simulations a coefficient (24
        for two parameters).

    Raises:
        InputError: If the samples have no parameters or another number than there are names, a map has no power, `at`
            lies outside the range of the parameters of the real maps, or the parameters do not determine the regression.
    """
    names = tuple(parameter_names)
    real_theta, generated_theta = (_theta_of(map_set, len(names)) for map_set in (samples.real, samples.generated))
    low, high = real_theta.min(axis=0), real_theta.max(axis=0)
    at = 0.5 * (low + high) if at is None else np.asarray(at, np.float64)
    if at.shape != low.shape or not np.all((at >= low) & (at <= high)):
        raise InputError(f"at: expected parameters [P] within {low} and {high}. Received: {at}.")
    unit = np.where(high > low, 0.5 * (high - low), 1.0)  # the normal matrix needs numbers of order one
    real_sums = _regression_sums(samples.real, (real_theta - at) / unit)
    sums = _regression_sums(samples.generated, (generated_theta - at) / unit)
    k_h_mpc = samples.real.power(_FIELD).k_h_mpc

    def slopes(totals: np.ndarray) -> np.ndarray:
        return _slopes(totals, len(k_h_mpc), len(names)) / unit[:, None]

    def both_and_difference(real_totals: np.ndarray, totals: np.ndarray) -> np.ndarray:
        real_slopes, generated_slopes = slopes(real_totals), slopes(totals)
        return np.stack([real_slopes, generated_slopes, generated_slopes - real_slopes], axis=1)

    real, generated, difference = both_and_difference(real_sums.sum(axis=0)[None], sums.sum(axis=0)[None])[0]
    errors, floor = (None, None, None), None
    needed = _SIMULATIONS_PER_COEFFICIENT * len(_quadratic(np.zeros((1, len(names))))[0])
    if min(len(real_sums), len(sums)) < needed:
        warnings.warn(
            f"power_response: no error bar, which takes at least {needed} simulations a side for {len(names)} parameters. "
            f"Received: {min(len(real_sums), len(sums))}.",
            InputWarning,
            stacklevel=2,
        )
    else:
        errors = bootstrap_error(
            both_and_difference,
            real_sums,
            sums,
            is_paired=samples.is_paired,
            num_bootstrap=NUM_BOOTSTRAP,
            seed=seed,
            name="power_response",
        )
        floor = halving_floor(lambda half, rest: slopes(half) - slopes(rest), real_sums, len(sums), seed)
    return ResponseComparison(
        k_h_mpc=k_h_mpc,
        at=at,
        parameter_names=names,
        real=real,
        real_error=errors[0],
        generated=generated,
        generated_error=errors[1],
        difference=difference,
        difference_error=errors[2],
        floor=floor,
        num_real_simulations=len(real_sums),
        num_generated_simulations=len(sums),
    )


def _theta_of(map_set: MapSet, num_parameters: int) -> np.ndarray:
    shape = None if map_set.theta is None else map_set.theta.shape
    if shape is None or shape[1] != num_parameters:
        raise InputError(
            f"{map_set.name_of('theta')}: expected parameters [N, {num_parameters}], one column a name. Received: {shape}."
        )
    return map_set.theta


def _quadratic(theta: np.ndarray) -> np.ndarray:
    """All monomials up to the second degree, `[N, P]` -> `[N, Q]`: 1, the parameters, their products."""
    rows, columns = np.triu_indices(theta.shape[1])
    return np.hstack([np.ones((len(theta), 1)), theta, theta[:, rows] * theta[:, columns]])


def _regression_sums(map_set: MapSet, theta: np.ndarray) -> np.ndarray:
    """The normal equations of each simulation, `[S, Q * (Q + K)]`, in scaled parameters `[N, P]`."""
    power = map_set.log_power(_FIELD)
    design = _quadratic(theta)
    products = design[:, :, None] * np.hstack([design, power])[:, None, :]
    indices, sums = sums_by_simulation(products.reshape(len(power), -1), map_set.simulation)
    sums = sums[:, 1:]
    rank = np.linalg.matrix_rank(sums.sum(axis=0).reshape(products.shape[1:])[:, : design.shape[1]], hermitian=True)
    if rank < design.shape[1]:
        raise InputError(
            f"{map_set.name_of('theta')}: expected parameters that determine a quadratic polynomial of {design.shape[1]} "
            f"coefficients. Received: {len(indices)} simulations that determine {rank}."
        )
    return sums


def _slopes(totals: np.ndarray, num_bins: int, num_parameters: int) -> np.ndarray:
    """Linear coefficients `[R, P, K]` from sums of normal equations `[R, Q * (Q + K)]`."""
    num_coefficients = len(_quadratic(np.zeros((1, num_parameters)))[0])
    equations = totals.reshape(len(totals), num_coefficients, num_coefficients + num_bins)
    solution = np.linalg.solve(equations[:, :, :num_coefficients], equations[:, :, num_coefficients:])
    return solution[:, 1 : 1 + num_parameters]
