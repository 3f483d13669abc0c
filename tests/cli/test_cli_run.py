"""The whole way on small files: train, interrupt, resume, sample, evaluate, audit, export."""

import json
import shutil

import h5py
import numpy as np
import pytest
from smallest_model import SETTINGS

from higlow_tf.cli.train_progress import TrainProgress
from higlow_tf.models import load_model, sample_files

SMALL = ("--epochs", "2", "--batch-size", "8", *SETTINGS)


@pytest.fixture(scope="module")
def trained(higlow, suite, tmp_path_factory):
    """A run that Ctrl-C stopped in its second epoch and that was then continued; with the results of both calls."""
    run = tmp_path_factory.mktemp("runs") / "run"

    def stop_in_second_epoch(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainProgress, "on_epoch_begin", stop_in_second_epoch)
        first = higlow(
            "train", "--preset", "tiny", "--maps", suite.maps, "--params", suite.params, "--out", run, *SMALL
        )
    second = higlow("train", "--resume", "--out", run)
    return run, first, second


@pytest.fixture(scope="module")
def run(trained):
    return trained[0]


@pytest.fixture(scope="module")
def model(run):
    return load_model(run)


def test_an_interrupted_run_says_how_to_continue(trained):
    run, first, second = trained
    assert first.exit_code == 130, first.stderr
    assert f"higlow train --resume --out {run}" in first.stdout
    assert "epoch 1/2" in first.stdout
    assert second.exit_code == 0, second.stderr
    assert "epoch 2/2" in second.stdout
    assert "epoch 1/2" not in second.stdout
    assert "nats per pixel, in epoch" in second.stdout
    assert f"higlow evaluate {run}" in second.stdout
    assert len((run / "history.csv").read_text().splitlines()) == 3


def test_a_finished_run_wants_more_epochs(higlow, run):
    before = (run / "config.yaml").read_text()
    result = higlow("train", "--resume", "--out", run)
    assert result.exit_code == 2
    assert "time and epochs left" in result.stderr
    assert (run / "config.yaml").read_text() == before


def test_resuming_with_other_maps_leaves_the_run_as_it_was(higlow, suite, run, tmp_path):
    before = (run / "config.yaml").read_text()
    maps = np.load(suite.maps)
    np.save(tmp_path / suite.maps.name, maps[::-1])
    result = higlow("train", "--resume", "--out", run, "--epochs", "3", "--maps", tmp_path / suite.maps.name)
    assert result.exit_code == 2
    assert "expected the maps and parameters that the run was trained on" in result.stderr
    assert (run / "config.yaml").read_text() == before


def test_samples_as_npy_are_those_of_the_model(higlow, run, model, tmp_path, monkeypatch):
    monkeypatch.setattr(sample_files, "_CHUNK", 3)  # several chunks, the last one short
    out = tmp_path / "samples.npy"
    result = higlow("sample", run, "--omega-m", 0.3, "--sigma-8", 0.8, "--count", 7, "--seed", 5, "--out", out)
    assert result.exit_code == 0, result.stderr
    assert "7 maps; with pixels that are not finite: 0" in result.stdout
    theta = np.repeat([[0.3, 0.8]], 7, axis=0)
    # The same function on batches of other sizes: float32 sums in another order.
    np.testing.assert_allclose(np.load(out), model.sample(theta, seed=5), rtol=1e-4)
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "samples_params.txt"), theta)
    assert (tmp_path / "samples_params.txt").read_text().startswith("# Omega_m sigma_8\n")


def test_samples_as_hdf5_say_what_they_are(higlow, run, suite, tmp_path):
    out = tmp_path / "samples.h5"
    figure = tmp_path / "samples.png"
    result = higlow("sample", run, "--params", suite.params, "--seed", 3, "--out", out, "--figure", figure)
    assert result.exit_code == 0, result.stderr
    assert f"Wrote {figure}" in result.stdout
    assert figure.read_bytes().startswith(b"\x89PNG")
    with h5py.File(out) as file:
        assert file["maps"].shape == (12, 16, 16)
        np.testing.assert_array_equal(file["theta"], suite.arrays[1])
        assert file["seed"][()] == file.attrs["seed"] == 3
        assert file["units"].asstr()[()] == file.attrs["units"] == "(Msun/h)/(Mpc/h)^2"


def test_a_figure_that_cannot_be_written_costs_no_draws(higlow, run, tmp_path):
    arguments = ("sample", run, "--from-prior", 2, "--out", tmp_path / "samples.h5", "--figure")
    (tmp_path / "there.png").touch()
    for name, sentence in (("maps.xyz", "expected the name of a picture"), ("there.png", "--overwrite")):
        result = higlow(*arguments, tmp_path / name)
        assert result.exit_code == 2
        assert sentence in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["there.png"]


