"""Which maps share one posterior, and how much their likelihoods count."""

from dataclasses import dataclass

import numpy as np

from higlow_tf.errors import InputError

__all__ = ["Group", "make_groups"]


@dataclass(frozen=True)
class Group:
    """Maps with one posterior.

    Args:
        rows: Indices of the maps.
        weight: Factor of the sum of their log-likelihoods.
        name: For messages.
        note: What was done to the maps, in words, or None.
    """

    rows: np.ndarray
    weight: float
    name: str
    note: str | None = None


def make_groups(combine, num_maps, calibration):
    """Groups of maps, and what `Posterior` says of them.

    The maps of one simulation share its large-scale structure. So n of them count as n / (1 + (n - 1) * map_correlation).

    Args:
        combine: None (each map alone), "independent" (all maps, of different simulations at the same parameters), or the
            simulation of each map, `[N]`.
        num_maps: N.
        calibration: `Calibration`.

    Returns:
        List of `Group`; the word for `Posterior.combine`; the simulation of each group, or None.

    Raises:
        InputError: If `combine` is something else, or maps of a simulation are combined without a map_correlation.
    """
    tempering = calibration.tempering
    if combine is None:
        return [Group(np.array([row]), tempering, f"map {row}") for row in range(num_maps)], "none", None
    if isinstance(combine, str) and combine == "independent":
        return [Group(np.arange(num_maps), tempering, "all maps")], "independent", None
    simulation = np.asarray(combine)
    if simulation.shape != (num_maps,) or simulation.dtype.kind not in "iu":
        raise InputError(
            f"combine: expected None, 'independent', or the simulation of each of {num_maps} maps. "
            f"Received: {combine!r}."
        )
    if calibration.map_correlation is None:
        raise InputError(
            "combine: expected a calibration with a map_correlation, or the argument map_correlation: maps of one "
            "simulation are not independent. Received: neither."
        )
    indices = np.unique(simulation)
    groups = []
    for index in indices:
        rows = np.flatnonzero(simulation == index)
        effective = calibration.effective_number(len(rows))
        note = (
            f"{len(rows)} maps count as {effective:.2f} independent ones (map_correlation "
            f"{calibration.map_correlation:.3g})"
        )
        groups.append(Group(rows, tempering * effective / len(rows), f"simulation {index}", note))
    return groups, "simulation", indices
