"""The way of maps with negative pixels through the program: trained on, drawn, inferred, calibrated, exported; or refused."""

import json
import warnings

import h5py
import numpy as np
import pytest
import tensorflow as tf
from smallest_model import SETTINGS

from higlow_tf.errors import InputError
from higlow_tf.evaluation import evaluate_model
from higlow_tf.models import load_model
from higlow_tf.runs import open_run
from higlow_tf.serving.publish import publish_model

IDENTITY = ("--set", "model.map_transform=identity")
SHORT = ("--epochs", 1, "--batch-size", 16)
PRIORS = "data.parameters=[{name: amplitude, low: 0.5, high: 2}, {name: mean, low: -1, high: 1}]"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """40 simulations x 2 maps of 16 x 16 pixels, half of them negative; a table of two columns with names of their own."""
    folder, rng = tmp_path_factory.mktemp("files"), np.random.default_rng(0)
    theta = rng.uniform([0.5, -1.0], [2.0, 1.0], (40, 2)).round(4)
    amplitude, mean = np.repeat(theta, 2, axis=0).T[..., None, None]
    np.save(folder / "maps.npy", (mean + amplitude * rng.standard_normal((80, 16, 16))).astype("f4"))
    np.savetxt(folder / "params.txt", theta, header="amplitude mean")
    return ("--maps", folder / "maps.npy", "--params", folder / "params.txt")


@pytest.fixture(scope="module")
def trained(higlow, files, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    how = ("--preset", "tiny", *files, "--set", PRIORS, "--nuisance", "none", *SHORT, *SETTINGS, *IDENTITY)
    return out, higlow("train", *how, "--out", out)


@pytest.fixture(scope="module")
def run(trained):
    out, result = trained
    assert result.exit_code == 0, result.stderr
    return out


def test_a_run_keeps_the_transform(higlow, trained, run):
    opened = open_run(run)
    assert opened.config.map_transform == "identity"
    assert opened.model.map_transform == "identity"
    assert opened.split["map_transform"] == "identity"
    assert opened.split["zero_floor"] is None
    assert opened.split["units"] == "not stated"
    assert opened.data("test").maps.min() < 0.0
    assert "higlow evaluate" not in trained[1].stdout
    audit = higlow("audit", run)
    assert "the maps themselves, not their log10" in audit.stdout


def test_other_values_and_the_default_are_refused(higlow, files, tmp_path):
    how = (
        "--preset",
        "tiny",
        *files,
        "--set",
        PRIORS,
        "--nuisance",
        "none",
        *SHORT,
        *SETTINGS,
        "--out",
        tmp_path / "run",
    )
    for more, words in (
        ((), 'other maps need map_transform="identity"'),
        (
            ("--set", "model.map_transform=ident"),
            "one of log10, identity (did you mean 'identity'?). Received: 'ident'",
        ),
    ):
        result = higlow("train", *how, *more)
        assert result.exit_code == 2
        assert words in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_maps_are_drawn_in_their_own_units(higlow, run, tmp_path):
    files = ("--out", tmp_path / "samples.h5", "--figure", tmp_path / "samples.pdf")
    result = higlow("sample", run, "--theta", "1.5,-0.5", "--count", 3, *files)
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "samples.pdf").read_bytes().startswith(b"%PDF")
    with h5py.File(tmp_path / "samples.h5") as file:
        assert file.attrs["units"] == "not stated"
        assert list(file.attrs["parameters"]) == ["amplitude", "mean"]
        assert np.isfinite(file["maps"]).all()
        assert np.min(file["maps"]) < 0.0


@pytest.mark.slow
def test_posteriors_and_their_calibration_follow(higlow, files, run, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so few maps
        result = higlow("calibrate", run, *files, "--points", 5, "--symmetries", 1, "--out", tmp_path / "calibration")
        assert result.exit_code == 0, result.stderr
        typicality = json.loads((run / "typicality.json").read_text())
        assert typicality["log10_median"] is None
        assert "percentile_50" in typicality["feature_names"]
        inferred = higlow("infer", run, *files[:2], "--rows", "0:1", "--out", tmp_path / "posterior.h5")
    assert inferred.exit_code == 0, inferred.stderr
    with pytest.raises(InputError, match="export_model takes any.*Received: map_transform='identity'"):
        publish_model(run, tmp_path / "published", open_run(run).data("test").select([0, 1, 2]), {})


def test_what_needs_a_logarithm_is_refused_with_what_is_possible(higlow, files, run, tmp_path):
    result = higlow("evaluate", run, *files, "--out", tmp_path / "report")
    assert result.exit_code == 2
    assert "expected a model of log10 maps" in result.stderr
    assert "higlow calibrate judges posteriors" in result.stderr
    opened = open_run(run)
    with pytest.raises(InputError, match="Received: map_transform='identity'"):
        evaluate_model(opened.model, opened.data("test"))


@pytest.mark.slow
def test_the_exported_model_says_its_units(higlow, run, tmp_path):
    result = higlow("export", run, "--out", tmp_path / "own")
    assert result.exit_code == 0, result.stderr
    card = json.loads((tmp_path / "own" / "1" / "assets.extra" / "model_card.json").read_text())
    assert card["units"]["log_prob"] == "nats of the map, summed over its pixels"
    assert card["units"]["hi_map"] == "not stated"
    assert card["signatures"]["log_prob"]["documentation"].startswith("log-density of each map;")
    assert "hydrogen" not in card["summary"]
    assert not any("zeros" in limit for limit in card["must_not_be_used_for"])
    loaded = tf.saved_model.load(str(tmp_path / "own" / "1"))
    data = open_run(run).data("test")
    inputs = {"hi_map": tf.constant(data.maps[:3]), "theta": tf.constant(data.theta[:3], tf.float32)}
    model = load_model(run)
    model.compile(jit_compile=False)
    answer = loaded.signatures["log_prob"](**inputs)["log_prob"]
    np.testing.assert_allclose(answer, model.log_prob(data.maps[:3], data.theta[:3]), rtol=1e-4)
