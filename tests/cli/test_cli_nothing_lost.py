"""Calls that could lose a file, or the work of minutes, at the last moment: refused at the start, with one sentence."""

import subprocess
import sys

import numpy as np
import pytest

from higlow_tf.data import load_cmd
from higlow_tf.models import ConditionalGlow
from higlow_tf.runs import RunConfig, RunDirectory
from higlow_tf.runs.split_record import make_split_record

HOLD = """
import sys, time
from higlow_tf.ownership import owned_folder
with owned_folder(sys.argv[1], "suite"):
    print("locked", flush=True)
    time.sleep(60)
"""
MOCK = ("simulate", "--suite", "mock", "--simulations", "3", "--size", "8", "--mesh-size", "16", "--processes", "1")


@pytest.fixture(scope="module")
def run(suite, tmp_path_factory):
    """A run of a model that has not learned anything; one of its twelve simulations is for validation."""
    data = load_cmd(suite.maps, suite.params)
    run = RunDirectory(tmp_path_factory.mktemp("runs") / "run")
    parts = data.split_by_simulation(seed=0)
    record = make_split_record(data, parts, fractions=(0.7, 0.1, 0.2), seed=0, zero_floor=None)
    files = {"maps": str(suite.maps), "params": str(suite.params)}
    run.create(RunConfig.model_validate({"data": files, "preset": "tiny"}), record)
    run.write_model(ConditionalGlow.from_preset("tiny").initialize(parts[0]))
    return run.path


@pytest.fixture
def no_work(monkeypatch):
    """A model that must not be asked anything."""

    def ask(*_, **__):
        raise AssertionError("the model was asked before the call was refused")

    monkeypatch.setattr(ConditionalGlow, "log_prob", ask)
    monkeypatch.setattr(ConditionalGlow, "sample", ask)


def assert_refused(result, sentence):
    """One sentence, and code 2."""
    assert result.exit_code == 2, result.stderr
    assert sentence in result.stderr
    assert result.stderr.count("Received: ") == 1


def test_a_figure_of_no_kind_is_refused_before_the_work(higlow, run, suite, tmp_path, no_work):
    command = ("infer", run, "--maps", suite.maps, "--rows", "0:2", "--out", tmp_path / "p.h5", "--figure")
    assert_refused(higlow(*command, tmp_path / "f.xyz"), "xyz")
    (tmp_path / "f.png").mkdir()
    (tmp_path / "f.png" / "thesis.txt").write_text("years")
    assert_refused(higlow(*command, tmp_path / "f.png", "--overwrite"), "f.png")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["f.png", "thesis.txt"]


def test_a_folder_is_no_place_for_samples(higlow, run, tmp_path, no_work, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    for out in (".", "folder", "link"):
        assert_refused(higlow("sample", run, "--from-prior", "2", "--out", out, "--overwrite"), "Received: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "link"]


def test_a_link_stays_a_link(higlow, run, tmp_path):
    (tmp_path / "link.npy").symlink_to(tmp_path / "real.npy")
    (tmp_path / "real.npy").write_text("old")
    command = ("sample", run, "--from-prior", "2", "--out", tmp_path / "link.npy")
    assert_refused(higlow(*command), "link.npy: expected")
    assert higlow(*command, "--overwrite").exit_code == 0
    assert (tmp_path / "link.npy").is_symlink()
    assert np.load(tmp_path / "real.npy").shape == (2, 16, 16)


@pytest.mark.parametrize("option", ["--resume", "--overwrite"])
def test_a_second_simulation_of_one_folder_is_refused(higlow, tmp_path, option):
    out = tmp_path / "suite"
    assert higlow(*MOCK, "--out", out).exit_code == 0
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(out)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "locked\n"
        assert_refused(higlow(*MOCK, "--seed", "5", "--out", out, option), f"Received: process {process.pid} on")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == before


def test_too_few_validation_simulations_leave_no_folder(higlow, run, suite):
    before = sorted(run.rglob("*"))
    result = higlow("calibrate", run, "--maps", suite.maps, "--params", suite.params)
    assert_refused(result, "validation simulations")
    assert [path for path in sorted(run.rglob("*")) if ".higlow" not in path.parts] == before
