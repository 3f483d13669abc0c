"""Folders of models that were damaged, or made so that building them never ends."""

import copy
import inspect
import io
import json
import os
import zipfile

import pytest
from toy_models import TINY_8
from toy_records import CALIBRATION, SPLIT, TYPICALITY

from higlow_tf.errors import InputError
from higlow_tf.models import ConditionalGlow, HIFlow, load_model, save_model
from higlow_tf.models.model_file import _CONFIGS
from higlow_tf.models.split_file import split_hash

RECORDS = {"split.json": SPLIT, "calibration.json": CALIBRATION, "typicality.json": TYPICALITY}
GLOW, HIFLOW = "higlow_tf>ConditionalGlow", "higlow_tf>HIFlow"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "model"
    model = ConditionalGlow(**TINY_8)
    model.split, model.calibration, model.typicality = SPLIT, CALIBRATION, TYPICALITY
    save_model(model, folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    """A copy whose files can be changed, of links to those that are not."""
    folder = tmp_path / "model"
    folder.mkdir()
    for path in saved.iterdir():
        os.link(path, folder / path.name)
    return folder


def replace(path, content):
    path.unlink()
    path.write_bytes(content)


def zipped(parts):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


def with_config(path, change):
    """model.keras with another configuration, as good a zip file as the whole one."""
    with zipfile.ZipFile(path) as file:
        parts = {name: file.read(name) for name in file.namelist()}
    config = json.loads(parts["config.json"])
    change(config)
    return zipped({**parts, "config.json": json.dumps(config)})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"width": 10**6}, "width.*less than or equal to 16384"),
        ({"width": 16384}, r"weights that its configuration needs, at least \d+. Received: \d+ bytes of weights"),
        ({"width": [4, 10**6]}, "width.*less than or equal to 16384"),
        ({"width": -1}, "width"),
        ({"width": "4"}, "width"),
        ({"num_levels": 10**6}, "num_levels.*less than or equal to 12: 1000000"),
        ({"num_levels": 12}, "at least|that 4096 divides"),
        ({"num_levels": 0}, "num_levels"),
        ({"num_steps_per_level": 10**6}, "num_steps_per_level.*less than or equal to 10000"),
        ({"num_steps_per_level": 10000}, "weights that its configuration needs"),
        ({"map_size": 10**9}, "map_size.*less than or equal to 4096"),
        ({"num_channels": 10**9}, "num_channels.*less than or equal to 256"),
        ({"num_channels": 200}, "weights that its configuration needs"),
        ({"injector_width": 5}, "Received: "),
        ({"width": 3}, "Received: "),
        ({"injector": "vector"}, "Received: 'vector'"),
        ({"max_log_scale": -1.0}, "max_log_scale"),
        ({"parameters": []}, "parameters"),
        ({"parameters": [{"name": "Omega_m"}]}, "A parameter needs name, low, high"),
        ({"seed": "x"}, "seed"),
        ({"dtype": "int8"}, "dtype"),
        ({"dtype": {"module": "os", "class_name": "system", "config": {"name": "ls"}}}, "dtype"),
        ({"depth": 3}, "depth: Extra inputs are not permitted"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused_before_anything_is_built(folder, changes, words):
    path = folder / "model.keras"
    replace(path, with_config(path, lambda config: config["config"].update(changes)))
    with pytest.raises(InputError, match=rf"model\.keras: expected a whole model file.*{words}"):
        load_model(folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"registered_name": "Custom>Thing"}, "of a ConditionalGlow or a HIFlow. Received: 'Custom>Thing'"),
        ({"registered_name": None}, "registered_name"),
        ({"config": None}, "config"),
        ({"registered_name": HIFLOW}, "config|num_blocks"),
    ],
)
def test_a_file_of_another_class_is_refused(folder, changes, words):
    path = folder / "model.keras"
    replace(path, with_config(path, lambda config: config.update(changes)))
    with pytest.raises(InputError, match=rf"model\.keras: expected a whole model file.*{words}"):
        load_model(folder)


