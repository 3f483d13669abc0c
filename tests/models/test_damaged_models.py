"""Model files that were damaged, or made so that building them never ends."""

import inspect
import io
import json
import os
import zipfile

import pytest
from model_folders import replace

from higlow_tf.errors import InputError
from higlow_tf.models import TRENF, ConditionalGlow, HIFlow, load_model
from higlow_tf.models.model_file import _CONFIGS

GLOW, HIFLOW = "higlow_tf>ConditionalGlow", "higlow_tf>HIFlow"
KINDS = {GLOW: ConditionalGlow, HIFLOW: HIFlow, "higlow_tf>TRENF": TRENF}


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
        ({"nuisance": ["A_SN1"]}, "nuisance: expected names among Omega_m, sigma_8"),
        ({"nuisance": ["Omega_m", "sigma_8"]}, "one parameter or more beside them"),
        ({"nuisance": "sigma_8"}, "nuisance"),
        ({"nuisance": ["sigma_8"] * 2000}, "nuisance.*at most 1000"),
        ({"dtype": "int8"}, "dtype"),
        ({"dtype": {"module": "os", "class_name": "system", "config": {"name": "ls"}}}, "dtype"),
        ({"depth": 3}, "depth: Extra inputs are not permitted"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused_before_anything_is_built(model_folder, changes, words):
    path = model_folder / "model.keras"
    replace(path, with_config(path, lambda config: config["config"].update(changes)))
    with pytest.raises(InputError, match=rf"model\.keras: expected a whole model file.*{words}"):
        load_model(model_folder)


def test_a_file_from_before_there_was_a_nuisance_is_read(model_folder):
    path = model_folder / "model.keras"
    replace(path, with_config(path, lambda config: config["config"].pop("nuisance")))
    assert load_model(model_folder).nuisance == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"registered_name": "Custom>Thing"}, "of a ConditionalGlow, HIFlow or TRENF. Received: 'Custom>Thing'"),
        ({"registered_name": None}, "registered_name"),
        ({"config": None}, "config"),
        ({"registered_name": HIFLOW}, "config|num_blocks"),
    ],
)
def test_a_file_of_another_class_is_refused(model_folder, changes, words):
    path = model_folder / "model.keras"
    replace(path, with_config(path, lambda config: config.update(changes)))
    with pytest.raises(InputError, match=rf"model\.keras: expected a whole model file.*{words}"):
        load_model(model_folder)


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
def test_what_is_no_model_file_is_refused(model_folder, content, words):
    replace(model_folder / "model.keras", content)
    with pytest.raises(InputError, match=rf"model\.keras: expected a whole model file.*{words}"):
        load_model(model_folder)


def test_weights_with_a_changed_byte_are_refused(model_folder):
    path = model_folder / "model.keras"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    replace(path, bytes(content))
    with pytest.raises(InputError, match="expected a whole model file. Received: a damaged model.weights.h5"):
        load_model(model_folder)


@pytest.mark.parametrize(("name", "model_type"), list(KINDS.items()))
def test_the_checked_configuration_is_that_of_the_constructor(name, model_type):
    arguments = set(inspect.signature(model_type.__init__).parameters) - {"self", "kwargs"}
    assert set(_CONFIGS[name].model_fields) == {*arguments, "name", "trainable", "dtype"}


@pytest.mark.parametrize(("name", "preset"), list(zip(KINDS, ("tiny", "hiflow16", "trenf"), strict=True)))
def test_fewest_weights_are_no_more_than_there_are(name, preset):
    model = KINDS[name].from_preset(preset)
    config = {**model.get_config(), "dtype": "float32"}
    fewest = _CONFIGS[name].model_validate(config).fewest_weights()
    assert 0.2 * model.count_params() < fewest <= model.count_params()


def test_what_is_no_file_does_not_hang(model_folder):
    for name in ("split.json", "format_version", "model.keras"):
        content = (model_folder / name).read_bytes()
        (model_folder / name).unlink()
        os.mkfifo(model_folder / name)
        with pytest.raises(InputError, match=rf"{name}: expected .*Received: something else than a file"):
            load_model(model_folder)
        replace(model_folder / name, content)
