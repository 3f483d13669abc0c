"""How much a log-density changes when a map is moved in a way that changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike

from higlow_tf.diagnostics.bootstrap import NUM_BOOTSTRAP, bootstrap_error, sums_by_simulation
from higlow_tf.diagnostics.fields import as_simulation
from higlow_tf.errors import InputError
from higlow_tf.symmetries import square_symmetry

__all__ = ["SymmetryDefect", "symmetry_defect"]

_SHIFT_STREAM = 0x73796D6D


@dataclass(frozen=True)
class SymmetryDefect:
    """Scatter of the log-density over shifts, rotations and reflections of the same map.

    Attributes:
        sd_nats_per_pixel: Root mean square over the maps of their standard deviations; 0 for a symmetric density.
        error: Bootstrap error over simulations (or maps); None with too few.
        per_map: Standard deviation of each map, nats per pixel, `[N]`.
        num_transforms: Transformed copies of each map.
        num_simulations: How many simulations (or maps) stand behind it.
    """

    sd_nats_per_pixel: float
    error: float | None
    per_map: Float[np.ndarray, " N"]
    num_transforms: int
    num_simulations: int


def symmetry_defect(
    log_prob: Callable[[np.ndarray, np.ndarray], ArrayLike],
    maps: ArrayLike,
    theta: ArrayLike,
    *,
    num_transforms: int = 8,
    simulation: ArrayLike | None = None,
    seed: int = 0,
    progress: Callable[[str, int, int], object] | None = None,
) -> SymmetryDefect:
    """Measures how far a log-density is from the symmetries of periodic maps.

    Definition:
        per_map = sd(log_prob(T_t map, theta) over t) / number of pixels      dividing by num_transforms - 1
        sd_nats_per_pixel = sqrt(mean(per_map**2))
        T_t: symmetry t mod 8 of the square, then a periodic shift, uniform and independent for each map and t

    Convention: pixels times channels in the denominator. Without `simulation`, each map is resampled by itself.

    Units: maps in physical units; nats per pixel, whatever density `log_prob` returns.

    What it can and cannot show: the exact density has no defect: CAMELS maps are periodic, and their direction is chance. The
        defect is noise that the model adds to a log-density, and to a posterior where it does not cancel between
        parameters. A constant density has no defect either. The only floor is the rounding of `log_prob`: in float32 about
        1e-3 nats for a log-density of 1e4, or 2e-7 for each pixel of a 64x64 map.

    Checked against: the exact lognormal density, which is symmetric, and a density that looks at one pixel.

    Args:
        log_prob: Callable `(maps, theta) -> [N]`, nats.
        maps: `[N, n, n]` or `[N, n, n, C]`.
        theta: Parameters of each map `[N, P]`.
        num_transforms: Transformed copies of each map; multiples of 8 take all symmetries of the square equally often.
        simulation: Simulation of each map, `[N]`, for the error; None for maps that are independent.
        seed: Seed of the shifts and resamples.
        progress: Called as `progress("symmetry", done, total)` after each transform.

    Returns:
        A `SymmetryDefect`; its error is None, with an `InputWarning`, below four simulations.

    Raises:
        InputError: If maps are not square, lengths differ, there are fewer than two transforms, or a log-density is not
            finite.
    """
    maps, theta = np.asarray(maps), np.asarray(theta)
    if maps.ndim not in (3, 4) or maps.shape[1] != maps.shape[2] or not maps.size:
        raise InputError(f"maps: expected maps [N, n, n] or [N, n, n, C] with N > 0. Received: {maps.shape}.")
    if theta.ndim != 2 or len(theta) != len(maps):
        raise InputError(f"theta: expected parameters [N, P] of {len(maps)} maps. Received: {theta.shape}.")
    if num_transforms < 2:
        raise InputError(f"num_transforms: expected at least 2 transforms. Received: {num_transforms}.")
    simulation = as_simulation(np.arange(len(maps)) if simulation is None else simulation, len(maps), "simulation")
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_SHIFT_STREAM,)))
    values = np.empty((num_transforms, len(maps)))
    for t in range(num_transforms):
        turned = square_symmetry(maps, t)
        shifts = rng.integers(maps.shape[1], size=(len(maps), 2))
        moved = np.stack([np.roll(turned[i], tuple(shift), axis=(0, 1)) for i, shift in enumerate(shifts)])
        values[t] = _checked(log_prob(moved, theta), len(maps))
        if progress is not None:
            progress("symmetry", t + 1, num_transforms)
    per_map = values.std(axis=0, ddof=1) / maps[0].size
    indices, sums = sums_by_simulation(per_map[:, None] ** 2, simulation)
    error = bootstrap_error(
        lambda totals: np.sqrt(totals[:, 1] / totals[:, 0]),
        sums,
        num_bootstrap=NUM_BOOTSTRAP,
        seed=seed,
        name="symmetry_defect",
    )
    return SymmetryDefect(
        sd_nats_per_pixel=float(np.sqrt(np.mean(per_map**2))),
        error=None if error is None else float(error),
        per_map=per_map,
        num_transforms=num_transforms,
        num_simulations=len(indices),
    )


def _checked(log_prob: ArrayLike, length: int) -> np.ndarray:
    values = np.asarray(log_prob, np.float64)
    if values.shape != (length,) or not np.isfinite(values).all():
        raise InputError(
            f"log_prob: expected {length} finite log-densities. Received: shape {values.shape}, "
            f"{np.count_nonzero(~np.isfinite(values))} not finite."
        )
    return values
