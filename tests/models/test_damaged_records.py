"""What a folder says about its model, damaged: its format version, its split, its calibration, its typical maps."""

import copy
import json

import pytest
from model_folders import replace
from toy_models import TINY_8
from toy_records import CALIBRATION, SPLIT, TYPICALITY

from higlow_tf.errors import InputError
from higlow_tf.models import ConditionalGlow, load_model, save_model
from higlow_tf.models.split_file import split_hash

RECORDS = {"split.json": SPLIT, "calibration.json": CALIBRATION, "typicality.json": TYPICALITY}


@pytest.mark.parametrize(
    "text", ["²", "١", "0", "", " \n", "99", "-1", "1.0", "one", "1" * 5000, "\x00\x01", b"\xff\xfe", "9" * 90]
)
def test_a_format_version_that_is_no_number_or_newer_is_refused(model_folder, text):
    replace(model_folder / "format_version", text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=r"format_version: expected format version 1 or older. Received: "):
        load_model(model_folder)


def changed(name, *keys, value):
    record = copy.deepcopy(RECORDS[name])
    target = record
    for key in keys[:-1]:
        target = target[key]
    target[keys[-1]] = value
    return record


def without(name, key):
    return {other: value for other, value in RECORDS[name].items() if other != key}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        *[(name, b"", "Received: an empty file") for name in RECORDS],
        *[(name, b"{", "Received: no JSON") for name in RECORDS],
        *[(name, b"\xff\xfe\x00\x01", "Received: no text") for name in RECORDS],
        *[(name, b"[]", "Received: the whole") for name in RECORDS],
        *[(name, b"null", "Received: the whole") for name in RECORDS],
        *[(name, b"[" * 100000, "Received: brackets inside brackets") for name in RECORDS],
        *[(name, b'{"seed": NaN}', "NaN is no number") for name in RECORDS],
        *[(name, b'{"seed": 1' + b"0" * 5000 + b"}", "Received: no JSON") for name in RECORDS],
        *[(name, without(name, key), f"{key}: Field required") for name, key in (
            ("split.json", "seed"), ("split.json", "map_hashes"), ("split.json", "zero_floor"), ("split.json", "source"),
            ("calibration.json", "tempering"), ("calibration.json", "widening"), ("typicality.json", "sd"),
        )],
        ("split.json", changed("split.json", "seed", value="3"), "seed: Input should be a valid integer: '3'"),
        ("split.json", changed("split.json", "seed", value=1.5), "seed: "),
        ("split.json", changed("split.json", "sead", value=3), "sead: Extra inputs"),
        ("split.json", changed("split.json", "simulations", value={"train": [0]}), "simulations: "),
        ("split.json", changed("split.json", "simulations", "test", value=[0]), "a simulation in two places"),
        ("split.json", changed("split.json", "simulations", "test", value=[3, 4]), "2 simulations in test with 1 hashes"),
        ("split.json", changed("split.json", "map_hashes", "test", value=["g" * 16]), "map_hashes.test.0"),
        ("split.json", changed("split.json", "map_hashes", "test", value=["f" * 15]), "map_hashes.test.0"),
        ("split.json", changed("split.json", "num_maps", value=5), "5 maps with 4 hashes"),
        ("split.json", changed("split.json", "content_hash", value="x"), "content_hash"),
        ("split.json", changed("split.json", "parameters", value=[]), "parameters: .*one or more ParameterSpec"),
        ("split.json", changed("split.json", "parameters", 0, "low", value=9.0), "parameters: .*low < high"),
        ("split.json", changed("split.json", "zero_floor", value={"floor": -1.0, "seed": 0}), "zero_floor.floor"),
        ("split.json", changed("split.json", "box_size_mpc_h", value=None), "box_size_mpc_h"),
        ("split.json", changed("split.json", "format_version", value=2), "format_version"),
        ("split.json", changed("split.json", "zero_pixels", value=dict.fromkeys(SPLIT["simulations"], 0)), "map_size"),
        ("split.json", {**SPLIT, "split_hash": "0" * 32}, "Received: a changed one"),
        ("calibration.json", changed("calibration.json", "tempering", value=-1.0), "tempering"),
        ("calibration.json", changed("calibration.json", "tempering", value="0.5"), "tempering"),
        ("calibration.json", changed("calibration.json", "widening", value=[0.1] * 3), "one or 2 numbers. Received: 3"),
        ("calibration.json", changed("calibration.json", "num_symmetries", value=10**9), "num_symmetries"),
        ("typicality.json", changed("typicality.json", "sd", value=[0.2]), r"sd of another shape than \(1, 2\)"),
        ("typicality.json", changed("typicality.json", "num_simulations", value=9), "coefficients of another shape"),
        ("typicality.json", changed("typicality.json", "covariance", 0, 1, value=0.2), "symmetric and positive"),
        ("typicality.json", changed("typicality.json", "feature_names", 0, value="log_prod_level_0"), "feature_names.0"),
        ("typicality.json", changed("typicality.json", "distances", value=[2.0, 1.0]), "not sorted"),
        ("typicality.json", changed("typicality.json", "parameters", 0, "name", value="Omega_n"), "of the model, Omega_m"),
    ],
)  # fmt: skip
def test_a_damaged_record_is_a_sentence_with_its_file(model_folder, name, content, words):
    replace(model_folder / name, content if isinstance(content, bytes) else json.dumps(content).encode())
    with pytest.raises(InputError, match=rf"{name}: expected .*{words}"):
        load_model(model_folder)


def test_records_of_today_and_older_ones_are_read(model_folder):
    assert load_model(model_folder).split == SPLIT
    today = {
        **SPLIT,
        "format_version": 1,
        "set": "LH",
        "field": ["HI", None],
        "map_size": 8,
        "num_channels": 2,
        "native_size": 16,
        "slab_thickness_mpc_h": 5,
        "zero_floor": {"floor": 1.5, "seed": 0},
        "zero_pixels": {"train": 1, "validation": 0, "test": 0},
        "simulation_hashes": {"train": ["0" * 16, "1" * 16], "validation": ["a" * 16], "test": ["f" * 16]},
    }
    today["split_hash"] = split_hash(today)
    replace(model_folder / "split.json", json.dumps(today).encode())
    assert load_model(model_folder).split == today


def test_a_split_that_could_not_be_read_back_is_not_saved(tmp_path):
    with pytest.raises(InputError, match="split.json: expected the record .*Field required"):
        save_model(ConditionalGlow(**TINY_8), tmp_path / "model", split={"seed": 1})
    assert not (tmp_path / "model").exists()