def test_sampling_outside_the_prior_warns_by_how_much(higlow, run, tmp_path):
    result = higlow("sample", run, "--theta", "0.3,1.25", "--count", 2, "--out", tmp_path / "samples.h5")
    assert result.exit_code == 0
    assert (
        result.stderr == "Warning: The model extrapolates: sigma_8 of 2 of 2 rows lies outside [0.6, 1] by up to 0.25."
    )


@pytest.mark.parametrize("theta", ["0.3", "0.3,0.8,0.1", "0.3,nan", "a,b"])
def test_wrong_parameters_are_refused(theta, higlow, run, tmp_path):
    result = higlow("sample", run, "--theta", theta, "--out", tmp_path / "samples.h5")
    assert result.exit_code == 2
    assert "--theta: expected" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_evaluation_beside_itself(higlow, run, suite, tmp_path):
    out = tmp_path / "evaluation"
    data = ("--maps", suite.maps, "--params", suite.params)
    result = higlow("evaluate", run, *data, "--out", out, "--compare", run)
    assert result.exit_code == 0, result.stderr
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["nll_difference_nats_per_pixel"]["value"] == 0.0
    assert metrics["nonfinite_samples"]["value"] == 0
    assert metrics["nll_nats_per_pixel"]["n_simulations"] == 3
    # Two epochs do not reach the exact density.
    assert metrics["gap_to_exact_nats_per_pixel"]["value"] > 0
    assert "power_log10_sd_ratio_worst_deviation" in metrics
    assert "power_overdensity_mean_ratio_at_k_h_mpc_0.251" in metrics
    pictures = {path.stem for path in out.glob("*.png")}
    assert {"maps", "power_log10", "power_overdensity", "pixel_pdf", "loss"} <= pictures
    page = (out / "report.html").read_text()
    assert page.index("Simulated and generated maps") < page.index("Bad generated maps") < page.rindex("Provenance")
    assert "the 3 test simulations of the file that was trained on" in page
    assert page.count("<img ") == len(pictures)
    again = higlow("evaluate", run, *data, "--out", out)
    assert again.exit_code == 2


def test_training_maps_in_another_file_are_refused_and_audited(higlow, run, suite, tmp_path):
    record = json.loads((run / "split.json").read_text())
    maps, theta = suite.arrays
    verdicts = {"train": "No: ", "test": "Yes: these are test maps"}
    for name, verdict in verdicts.items():
        simulation = record["simulations"][name][0]
        np.save(tmp_path / "maps.npy", maps[4 * simulation : 4 * simulation + 4])
        np.savetxt(tmp_path / "params.txt", theta[simulation : simulation + 1])
        data = ("--maps", tmp_path / "maps.npy", "--params", tmp_path / "params.txt")
        assert verdict in higlow("audit", run, *data).stdout
        assert verdict in higlow("audit", run, *data[:2]).stdout
        if name == "train":
            result = higlow("evaluate", run, *data, "--out", tmp_path / "evaluation")
            assert result.exit_code == 2
            assert "4 of 4 maps are training or validation maps" in result.stderr
            assert not (tmp_path / "evaluation").exists()
    assert "Yes, in part" in higlow("audit", run, "--maps", suite.maps, "--params", suite.params).stdout
    np.save(tmp_path / "maps.npy", 2 * maps)
    new = higlow("audit", run, "--maps", tmp_path / "maps.npy", "--params", suite.params)
    assert "Yes: the run has seen none of these maps" in new.stdout
    new = higlow("audit", run, "--maps", tmp_path / "maps.npy")
    assert "48 maps, without parameters; known to the run: none." in new.stdout
    assert "Yes, by their pixels: the run has seen none of these maps" in new.stdout


def test_maps_of_another_size_are_refused(higlow, run, suite, tmp_path):
    np.save(tmp_path / "maps.npy", suite.arrays[0][:, :12, :12])
    data = ("--maps", tmp_path / "maps.npy", "--params", suite.params)
    result = higlow("evaluate", run, *data, "--out", tmp_path / "evaluation")
    assert result.exit_code == 2
    assert "expected maps of 16 pixels a side. Received: 12" in result.stderr


def test_export(higlow, run, tmp_path):
    out = tmp_path / "model"
    result = higlow("export", run, "--out", out)
    assert result.exit_code == 0, result.stderr
    assert (out / "1" / "saved_model.pb").is_file()
    assert higlow("export", run, "--out", out).exit_code == 2


def test_overwriting_replaces_a_run(higlow, run, suite, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(run, out)
    data = ("--preset", "tiny", "--maps", suite.maps, "--params", suite.params)
    result = higlow("train", *data, "--out", out, *SMALL, "--epochs", "1", "--split-seed", "1", "--overwrite")
    assert result.exit_code == 0, result.stderr
    assert len((out / "history.csv").read_text().splitlines()) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
