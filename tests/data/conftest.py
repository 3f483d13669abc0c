"""Small datasets for the tests of the data package."""

import os
from pathlib import Path

import numpy as np
import pytest

from higlow_tf.data import HIMapDataset

SHARED_DATA = Path(os.environ.get("HIGLOW_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))


def _make_dataset(num_simulations=12, maps_per_simulation=3, size=6, channels=None, seed=0, **metadata):
    """Positive random maps; the parameters of simulation s are a lattice in the CAMELS prior."""
    rng = np.random.default_rng(seed)
    shape = (num_simulations * maps_per_simulation, size, size) + ((channels,) if channels else ())
    rows = np.arange(num_simulations)
    theta = np.stack([0.1 + 0.4 * (rows + 0.5) / num_simulations, 0.6 + 0.4 * (rows * 0.618 % 1)], axis=1)
    maps = 10.0 ** rng.normal(6.5, 0.4, shape)
    return HIMapDataset.from_arrays(maps, np.repeat(theta, maps_per_simulation, axis=0), **metadata)


@pytest.fixture(scope="session")
def make_dataset():
    return _make_dataset


@pytest.fixture(scope="session")
def shared_data():
    """The folder of the shared data; tests that need it skip where it is missing."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the shared data folder is missing (set HIGLOW_SHARED_DATA)")
    return SHARED_DATA
