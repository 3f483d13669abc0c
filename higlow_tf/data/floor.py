"""A floor for pixels that are exactly zero: log10 needs positive maps."""

import math
from dataclasses import asdict, dataclass

import numpy as np

from higlow_tf.data.big_arrays import map_chunks, new_maps
from higlow_tf.errors import InputError

__all__ = ["ZeroFloor"]

_WIDTH_DEX = 0.1


@dataclass(frozen=True)
class ZeroFloor:
    """Replaces zeros by random values just below the smallest positive pixel of the training maps.

    Math:
        log10(replacement) ~ uniform(log10(floor) - 0.1, log10(floor))

    If all zeros became one value, this would be a spike of infinite density. Spread out, they are dequantised. The
    replacements of a map depend only on its own pixels and the seed, never on other maps. Positive pixels stay as they are,
    also those below the floor.

    Args:
        floor: Smallest positive pixel of the training maps, in the units of the maps.
        seed: Seed of the replacements.

    Raises:
        InputError: If the floor is not positive and finite, or the seed is negative.
    """

    floor: float
    seed: int = 0

    def __post_init__(self):
        if not (math.isfinite(self.floor) and self.floor > 0):
            raise InputError(f"The floor must be positive and finite. Received: {self.floor}.")
        if self.seed != int(self.seed) or self.seed < 0:
            raise InputError(f"The seed of the floor must be an integer from 0 up. Received: {self.seed}.")

    @classmethod
    def fit(cls, train_dataset, seed=0):
        """The floor of the training maps; nothing else may be given here."""
        smallest = min(float(chunk[chunk > 0].min(initial=np.inf)) for _, chunk in map_chunks(train_dataset.maps))
        return cls(floor=smallest, seed=seed)

    def apply(self, dataset):
        """Returns `dataset` with its zeros replaced and counted; without zeros, `dataset` itself."""
        if not dataset.zero_pixels:
            return dataset
        maps = new_maps(dataset.maps.shape)
        for start, chunk in map_chunks(dataset.maps):
            maps[start : start + len(chunk)] = chunk
        floored_by_map = np.array(dataset.floored_by_map)
        for i, map_hash in enumerate(dataset.map_hashes()):
            zeros = maps[i] == 0
            count = int(np.count_nonzero(zeros))
            if count:
                rng = np.random.default_rng([self.seed, int(map_hash, 16)])
                log10_floor = math.log10(self.floor)
                maps[i][zeros] = 10.0 ** rng.uniform(log10_floor - _WIDTH_DEX, log10_floor, count)
                floored_by_map[i] += count
        return dataset.with_floored_maps(maps, zero_floor=self.floor, floored_by_map=floored_by_map)

    def to_config(self):
        """The floor as JSON-compatible values."""
        return asdict(self)

    @classmethod
    def from_config(cls, config):
        """The inverse of `to_config`."""
        return cls(**config)
