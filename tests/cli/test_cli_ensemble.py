"""An ensemble from training to an exported model, by commands alone."""

import json

import pytest

from higlow_tf.inference import load_posterior

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(higlow, files, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "run"
    small = ("--preset", "tiny", "--epochs", 1, "--batch-size", 16)
    return run, higlow("train", *small, "--maps", files[0], "--params", files[1], "--ensemble", 2, "--out", run)


@pytest.fixture(scope="module")
def calibrated(higlow, files, trained):
    arguments = ("--maps", files[0], "--params", files[1], "--points", 8, "--symmetries", 1)
    return trained[0], higlow("calibrate", trained[0], *arguments)


def test_train_says_which_flow_it_trains_and_how_each_went(trained):
    run, result = trained
    assert result.exit_code == 0, result.stderr
    assert "Trains 2 flows, each for 1 epochs at most" in result.stdout
    assert "flow 1/2 epoch 1/1" in result.stdout
    assert "flow 2/2 epoch 1/1" in result.stdout
    assert result.stdout.count("Best validation") == 2
    assert (run / "member_2" / "model.keras").exists()


def test_a_finished_run_gets_more_flows_by_resume(higlow, files, trained, tmp_path):
    run = tmp_path / "run"
    small = ("--preset", "tiny", "--epochs", 1, "--batch-size", 16)
    assert higlow("train", *small, "--maps", files[0], "--params", files[1], "--out", run).exit_code == 0
    model = (run / "model.keras").read_bytes()
    result = higlow("train", "--resume", "--ensemble", 2, "--out", run)
    assert result.exit_code == 0, result.stderr
    assert (run / "model.keras").read_bytes() == model
    assert (run / "member_2" / "model.keras").exists()


def test_calibrate_takes_all_flows_and_infer_as_many(higlow, files, calibrated, tmp_path):
    run, result = calibrated
    assert result.exit_code == 0, result.stderr
    assert "Flows" in result.stdout
    assert json.loads((run / "calibration.json").read_text())["num_flows"] == 2
    arguments = ("--maps", files[0], "--rows", "0:2", "--out", tmp_path / "posterior.h5")
    result = higlow("infer", run, *arguments)
    assert result.exit_code == 0, result.stderr
    assert "of 2 flows" in result.stdout
    assert load_posterior(tmp_path / "posterior.h5").calibration.num_flows == 2
    result = higlow("infer", run, *arguments, "--overwrite", "--ensemble", 1)
    assert result.exit_code == 2
    assert "fitted with 1 flows" in result.stderr
    assert higlow("infer", run, *arguments, "--overwrite", "--ensemble", 1, "--raw").exit_code == 0
    result = higlow("infer", run, *arguments, "--overwrite", "--ensemble", 3, "--raw")
    assert result.exit_code == 2
    assert "ensemble: expected 3 flows (higlow train --ensemble 3)" in result.stderr


def test_export_takes_as_many_flows_as_were_calibrated(higlow, calibrated, tmp_path):
    result = higlow("export", calibrated[0], "--out", tmp_path / "served")
    assert result.exit_code == 0, result.stderr
    card = json.loads((tmp_path / "served" / "1" / "assets.extra" / "model_card.json").read_text())
    assert card["calibration"]["num_flows"] == 2
    assert len(card["model_config"]["flows"]) == 2
    result = higlow("export", calibrated[0], "--out", tmp_path / "one", "--ensemble", 1)
    assert result.exit_code == 2
    assert not (tmp_path / "one").exists()
