"""How P(k) answers to the parameters: derivatives of ln P, generated against real."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from higlow_tf.diagnostics.bootstrap import NUM_BOOTSTRAP, bootstrap_error, halving_floor, sums_by_simulation
from higlow_tf.diagnostics.fields import as_simulation
from higlow_tf.diagnostics.log_power import log_power
from higlow_tf.errors import InputError, InputWarning

__all__ = ["ResponseComparison", "power_response"]

# Simulations a coefficient that a resample (63 % of them distinct) or a half needs for a stable regression.
_SIMULATIONS_PER_COEFFICIENT = 4


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
    real_maps: ArrayLike,
    real_theta: ArrayLike,
    real_simulation: ArrayLike,
    generated_maps: ArrayLike,
    generated_theta: ArrayLike,
    generated_simulation: ArrayLike,
    box_size_mpc_h: float,
    *,
    parameter_names: Sequence[str],
    at: ArrayLike | None = None,
    seed: int = 0,
) -> ResponseComparison:
    """Compares how the power of generated and of real maps changes with the parameters.

    Definition: by least squares over the maps of a side,
        ln P(k) = c + sum_i g_i d_i + sum_(i <= j) h_ij d_i d_j,      d = theta - at
        real, generated = g_i = d ln P(k) / d theta_i at `at`

    Convention: P(k) of log10 maps, natural logarithm, as `log_power`. The mean of ln P of a map lies below the ln of the mean P
        by an amount that the parameters do not change, so that the derivatives are the same for Gaussian fields.

    Units: maps in physical units, positive; derivatives in 1 / unit of the parameter.

    What it can and cannot show: whether the model uses its condition and by how much, which comparisons over all
        parameters together do not: a generator that mixes up the parameters keeps the mean P(k). Only two-point structure,
        near one point. Where ln P is not quadratic over the whole range both sides are wrong alike.

    Checked against: spectra that are exactly quadratic, and the derivative of the lognormal suite's own power.

    Args:
        real_maps, generated_maps: `[N, n, n]` and `[M, n, n]`.
        real_theta, generated_theta: Parameters of each map, `[N, P]` and `[M, P]`.
        real_simulation, generated_simulation: Simulation of each map, `[N]` and `[M]`.
        box_size_mpc_h: Side of the box, Mpc/h.
        parameter_names: Names of the `P` parameters.
        at: Where the derivative is taken, `[P]`; None for the middle of the range of `real_theta`.
        seed: Seed of the resamples and halvings.

    Returns:
        A `ResponseComparison`. Errors and floor are None, with an `InputWarning`, below four simulations a coefficient (24
        for two parameters).

    Raises:
        InputError: If shapes disagree, a map has no power, `at` lies outside the range of `real_theta`, or the parameters
            do not determine the regression.
    """
    names = tuple(parameter_names)
    real_theta = _as_theta(real_theta, len(names), "real_theta")
    generated_theta = _as_theta(generated_theta, len(names), "generated_theta")
    low, high = real_theta.min(axis=0), real_theta.max(axis=0)
    at = 0.5 * (low + high) if at is None else np.asarray(at, np.float64)
    if at.shape != low.shape or not np.all((at >= low) & (at <= high)):
        raise InputError(f"at: expected parameters [P] within {low} and {high}. Received: {at}.")
    unit = np.where(high > low, 0.5 * (high - low), 1.0)  # the normal matrix needs numbers of order one
    k_h_mpc, real_indices, real_sums = _regression_sums(
        real_maps, (real_theta - at) / unit, real_simulation, box_size_mpc_h, "real"
    )
    _, indices, sums = _regression_sums(
        generated_maps, (generated_theta - at) / unit, generated_simulation, box_size_mpc_h, "generated"
    )

    def slopes(totals: np.ndarray) -> np.ndarray:
        return _slopes(totals, len(k_h_mpc), len(names)) / unit[:, None]

    def both_and_difference(real_totals: np.ndarray, totals: np.ndarray) -> np.ndarray:
        one, other = slopes(real_totals), slopes(totals)
        return np.stack([one, other, other - one], axis=1)

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
            is_paired=np.array_equal(real_indices, indices),
            num_bootstrap=NUM_BOOTSTRAP,
            seed=seed,
            name="power_response",
        )
        floor = halving_floor(lambda one, other: slopes(one) - slopes(other), real_sums, len(sums), seed)
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
        num_real_simulations=len(real_indices),
        num_generated_simulations=len(indices),
    )


def _as_theta(theta: ArrayLike, num_parameters: int, name: str) -> np.ndarray:
    theta = np.asarray(theta, np.float64)
    if theta.ndim != 2 or theta.shape[1] != num_parameters or not theta.size or not np.isfinite(theta).all():
        raise InputError(
            f"{name}: expected finite parameters [N, {num_parameters}], one column a name. Received: {theta.shape}."
        )
    return theta


def _quadratic(theta: np.ndarray) -> np.ndarray:
    """All monomials up to the second degree, `[N, P]` -> `[N, Q]`: one, the parameters, their products."""
    rows, columns = np.triu_indices(theta.shape[1])
    return np.hstack([np.ones((len(theta), 1)), theta, theta[:, rows] * theta[:, columns]])


def _regression_sums(
    maps: ArrayLike, theta: np.ndarray, simulation: ArrayLike, box_size_mpc_h: float, side: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bin centres `[K]`, simulation indices `[S]`, and the normal equations of each simulation `[S, Q * (Q + K)]`."""
    k_h_mpc, power = log_power(maps, box_size_mpc_h, "log10", f"{side}_maps")
    if len(theta) != len(power):
        raise InputError(f"{side}_theta: expected one row for each of {len(power)} maps. Received: {len(theta)}.")
    design = _quadratic(theta)
    products = design[:, :, None] * np.hstack([design, power])[:, None, :]
    simulation = as_simulation(simulation, len(power), f"{side}_simulation")
    indices, sums = sums_by_simulation(products.reshape(len(power), -1), simulation)
    sums = sums[:, 1:]
    rank = np.linalg.matrix_rank(sums.sum(axis=0).reshape(products.shape[1:])[:, : design.shape[1]], hermitian=True)
    if rank < design.shape[1]:
        raise InputError(
            f"{side}_theta: expected parameters that determine a quadratic polynomial of {design.shape[1]} coefficients. "
            f"Received: {len(indices)} simulations that determine {rank}."
        )
    return k_h_mpc, indices, sums


def _slopes(totals: np.ndarray, num_bins: int, num_parameters: int) -> np.ndarray:
    """Linear coefficients `[R, P, K]` from sums of normal equations `[R, Q * (Q + K)]`."""
    num_coefficients = len(_quadratic(np.zeros((1, num_parameters)))[0])
    equations = totals.reshape(len(totals), num_coefficients, num_coefficients + num_bins)
    solution = np.linalg.solve(equations[:, :, :num_coefficients], equations[:, :, num_coefficients:])
    return solution[:, 1 : 1 + num_parameters]
