"""The maps of a comparison: one split by simulation, the same for every rival."""

from dataclasses import dataclass

import numpy as np

from higlow_tf.data import HIMapDataset, ZeroFloor, load_cmd
from higlow_tf.errors import InputError
from higlow_tf.evaluation.posterior_scores import MOST_PARAMETERS
from higlow_tf.evaluation.spreading import spread_maps
from higlow_tf.inference.calibration_fit import MIN_SIMULATIONS

__all__ = ["FRACTIONS", "Problem", "read_problem"]

FRACTIONS = (0.7, 0.1, 0.2)
"""Shares of the simulations: training, validation, test; those of `higlow train`."""


@dataclass(frozen=True, eq=False)
class Problem:
    """What every rival is given, and what it is judged on.

    Attributes:
        train, validation, test: `HIMapDataset`s of the parameters of interest, that share no simulation. Validation and test have
            the maps to look at alone, training has all.
        hashes: Content of the maps of "validation" and "test" as they were read, sets of strings.
        maps, params: The files.
        split_seed: Seed of the split.
        num_symmetries: Copies of a map over which its log posterior is averaged.
    """

    train: HIMapDataset
    validation: HIMapDataset
    test: HIMapDataset
    hashes: dict
    maps: str
    params: str
    split_seed: int
    num_symmetries: int

    @property
    def parameters(self):
        """`ParameterSpace` of the posteriors."""
        return self.train.parameters

    def to_config(self):
        """What two tables must have in common to be one, JSON-compatible."""
        subsets = {"train": self.train, "validation": self.validation, "test": self.test}
        return {
            "content": {name: subset.content_hash() for name, subset in subsets.items()},
            "num_simulations": {name: subset.num_simulations for name, subset in subsets.items()},
            "num_maps": {name: subset.num_maps for name, subset in subsets.items()},
            "parameters": list(self.parameters.names),
            "fractions": list(FRACTIONS),
            "split_seed": self.split_seed,
            "num_symmetries": self.num_symmetries,
        }


def read_problem(
    maps, params, *, parameters=("Omega_m", "sigma_8"), split_seed=0, maps_per_simulation=15, num_symmetries=4
):
    """Reads and splits maps.

    Args:
        maps, params: Files as `load_cmd` reads them.
        parameters: Names of the parameters of interest.
        split_seed: Seed of the split.
        maps_per_simulation: Most maps of each validation and test simulation to look at.
        num_symmetries: Copies of a map.

    Returns:
        `Problem`.

    Raises:
        InputError: If the files cannot be read, there are too few simulations or too many parameters, maps have several channels,
            or parameters lie outside their prior.
    """
    data = load_cmd(maps, params, list(parameters))
    if data.num_channels > 1:
        raise InputError(f"{maps}: expected maps of one field. Received: {data.num_channels}.")
    if len(data.parameters) > MOST_PARAMETERS:
        raise InputError(f"--parameters: expected at most {MOST_PARAMETERS}. Received: {len(data.parameters)}.")
    outside = data.parameters.describe_outside(data.theta)
    if outside:
        raise InputError(f"{params}: expected parameters inside the prior. Received: {outside} (rows are maps).")
    train, validation, test = data.split_by_simulation(FRACTIONS, seed=split_seed)
    if validation.num_simulations < MIN_SIMULATIONS:
        raise InputError(
            f"{maps}: expected at least {MIN_SIMULATIONS} validation simulations, for the repair of posteriors. "
            f"Received: {validation.num_simulations}."
        )
    floor = ZeroFloor.fit(train) if np.any(data.zero_pixels) else None
    subsets = [train, spread_maps(validation, maps_per_simulation), spread_maps(test, maps_per_simulation)]
    hashes = {"validation": set(subsets[1].map_hashes()), "test": set(subsets[2].map_hashes())}
    subsets = [subset if floor is None else floor.apply(subset) for subset in subsets]
    return Problem(*subsets, hashes, str(maps), str(params), split_seed, num_symmetries)
