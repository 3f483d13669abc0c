"""From a trained run to calibrated posteriors: second stage, calibrate, infer."""

import json

import numpy as np
import pytest
from smallest_model import SETTINGS

from higlow_tf.data.lognormal import write_lognormal
from higlow_tf.data.map_hash import map_hash
from higlow_tf.inference import Calibration, load_posterior
from higlow_tf.models import ConditionalGlow, load_model
from higlow_tf.reports import posterior_pictures

SMALL = ("--epochs", "1", "--batch-size", "16")


@pytest.fixture(scope="module")
def stages(higlow, files, tmp_path_factory):
    """Runs of both stages, and what the second call printed."""
    first, second = (tmp_path_factory.mktemp("runs") / name for name in ("density", "posterior"))
    maps, params = files
    result = higlow("train", "--preset", "tiny", "--maps", maps, "--params", params, "--out", first, *SMALL, *SETTINGS)
    assert result.exit_code == 0, result.stderr
    return first, second, higlow("train", "--stage", "posterior", "--from", first, "--out", second, *SMALL)


@pytest.fixture(scope="module")
def calibrated(higlow, files, stages):
    """The run of the second stage after `calibrate`, and what that printed."""
    maps, params = files
    arguments = ("--maps", maps, "--params", params, "--points", 8, "--symmetries", 2)
    return stages[1], higlow("calibrate", stages[1], *arguments)


def test_the_second_stage_takes_over_data_and_model(stages):
    first, second, result = stages
    assert result.exit_code == 0, result.stderr
    one, two = load_model(first), load_model(second)
    assert one.split["simulations"] == two.split["simulations"]
    assert one.get_config() == {**two.get_config(), "name": one.name}
    assert "val_posterior" in (second / "history.csv").read_text().splitlines()[0]
    assert "posterior_weight: 100" in (second / "config.yaml").read_text()
    assert f"higlow calibrate {second}" in result.stdout


def same_for_copies(hi_map):
    """Tells maps apart, but not a map from its symmetric copies."""
    return np.sort(np.asarray(hi_map), axis=None).sum()


@pytest.mark.parametrize("arguments", [("--stage", "posterior"), ("--from", "RUN")])
def test_the_second_stage_needs_the_first(higlow, tmp_path, arguments):
    result = higlow("train", *arguments, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert "--stage posterior together with --from RUN" in result.stderr


def test_calibrate_measures_repairs_and_stores(calibrated):
    run, result = calibrated
    assert result.exit_code == 0, result.stderr
    metrics = json.loads((run / "calibration" / "metrics.json").read_text())
    for prefix in ("", "raw_", "joint_", "joint_raw_"):
        for name in ("coverage_68", "pull2", "rmse", "information_gain_nats", "rank_p_value_Omega_m"):
            assert metrics[prefix + name]["n_simulations"] == 8
    assert {path.name for path in (run / "calibration").iterdir() if path.is_file()} == {
        "metrics.json", "posteriors.npz", "report.html",
        *(f"{name}.{end}" for name in ("coverage", "ranks", "predicted", "predicted_joint") for end in ("png", "pdf")),
    }  # fmt: skip
    model = load_model(run)
    calibration = Calibration.from_config(model.calibration)
    assert calibration.num_simulations == 4
    assert calibration.num_symmetries == 2
    assert 0.0 <= calibration.map_correlation <= 1.0
    assert f"{calibration.tempering:.3f}" in result.stdout
    assert model.typicality["num_simulations"] == 4


def test_calibrate_judges_another_file_by_what_is_stored(higlow, calibrated, stages, tmp_path):
    maps, params = write_lognormal(tmp_path, simulations=5, map_size=16, maps_per_simulation=1, seed=9)
    arguments = ("--maps", maps, "--params", params, "--points", 8)
    stored = (calibrated[0] / "calibration.json").read_text()
    result = higlow("calibrate", calibrated[0], *arguments, "--out", tmp_path / "other")
    assert result.exit_code == 0, result.stderr
    assert (calibrated[0] / "calibration.json").read_text() == stored
    metrics = json.loads((tmp_path / "other" / "metrics.json").read_text())
    assert metrics["coverage_68"]["n_simulations"] == 5
    result = higlow("calibrate", stages[0], *arguments, "--out", tmp_path / "none")
    assert result.exit_code == 2
    assert "or a run that is calibrated" in result.stderr


def test_calibrate_goes_on_after_an_interruption(higlow, calibrated, tmp_path):
    maps, params = write_lognormal(tmp_path, simulations=5, map_size=16, maps_per_simulation=1, seed=9)
    out = tmp_path / "out"
    arguments = ("calibrate", calibrated[0], "--maps", maps, "--params", params, "--points", 8, "--out", out)
    log_prob, asked = ConditionalGlow.log_prob, []

    def stop_at_third_map(self, hi_maps, theta):
        asked.append(same_for_copies(hi_maps[0]))
        if len(set(asked)) == 3:
            raise KeyboardInterrupt
        return log_prob(self, hi_maps, theta)

    def only_of_other_maps(self, hi_maps, theta):
        assert same_for_copies(hi_maps[0]) not in asked[:-1]
        return log_prob(self, hi_maps, theta)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConditionalGlow, "log_prob", stop_at_third_map)
        assert higlow(*arguments).exit_code == 130
    assert len(list((out / ".likelihoods.unfinished").iterdir())) == 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConditionalGlow, "log_prob", only_of_other_maps)
        result = higlow(*arguments)
    assert result.exit_code == 0, result.stderr
    assert not (out / ".likelihoods.unfinished").exists()


