"""A published run: complete, small, without the paths of the machine; or nothing at all."""

import json
import shutil

import numpy as np
import pytest

from higlow_tf.data import HIMapDataset
from higlow_tf.errors import InputError
from higlow_tf.files import write_json
from higlow_tf.inference import TypicalityReference
from higlow_tf.models import ConditionalGlow, load_model
from higlow_tf.runs import RunConfig, RunDirectory
from higlow_tf.runs.split_record import make_split_record
from higlow_tf.serving.publish import publish_model
from higlow_tf.serving.published_card import write_published_card

METRICS = {"coverage_68": {"value": 0.625, "error": 0.03, "floor": None, "n_simulations": 2}}
CALIBRATION = {"tempering": 0.5, "widening": [0.0, 0.0], "label": "3 maps", "num_simulations": 1}


def maps_of(num_simulations, seed):
    rng = np.random.default_rng(seed)
    maps = 10.0 ** rng.normal(6.5, 0.4, (num_simulations, 16, 16))
    theta = np.stack([np.linspace(0.15, 0.45, num_simulations), rng.uniform(0.65, 0.95, num_simulations)], axis=1)
    return HIMapDataset.from_arrays(maps, theta)


def typicality_config(parameters):
    """The content of typicality.json, for the features of a model of two levels."""
    whiteness = ("log_prob", "latent_mean", "latent_log_variance", "latent_kurtosis", "latent_correlation")
    names = [f"{name}_level_{level}" for level in range(2) for name in whiteness]
    names += [f"log10_percentile_{percentile}" for percentile in (1, 16, 50, 84, 99)]
    rng = np.random.default_rng(0)
    features, theta = rng.standard_normal((20, len(names))), parameters.sample_uniform(20, seed=0)
    return TypicalityReference.fit(features, names, theta, np.arange(20), parameters).to_config()


@pytest.fixture(scope="module")
def training_data():
    return maps_of(10, seed=0)


@pytest.fixture(scope="module")
def run(training_data, tmp_path_factory):
    """The folder of a run, as training and `higlow calibrate` would leave it."""
    run = RunDirectory(tmp_path_factory.mktemp("runs") / "first")
    record = make_split_record(
        training_data, training_data.split_by_simulation(seed=0), fractions=(0.7, 0.1, 0.2), seed=0, zero_floor=None
    )
    record["source"] = ["/a/machine/Maps.npy", "/a/machine/params.txt"]
    config = {"maps": "/a/machine/Maps.npy", "params": "/a/machine/params.txt"}
    config = RunConfig.model_validate({"data": config, "preset": "tiny", "start_from": "/a/machine/before"})
    run.create(config, record)
    run.write_model(ConditionalGlow.from_preset("tiny").initialize(training_data))
    run.write_history([{"epoch": 1, "loss": 0.0, "val_loss": 0.0, "wall_minutes": 0.1}])
    write_json(CALIBRATION, run.path / "calibration.json")
    write_json(typicality_config(training_data.parameters), run.path / "typicality.json")
    (run.path / "checkpoints").mkdir()
    return run.path


@pytest.fixture(scope="module")
def published(run, tmp_path_factory):
    out = tmp_path_factory.mktemp("models") / "small"
    assert publish_model(run, out, maps_of(3, seed=1), METRICS) == out
    return out