WEIGHTS = "model.weights.h5"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a zip file"),
        (b"PK\x03\x04" + bytes(100), "not a zip file"),
        (b"no zip file at all", "not a zip file"),
        (zipped({}), r"with config.json, metadata.json, model.weights.h5. Received: \[\]"),
        (zipped({"metadata.json": "{}", WEIGHTS: b"x"}), "with config.json"),
        (zipped({"metadata.json": "{}", WEIGHTS: b"x", "config.json": "", "assets/x": "x"}), "with config.json"),
        (zipped({"metadata.json": "{}", WEIGHTS: b"x", "config.json": ""}), "Expecting value"),
        (zipped({"metadata.json": "{}", WEIGHTS: b"x", "config.json": "[]"}), "Received: the whole"),
        (zipped({"metadata.json": "{}", WEIGHTS: b"x", "config.json": b"\xff\xfe\x00"}), "Received: "),
        (zipped({"metadata.json": "{}", WEIGHTS: b"x", "config.json": "[" * 100000}), "Received: "),
        (zipped({"metadata.json": "{}", WEIGHTS: bytes(10**8), "config.json": "{}"}), "100000000 bytes in a file of"),
    ],
)
def test_what_is_no_model_file_is_refused(folder, content, words):
    replace(folder / "model.keras", content)
    with pytest.raises(InputError, match=rf"model\.keras: expected a whole model file.*{words}"):
        load_model(folder)


def test_weights_with_a_changed_byte_are_refused(folder):
    path = folder / "model.keras"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    replace(path, bytes(content))
    with pytest.raises(InputError, match="expected a whole model file. Received: a damaged model.weights.h5"):
        load_model(folder)


@pytest.mark.parametrize(("name", "model_type"), [(GLOW, ConditionalGlow), (HIFLOW, HIFlow)])
def test_the_checked_configuration_is_that_of_the_constructor(name, model_type):
    arguments = set(inspect.signature(model_type.__init__).parameters) - {"self", "kwargs"}
    assert set(_CONFIGS[name].model_fields) == {*arguments, "name", "trainable", "dtype"}


@pytest.mark.parametrize("preset", ["tiny", "hiflow16"])
def test_fewest_weights_are_no_more_than_there_are(preset):
    model_type, name = (HIFlow, HIFLOW) if preset == "hiflow16" else (ConditionalGlow, GLOW)
    model = model_type.from_preset(preset)
    config = {**model.get_config(), "dtype": "float32"}
    fewest = _CONFIGS[name].model_validate(config).fewest_weights()
    assert 0.2 * model.count_params() < fewest <= model.count_params()


@pytest.mark.parametrize(
    "text", ["²", "١", "", " \n", "99", "-1", "1.0", "one", "1" * 5000, "\x00\x01", b"\xff\xfe", "9" * 90]
)
def test_a_format_version_that_is_no_number_or_newer_is_refused(folder, text):
    replace(folder / "format_version", text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=r"format_version: expected format version 1 or older. Received: "):
        load_model(folder)


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
def test_a_damaged_record_is_a_sentence_with_its_file(folder, name, content, words):
    replace(folder / name, content if isinstance(content, bytes) else json.dumps(content).encode())
    with pytest.raises(InputError, match=rf"{name}: expected .*{words}"):
        load_model(folder)


def test_records_of_today_and_older_ones_are_read(folder):
    assert load_model(folder).split == SPLIT
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
    replace(folder / "split.json", json.dumps(today).encode())
    assert load_model(folder).split == today


def test_a_split_that_could_not_be_read_back_is_not_saved(tmp_path):
    with pytest.raises(InputError, match="split.json: expected the record .*Field required"):
        save_model(ConditionalGlow(**TINY_8), tmp_path / "model", split={"seed": 1})
    assert not (tmp_path / "model").exists()


def test_what_is_no_file_does_not_hang(folder):
    for name in ("split.json", "format_version", "model.keras"):
        content = (folder / name).read_bytes()
        (folder / name).unlink()
        os.mkfifo(folder / name)
        with pytest.raises(InputError, match=rf"{name}: expected .*Received: something else than a file"):
            load_model(folder)
        replace(folder / name, content)
