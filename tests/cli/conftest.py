"""The program inside the process of the tests, and a small suite of files to give it."""

import os
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner
from uncompiled import no_compilation

from higlow_tf.cli.app import app
from higlow_tf.data.lognormal import write_lognormal

__all__ = ["files", "higlow", "no_compilation", "suite"]

# What quiets the libraries is said in the environment and must not reach the tests of other packages.
ENVIRONMENT = ("TF_CPP_MIN_LOG_LEVEL", "GRPC_VERBOSITY")


@pytest.fixture(scope="session")
def higlow():
    """Calls the program: `higlow("train", "--out", path)` -> exit_code, stdout, stderr, white space made one space."""

    def call(*arguments):
        before = {name: os.environ.get(name) for name in ENVIRONMENT}
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        stdout, stderr = (" ".join(text.split()) for text in (result.stdout, result.stderr))
        return SimpleNamespace(exit_code=result.exit_code, stdout=stdout, stderr=stderr)

    return call


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """40 simulations x 2 lognormal maps of 16 x 16 pixels: four simulations to validate, eight to test."""
    folder = tmp_path_factory.mktemp("suite")
    return write_lognormal(folder, simulations=40, map_size=16, maps_per_simulation=2, seed=0)


@pytest.fixture(scope="session")
def suite(tmp_path_factory):
    """12 simulations x 4 lognormal maps of 16 x 16 pixels: paths and arrays."""
    maps, params = write_lognormal(
        tmp_path_factory.mktemp("suite"), simulations=12, map_size=16, maps_per_simulation=4, seed=0
    )
    arrays = np.load(maps), np.loadtxt(params)
    for array in arrays:
        array.flags.writeable = False
    return SimpleNamespace(maps=maps, params=params, arrays=arrays)
