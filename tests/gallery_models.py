"""A folder of models, which the environment names, and what stands for models in it."""

import pytest

__all__ = ["gallery", "make_model"]


def make_model(folder, *, run=True, versions=()):
    """What stands for a published model where nothing loads it: names of files, and a few bytes."""
    files = [*(["run/model.keras", "run/config.yaml"] if run else []), *(f"{n}/saved_model.pb" for n in versions)]
    for name in (*files, "README.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{folder.name} {name}\n")
    return folder


@pytest.fixture
def gallery(tmp_path, monkeypatch):
    """The one folder of models; the working directory is an empty one beside it, and the user has a home of this test."""
    for name in ("models", "work", "home"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HIGLOW_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("higlow_tf.gallery.find._CHECKOUT", tmp_path / "home")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "models"
