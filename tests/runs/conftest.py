"""Fixtures of small maps and models, and of a run of two epochs."""

import shutil

import numpy as np
import pytest
from toy_models import dataset, make_maps, make_model
from toy_run import SMALL

from higlow_tf.runs import train

__all__ = ["dataset", "files", "make_model", "run", "trained"]


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """Maps and table in the CMD layout: 20 simulations of 4 maps."""
    folder = tmp_path_factory.mktemp("data")
    maps, theta = make_maps(20, 4)
    np.save(folder / "Maps_HI_Toy_LH_z=6.00.npy", maps.astype("f4"))
    np.savetxt(folder / "params_LH_Toy.txt", theta[::4], header="Omega_m sigma_8")
    return {"maps": folder / "Maps_HI_Toy_LH_z=6.00.npy", "params": folder / "params_LH_Toy.txt"}


@pytest.fixture(scope="session")
def trained(files, tmp_path_factory):
    """A run of two epochs."""
    return train(**SMALL, **files, out=tmp_path_factory.mktemp("runs") / "run").path


@pytest.fixture
def run(trained, tmp_path):
    """A copy of it."""
    return shutil.copytree(trained, tmp_path / "run")