def test_a_published_run_is_complete_and_names_no_folder(published):
    out = published
    assert sorted(path.name for path in out.iterdir()) == ["1", "README.md", "examples.npz", "reference.json", "run"]
    assert not (out / "run" / "checkpoints").exists()
    for path in out.rglob("*"):
        assert path.is_dir() or b"/a/machine" not in path.read_bytes(), path
    config, split = RunDirectory(out / "run").open()
    assert (str(config.data.maps), str(config.data.params), str(config.start_from)) == (
        "Maps.npy", "params.txt", "before",
    )  # fmt: skip
    assert split["source"] == ["Maps.npy", "params.txt"]
    assert load_model(out / "run").calibration == CALIBRATION
    card = json.loads((out / "1" / "assets.extra" / "model_card.json").read_text())
    assert card["name"] == "small"
    assert (
        "| truths inside 68 % regions (0.68 if calibrated) | 0.625 | 0.03 | - | 2 |" in (out / "README.md").read_text()
    )
    assert len(json.loads((out / "reference.json").read_text())["log_prob"]) == 3
    assert (card["changes"], card["rivals"]) == ([], {})
    assert "## What changed" not in (out / "README.md").read_text()
    assert "## Beside other methods" not in (out / "README.md").read_text()


def test_the_cards_say_what_changed_and_what_rivals_reach(published, tmp_path):
    changes = ["It knows six parameters.", " Its maps have end layers. "]
    rivals = {"ridge": {"coverage_68": {"value": 0.571, "error": 0.04}, "pull2": {"value": 1.64, "error": None}}}
    out = shutil.copytree(published, tmp_path / "small")
    write_published_card(out, "1", changes, rivals)
    card = json.loads((out / "1" / "assets.extra" / "model_card.json").read_text())
    assert card["changes"] == ["It knows six parameters.", "Its maps have end layers."]
    assert card["rivals"] == rivals
    assert card["metrics"] == METRICS
    readme = (out / "README.md").read_text()
    assert "## What changed\n\n- It knows six parameters.\n- Its maps have end layers.\n\n## Beside" in readme
    assert "| | gain, nats | RMSE Omega_m | RMSE sigma_8 | in 68 % regions | pull² |\n" in readme
    assert "| this model | - | - | - | 0.625 ± 0.03 | - |\n| ridge | - | - | - | 0.571 ± 0.04 | 1.64 |\n" in readme
    assert readme.index("## Beside other methods") < readme.index("## It must not be used for")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"changes": "It knows six parameters."}, "changes: expected a list of sentences"),
        ({"changes": [" "]}, "changes: expected a list of sentences"),
        ({"rivals": {"ridge": {"pull2": 1.6}}}, "rivals: expected value and error of pull2 of 'ridge'"),
        ({"rivals": {"ridge": {"pull2": {"value": 1.6}}}}, "rivals: expected value and error of pull2"),
        ({"rivals": {"ridge": {"pull2": {"value": float("nan"), "error": 0.1}}}}, "rivals: expected.*finite"),
    ],
)
def test_a_wrong_addition_to_the_card_publishes_nothing(run, tmp_path, wrong, message):
    with pytest.raises(InputError, match=message):
        publish_model(run, tmp_path / "small", maps_of(3, seed=1), METRICS, **wrong)
    assert not (tmp_path / "small").exists()


@pytest.mark.parametrize(
    ("num_examples", "sentence"), [(2, "expected 3 to 4 maps. Received: 2"), (5, "expected 3 to 4 maps. Received: 5")]
)
def test_too_few_or_too_many_examples_are_refused(run, tmp_path, num_examples, sentence):
    with pytest.raises(InputError, match=sentence):
        publish_model(run, tmp_path / "small", maps_of(num_examples, seed=1), METRICS)
    assert not list(tmp_path.iterdir())


def test_training_maps_are_no_examples(run, training_data, tmp_path):
    with pytest.raises(InputError, match="expected maps that the run was not trained on"):
        publish_model(run, tmp_path / "small", training_data.select([0, 1, 2, 3]), METRICS)
    assert not list(tmp_path.iterdir())


def test_a_run_without_calibration_is_refused(run, tmp_path):
    (run / "calibration.json").rename(run / "aside.json")
    try:
        with pytest.raises(InputError, match=r"expected a calibrated run.*Received: no calibration.json"):
            publish_model(run, tmp_path / "small", maps_of(3, seed=1), METRICS)
    finally:
        (run / "aside.json").rename(run / "calibration.json")
