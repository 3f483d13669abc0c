"""Error bars that know that maps of one simulation are not independent: simulations are resampled, not maps."""

import warnings
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from higlow_tf.errors import InputError, InputWarning

__all__ = [
    "MIN_SIMULATIONS",
    "NUM_BOOTSTRAP",
    "bootstrap_error",
    "halving_floor",
    "resampled_median",
    "sums_by_simulation",
]

MIN_SIMULATIONS = 4
"""With fewer simulations a bootstrap has too few distinct resamples to be called an error bar."""

NUM_BOOTSTRAP = 200
"""Resamples by default: the error bar itself then scatters by 1 / sqrt(2 * 200) = 5 %."""

_NUM_HALVINGS = 100

# Streams of their own: with a plain generator, data drawn from the same seed would be correlated with the resamples.
_BOOTSTRAP_STREAM, _HALVING_STREAM = 0x626F6F74, 0x68616C66


def sums_by_simulation(
    values: Float[np.ndarray, "N F"], simulation: np.ndarray
) -> tuple[np.ndarray, Float[np.ndarray, "S F+1"]]:
    """Adds the rows of each simulation.

    Returns:
        The simulation indices `[S]`, sorted, and the sums `[S, 1 + F]`, whose first column is the number of rows.
    """
    indices, position = np.unique(simulation, return_inverse=True)
    order = np.argsort(position, kind="stable")
    starts = np.searchsorted(position[order], np.arange(len(indices)))
    rows = np.column_stack([np.ones(len(values)), values])[order]
    return indices, np.add.reduceat(rows, starts, axis=0)


def bootstrap_error(
    statistic: Callable[..., np.ndarray],
    *groups: Float[np.ndarray, "_ _"],
    is_paired: bool = False,
    num_bootstrap: int,
    seed: int,
    name: str,
) -> np.ndarray | None:
    """Standard deviation of a statistic over resamples of the simulations with replacement.

    Every statistic here is a function of sums over simulations. A resample is then a row of integer weights, and all
    resamples are one matrix product.

    Args:
        statistic: Called once with the resampled totals `[R, F]` of each group; returns `[R, ...]`.
        *groups: Sums of each simulation `[S, F]`, for one or more sets of simulations.
        is_paired: Whether row s is the same simulation in all groups, which are then resampled together.
        num_bootstrap: Number of resamples. A resample that holds one simulation only has no scatter and is left out.
        seed: Seed of the resamples.
        name: Whose error bar it is, for the warning.

    Returns:
        The error, the shape of one statistic; or None, with an `InputWarning`, if a group has fewer than
        `MIN_SIMULATIONS` simulations.

    Raises:
        InputError: If there are fewer than two resamples.
    """
    if num_bootstrap < 2:
        raise InputError(f"num_bootstrap: expected at least 2 resamples. Received: {num_bootstrap}.")
    smallest = min(len(sums) for sums in groups)
    if smallest < MIN_SIMULATIONS:
        warnings.warn(
            f"{name}: no error bar, which takes at least {MIN_SIMULATIONS} simulations. Received: {smallest}.",
            InputWarning,
            stacklevel=3,
        )
        return None
    rng = _generator(seed, _BOOTSTRAP_STREAM)
    sizes = [len(groups[0])] if is_paired else [len(sums) for sums in groups]
    weights = [rng.multinomial(size, np.full(size, 1 / size), size=num_bootstrap) for size in sizes]
    has_scatter = np.all([np.count_nonzero(w, axis=1) > 1 for w in weights], axis=0)
    if is_paired:
        weights *= len(groups)
    resampled = [w[has_scatter] @ sums for w, sums in zip(weights, groups, strict=True)]
    return np.asarray(np.std(statistic(*resampled), axis=0, ddof=1))


def halving_floor(
    deviation: Callable[[np.ndarray, np.ndarray], np.ndarray],
    sums: Float[np.ndarray, "S F"],
    num_generated_simulations: int,
    seed: int,
) -> np.ndarray | None:
    """What a perfect generator would show: the deviation between two random halves of the real simulations.

    Definition:
        floor = mean over halvings of abs(deviation(half_1, half_2)) * sqrt((1 / S + 1 / S_g) / (1 / h_1 + 1 / h_2))

    with `S` real and `S_g` generated simulations and `h_1 + h_2 = S`: the mean size of the noise between two
    independent sets of `S` and `S_g` simulations. The halves also differ in parameters, as two independent sets do. If
    the generated maps have the parameters of the real maps, the floor is therefore generous, and the error bar is the
    sharper test.

    Returns:
        The floor, or None with fewer than `MIN_SIMULATIONS` simulations (for which `bootstrap_error` warns).
    """
    num_simulations = len(sums)
    if num_simulations < MIN_SIMULATIONS:
        return None
    half = num_simulations // 2
    rng = _generator(seed, _HALVING_STREAM)
    in_half = rng.permuted(np.tile(np.arange(num_simulations) < half, (_NUM_HALVINGS, 1)), axis=1).astype(np.float64)
    deviations = np.abs(deviation(in_half @ sums, (1 - in_half) @ sums))
    noise = 1 / num_simulations + 1 / num_generated_simulations
    return deviations.mean(axis=0) * np.sqrt(noise / (1 / half + 1 / (num_simulations - half)))


def resampled_median(values: Float[np.ndarray, " n"], weights: Float[np.ndarray, "R n"]) -> Float[np.ndarray, " R"]:
    """Returns the median of each resample. A row of `weights` says how many times that resample holds each value.

    `bootstrap_error` passes such weights to its statistic if its sums are an identity matrix `[n, n]`.
    """
    return np.array([np.median(np.repeat(values, row)) for row in np.rint(weights).astype(np.int64)])


def _generator(seed: int, stream: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stream,)))
