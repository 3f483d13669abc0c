"""Models by name on the command line, wherever a run or an exported model is asked for."""

import numpy as np
import pytest
from gallery_models import gallery, make_model
from model_folders import saved_model_folder

from higlow_tf.gallery import pack_model

__all__ = ["gallery", "saved_model_folder"]

COMMANDS = (
    "sample NAME --omega-m 0.3 --sigma-8 0.8 --out x.npy",
    "infer NAME --maps m.npy --out p.h5",
    "calibrate NAME --maps m.npy --params p.txt",
    "evaluate NAME --maps m.npy --params p.txt --out e",
    "evaluate small --compare NAME --maps m.npy --params p.txt --out e",
    "audit NAME",
    "export NAME --out exported",
    "batch NAME --task sample --from-prior 2 --out parts",
    "train --stage posterior --from NAME --out second",
    "reproduce-paper --run NAME --out paper",
)


@pytest.fixture
def small(gallery, saved_model_folder):
    """A model with a run, and one that is exported."""
    (gallery / "small").mkdir()
    (gallery / "small" / "run").symlink_to(saved_model_folder)
    make_model(gallery / "served", run=False, versions=(1,))
    return gallery / "small"


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_name_is_answered_with_those_that_there_are(higlow, small, tmp_path, command):
    result = higlow(*command.replace("NAME", "smal").split())
    assert result.exit_code == 2
    known = "served" if command.startswith("batch") else "small"
    assert f"or the name of a model ({known}). Received: neither." in result.stderr
    assert list((tmp_path / "work").iterdir()) == []


def test_serve_takes_a_name(higlow, small, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    result = higlow("serve", "serve")
    assert result.exit_code == 2
    assert "or the name of a model (served). Received: neither." in result.stderr


def test_commands_take_a_name(higlow, small):
    drawn = higlow("sample", "small", "--omega-m", 0.3, "--sigma-8", 0.8, "--out", "maps.npy")
    assert drawn.exit_code == 0, drawn.stderr
    assert np.load("maps.npy").shape == (1, 8, 8)
    assert "small was trained on:" in higlow("audit", "small").stdout


def test_fetch_puts_a_model_where_its_name_leads(higlow, gallery, tmp_path):
    archive, digest = pack_model(make_model(tmp_path / "one"), tmp_path)
    result = higlow("fetch", archive.as_uri(), "--sha256", digest)
    assert result.exit_code == 0, result.stderr
    assert f"Wrote {gallery / 'one'}" in result.stdout
    assert "(one)" in higlow("audit", "ones").stderr
    again = higlow("fetch", archive.as_uri(), "--sha256", digest)
    assert again.exit_code == 2
    assert "or --overwrite" in again.stderr
    wrong = higlow("fetch", archive.as_uri(), "--sha256", digest[::-1], "--overwrite")
    assert wrong.exit_code == 2
    assert "expected a file with the SHA-256" in wrong.stderr
