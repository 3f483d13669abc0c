"""Fixtures of small maps and models, and of a run of two epochs."""

import shutil

import pytest
from toy_models import dataset, make_model
from toy_run import SMALL, write_files

from higlow_tf.runs import train

__all__ = ["dataset", "files", "make_model", "run", "trained"]


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """Maps and table in the CMD layout: 20 simulations of 4 maps."""
    return write_files(tmp_path_factory.mktemp("data"), 4)


@pytest.fixture(scope="session")
def trained(files, tmp_path_factory):
    """A run of two epochs."""
    return train(**SMALL, **files, out=tmp_path_factory.mktemp("runs") / "run").path


@pytest.fixture
def run(trained, tmp_path):
    """A copy of it."""
    return shutil.copytree(trained, tmp_path / "run")
