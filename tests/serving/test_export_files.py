"""The files beside the graph: the card, the warm-up requests; whole or not at all."""

import json

import numpy as np
import pytest
import tensorflow as tf

from higlow_tf.diagnostics import Metric
from higlow_tf.errors import InputError
from higlow_tf.models import ConditionalGlow
from higlow_tf.serving import export_model
from higlow_tf.serving.model_card import CARD_FILE, make_model_card
from higlow_tf.serving.warmup import WARMUP_FILE


@pytest.fixture(scope="module")
def small_model():
    return ConditionalGlow(map_size=4, num_levels=1, num_steps_per_level=1, width=4)


def card_of(served):
    return json.loads((served.path / CARD_FILE).read_text(), parse_constant=pytest.fail)


def test_card_says_what_the_model_was_made_from(served):
    card = card_of(served)
    assert (card["format_version"], card["name"], card["map_size"], card["num_channels"]) == (1, "tiny", 16, 1)
    assert card["data"]["source"] == ["Maps.npy", "params.txt"]
    assert (card["data"]["content_hash"], card["data"]["suite"], card["data"]["redshift"]) == ("abc", "mock", 6.0)
    assert card["split"] == {
        "by": "simulation",
        "seed": 3,
        "fractions": [0.5, 0.25, 0.25],
        "num_simulations": {"train": 2, "validation": 1, "test": 1},
        "num_maps": {"train": 20, "validation": 10, "test": 10},
    }
    assert card["parameters"][0] == {
        "name": "Omega_m", "label": r"\Omega_{\rm m}", "low": 0.1, "high": 0.5, "prior": "uniform",
    }  # fmt: skip
    assert card["units"]["hi_map"] == "M_sun / h"
    assert card["metrics"] == {"rmse": {"value": 0.05, "error": 0.01, "floor": None, "n_simulations": 1}}
    assert card["calibration"] == {
        "tempering": 0.02,
        "widening": [0.05, 0.0],
        "num_symmetries": 2,
        "nuisance_draws": "prior",
    }
    assert card["num_trainable_weights"] == sum(variable.numpy().size for variable in served.model.trainable_variables)
    assert "tensorflow-probability" in card["versions"]
    limits = " ".join(card["must_not_be_used_for"])
    assert all(text in limits for text in ("Omega_m in [0.1, 0.5]", "(6.0)", "25 Mpc/h", "(mock)"))


def test_card_describes_the_signatures_that_are_there(served):
    described = card_of(served)["signatures"]
    for name, signature in described.items():
        specs = served.signatures[name].structured_input_signature[1]
        assert {key: tensor["shape"] for key, tensor in signature["inputs"].items()} == {
            key: spec.shape.as_list() for key, spec in specs.items()
        }
        assert set(signature["outputs"]) == set(served.signatures[name].structured_outputs)
    assert set(described) | {"serving_default"} == set(served.signatures)


def test_card_states_the_limits_of_a_request(served):
    documentation = card_of(served)["signatures"]["posterior"]["documentation"]
    assert all(
        text in documentation
        for text in ("at most 16384 points", "1048576 points times nuisance draws in all rows", "9 x 9")
    )


def test_card_of_a_model_without_a_record_says_so(small_model):
    metrics = {"r2": Metric(0.5)}
    card = json.loads(make_model_card(small_model, "m", signatures={}, calibration={}, metrics=metrics))
    assert (card["data"], card["split"], card["units"]["hi_map"]) == (None, None, "not recorded")
    assert card["metrics"]["r2"] == {"value": 0.5, "error": None, "floor": None, "n_simulations": None}


@pytest.mark.parametrize("metrics", [{"rmse": {"value": np.nan}}, {"rmse": {"value": np.zeros(2)}}, [1.0]])
def test_metrics_that_are_not_json_are_refused(small_model, metrics):
    with pytest.raises(InputError, match="metrics: expected"):
        make_model_card(small_model, "m", signatures={}, calibration={}, metrics=metrics)


def test_there_is_a_warm_up_request_for_each_signature(served):
    records = list(tf.data.TFRecordDataset(str(served.path / WARMUP_FILE)).as_numpy_iterator())
    assert len(records) == len(served.signatures)


def test_warm_up_requests_are_what_tensorflow_serving_reads_and_the_model_answers(served):
    prediction_log_pb2 = pytest.importorskip(
        "tensorflow_serving.apis.prediction_log_pb2", reason="tensorflow-serving-api is not installed"
    )
    names = []
    for record in tf.data.TFRecordDataset(str(served.path / WARMUP_FILE)).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        assert request.model_spec.name == "tiny"
        names.append(request.model_spec.signature_name)
        inputs = {name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in request.inputs.items()}
        for output in served.signatures[names[-1]](**inputs).values():
            assert np.all(np.isfinite(output.numpy()))
    assert sorted(names) == sorted(served.signatures)


def test_an_existing_version_is_kept_unless_told_otherwise(small_model, tmp_path):
    old = tmp_path / "small" / "1" / "saved_model.pb"
    old.parent.mkdir(parents=True)
    old.write_text("old")
    with pytest.raises(InputError, match=r"1: expected a path that does not exist.*Received: an existing path"):
        export_model(small_model, tmp_path / "small")
    assert old.read_text() == "old"
    foreign = old.parent / "thesis.txt"
    foreign.write_text("years")
    with pytest.raises(InputError, match="Received: one with thesis.txt"):
        export_model(small_model, tmp_path / "small", overwrite=True)
    assert (old.read_text(), foreign.read_text()) == ("old", "years")
    foreign.unlink()
    path = export_model(small_model, tmp_path / "small", overwrite=True)
    assert path == tmp_path / "small" / "1"
    assert old.stat().st_size > len("old")
    assert [entry.name for entry in (tmp_path / "small").iterdir()] == ["1"]


def test_a_write_that_fails_leaves_nothing(small_model, tmp_path, monkeypatch):
    def full_disk(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", full_disk)
    with pytest.raises(InputError, match="Received: No space left on device"):
        export_model(small_model, tmp_path / "small")
    assert not list((tmp_path / "small").iterdir())


@pytest.mark.parametrize(
    "calibration",
    [
        {"tempering": 0.0, "widening": 0.0},
        {"tempering": np.nan, "widening": 0.0},
        {"tempering": 1.0, "widening": [0.1, -0.1]},
        {"tempering": 1.0, "widening": [0.1, 0.1, 0.1]},
        {"tempering": 1.0},
        0.5,
    ],
)
def test_a_calibration_that_is_none_is_refused(small_model, tmp_path, calibration):
    with pytest.raises(InputError, match="calibration: expected.*Received"):
        export_model(small_model, tmp_path / "small", calibration=calibration)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("xla", "batch_size"), [(True, None), (False, 4), (True, 0)])
def test_xla_and_a_batch_size_go_together(small_model, tmp_path, xla, batch_size):
    with pytest.raises(InputError, match="batch size.*Received"):
        export_model(small_model, tmp_path / "small", xla=xla, batch_size=batch_size)
