"""A saved model with all its records, in folders whose files a test may change."""

import os

import pytest
from toy_models import TINY_8
from toy_records import CALIBRATION, SPLIT, TYPICALITY

from higlow_tf.models import ConditionalGlow, save_model

__all__ = ["model_folder", "replace", "saved_model_folder"]


@pytest.fixture(scope="session")
def saved_model_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "model"
    model = ConditionalGlow(**TINY_8)
    model.split, model.calibration, model.typicality = SPLIT, CALIBRATION, TYPICALITY
    save_model(model, folder)
    return folder


@pytest.fixture
def model_folder(saved_model_folder, tmp_path):
    """A folder of links to the files of the one model: `replace` those that are to change."""
    folder = tmp_path / "model"
    folder.mkdir()
    for path in saved_model_folder.iterdir():
        os.link(path, folder / path.name)
    return folder


def replace(path, content):
    """Gives a file of a `model_folder` other bytes, and leaves that of the others alone."""
    path.unlink()
    path.write_bytes(content)