def test_infer_applies_the_calibration_and_goes_on_after_an_interruption(higlow, files, calibrated, tmp_path):
    run, out = calibrated[0], tmp_path / "posterior.h5"
    arguments = ("infer", run, "--maps", files[0], "--rows", "0:3", "--out", out)

    log_prob, calls = ConditionalGlow.log_prob, []

    def stop_at_second_map(self, hi_maps, theta):
        calls.append(same_for_copies(hi_maps[0]))
        if len(set(calls)) == 2:
            raise KeyboardInterrupt
        return log_prob(self, hi_maps, theta)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConditionalGlow, "log_prob", stop_at_second_map)
        assert higlow(*arguments).exit_code == 130
    assert not out.exists()

    def not_of_the_first_map(self, hi_maps, theta):
        assert same_for_copies(hi_maps[0]) != calls[0]
        return log_prob(self, hi_maps, theta)

    figure = tmp_path / "posterior.png"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConditionalGlow, "log_prob", not_of_the_first_map)
        result = higlow(*arguments, "--figure", figure)
    assert result.exit_code == 0, result.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"posterior.h5", "posterior.png"}
    posterior = load_posterior(out)
    assert len(posterior) == 3
    assert posterior.calibration == Calibration.from_config(load_model(run).calibration)
    assert "calibrated: tempering" in result.stdout
    hashes = {name: set(found) for name, found in load_model(run).split["map_hashes"].items()}
    of_maps = [map_hash(hi_map) for hi_map in np.load(files[0])[:3]]
    for row, content in enumerate(of_maps):
        is_seen = content in hashes["train"] | hashes["validation"]
        assert (f"Warning: map {row}: one of the model's" in result.stderr) is is_seen
    assert any(content in hashes["train"] for content in of_maps)

    # The same figure with the true parameters of the table.
    marked, drawn = tmp_path / "marked.pdf", []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(posterior_pictures, "plot_posterior", lambda *args, truth, **options: drawn.append(truth))
        options = ("--overwrite", "--figure", marked, "--params", files[1])
        assert higlow(*arguments, *options).exit_code == 0
    assert marked.read_bytes().startswith(b"%PDF")
    np.testing.assert_array_equal(drawn, np.loadtxt(files[1])[[0, 0, 1]])

    raw = tmp_path / "raw.h5"
    assert "raw, not calibrated" in higlow(*arguments[:-1], raw, "--raw").stdout
    assert load_posterior(raw).calibration is None
    assert np.all(load_posterior(raw).sd.mean(axis=0) != posterior.sd.mean(axis=0))


@pytest.mark.parametrize(("held", "is_said"), [(0.3, True), (0.6, False)])
def test_infer_says_that_a_calibration_has_failed_its_test(higlow, files, calibrated, tmp_path, held, is_said):
    judged = calibrated[0] / "calibration" / "metrics.json"
    before = judged.read_text()
    content = json.loads(before)
    content["coverage_68"] |= {"value": held, "error": 0.05}
    try:
        judged.write_text(json.dumps(content))
        result = higlow("infer", calibrated[0], "--maps", files[0], "--rows", "0:1", "--out", tmp_path / "p.h5")
    finally:
        judged.write_text(before)
    assert result.exit_code == 0, result.stderr
    assert ("held 30 ± 5 % of the truths, after the repair: do not quote" in " ".join(result.stdout.split())) is is_said


def test_infer_combines_the_maps_of_a_simulation_and_warns_of_other_units(higlow, files, calibrated, tmp_path):
    scaled = tmp_path / "Maps_HI_Lognormal_LH_z=6.00.npy"
    np.save(scaled, 1000.0 * np.load(files[0])[:4])
    out = tmp_path / "posterior.h5"
    result = higlow("infer", calibrated[0], "--maps", scaled, "--maps-per-simulation", 2, "--out", out)
    assert result.exit_code == 0, result.stderr
    assert len(load_posterior(out)) == 2
    assert "other units?" in result.stderr
    wrong = higlow("infer", calibrated[0], "--maps", scaled, "--maps-per-simulation", 3, "--out", tmp_path / "x.h5")
    assert wrong.exit_code == 2
    assert "expected a divisor of the 4 maps" in wrong.stderr
