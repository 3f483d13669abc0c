"""Variances at fixed parameters, between simulations and between maps of one simulation, as functions of sums."""

from itertools import combinations_with_replacement

import numpy as np
from jaxtyping import Float

from higlow_tf.errors import InputError

__all__ = ["VarianceComponents"]

_HIGHEST_DEGREE = 3
# Simulations for each coefficient of the polynomial that is taken out.
_SIMULATIONS_PER_COEFFICIENT = 3


class VarianceComponents:
    """Variances of `Q` quantities after a polynomial in the parameters is taken out.

    Definition: for a quantity q,
        r = q - f(theta)                        f: polynomial by least squares over all maps
        within  = sum (r - mean of r in its simulation)**2 / (N - S)
        between = (sum n_s (mean of r in s)**2 / (S - F) - within) / n_0
    with N maps in S simulations of n_s maps, F coefficients of f, and
        n_0 = (N - sum n_s**2 x_s' (X' X)**-1 x_s) / (S - F)
    for a design X of the rows x_s, the same for all maps of a simulation. Both are unbiased [1]: f takes up F of S
    simulations, and n_0 knows it. A cubic is taken if there are three simulations a coefficient, otherwise a polynomial of
    second or first degree.

    Attributes:
        sums: For each simulation its number of maps and its part of the two sums of squares, `[S, 2 + 2 Q]`; the first
            column is 1. Resampled totals of these rows are what the methods take. f, (S - F) / S and n_0 stay.
        degree: Degree of f.

    Args:
        values: `[N, Q]`.
        theta: `[N, P]`.
        simulation: Simulation of each map, `[N]`.
        name: What theta is called in errors.

    Raises:
        InputError: If there are too few simulations for a linear f, or theta does not determine f.

    References:
        [1] Henderson. Estimation of variance and covariance components. Biometrics 9, 226 (1953), method 3.
    """

    def __init__(
        self, values: Float[np.ndarray, "N Q"], theta: Float[np.ndarray, "N P"], simulation: np.ndarray, name: str
    ):
        indices, position, counts = np.unique(simulation, return_inverse=True, return_counts=True)
        num_simulations = len(indices)
        self.degree = _degree(num_simulations, theta.shape[1], name)
        design = _monomials(theta, self.degree)
        basis, _ = np.linalg.qr(design)
        if np.linalg.matrix_rank(design) < design.shape[1]:
            raise InputError(
                f"{name}: expected parameters that determine a polynomial of degree {self.degree} with {design.shape[1]} "
                f"coefficients. Received: {num_simulations} simulations that do not."
            )
        # Centred, so that a large mean costs no digits; f has a constant.
        centred = values - values.mean(axis=0)
        residual = centred - basis @ (basis.T @ centred)
        mean = _sums(residual, position, num_simulations) / counts[:, None]
        within = _sums((residual - mean[position]) ** 2, position, num_simulations)
        self.sums = np.column_stack([np.ones(num_simulations), counts, within, counts[:, None] * mean**2])
        num_free = num_simulations - design.shape[1]
        taken_up = np.sum(_sums(basis, position, num_simulations) ** 2)
        self._free_share = num_free / num_simulations
        self._effective_maps = (len(values) - taken_up) / num_free

    @property
    def num_simulations(self) -> int:
        """How many simulations there are."""
        return len(self.sums)

    @property
    def has_several_maps(self) -> bool:
        """Whether a simulation has more than one map: the two variances can then be told apart."""
        return bool(self.sums[:, 1].max() > 1)

    def variance(self, totals: Float[np.ndarray, "R F"]) -> Float[np.ndarray, "R Q"]:
        """The sum of both variances, from totals of `sums`."""
        return np.sum(self._components(totals), axis=0)

    def share_between(self, totals: Float[np.ndarray, "R F"]) -> Float[np.ndarray, "R Q"]:
        """The share that lies between simulations. It is unbiased, and where it is small it may come out below zero."""
        within, between = self._components(totals)
        return between / (within + between)

    def _components(self, totals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        num_simulations, num_maps = totals[:, :1], totals[:, 1:2]
        within_sum, between_sum = np.split(totals[:, 2:], 2, axis=1)
        # Without a second map in any simulation the sum is zero, too.
        within = within_sum / np.maximum(num_maps - num_simulations, 1.0)
        between = (between_sum / (self._free_share * num_simulations) - within) / self._effective_maps
        return within, between


def _degree(num_simulations: int, num_parameters: int, name: str) -> int:
    for degree in range(_HIGHEST_DEGREE, 0, -1):
        needed = _SIMULATIONS_PER_COEFFICIENT * len(_exponents(num_parameters, degree))
        if num_simulations >= needed:
            return degree
    raise InputError(
        f"{name}: expected at least {needed} simulations, to take out a linear function of {num_parameters} parameters. "
        f"Received: {num_simulations}."
    )


def _exponents(num_parameters: int, degree: int) -> list[tuple[int, ...]]:
    """Which parameters are multiplied in each monomial up to a degree; nothing in the first, which is 1."""
    return [
        chosen for order in range(degree + 1) for chosen in combinations_with_replacement(range(num_parameters), order)
    ]


def _monomials(theta: np.ndarray, degree: int) -> np.ndarray:
    """All monomials up to a degree of the parameters, scaled to [-1, 1], `[N, P]` -> `[N, F]`."""
    low, high = theta.min(axis=0), theta.max(axis=0)
    unit = (2.0 * theta - low - high) / np.where(high > low, high - low, 1.0)
    chosen = _exponents(theta.shape[1], degree)
    return np.stack([np.prod(unit[:, list(columns)], axis=1) for columns in chosen], axis=1)


def _sums(values: np.ndarray, position: np.ndarray, num_simulations: int) -> np.ndarray:
    sums = np.zeros((num_simulations, values.shape[1]))
    np.add.at(sums, position, values)
    return sums
