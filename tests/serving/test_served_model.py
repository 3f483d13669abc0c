"""Which version is served, and what happens to one that is damaged."""

import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

from higlow_tf.errors import InputError
from higlow_tf.serving.server.version_folders import check_model_folders, complete_versions

pytest.importorskip("tensorflow_serving")

from higlow_tf.serving.server.refusals import Code, Refusal, refusal_of  # noqa: E402
from higlow_tf.serving.server.served_model import ServedModel  # noqa: E402


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A SavedModel of two signatures that is quick to load: one of rows, one of rows with a free axis more."""
    module = tf.Module()
    module.factor = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
    def scale(x):
        return {"y": module.factor * x}

    @tf.function(input_signature=[tf.TensorSpec([None, None, 2], tf.float32, "grid")])
    def total(grid):
        tf.debugging.Assert(
            tf.shape(grid)[1] > 0, [tf.strings.format("Expected points [B, G]. Received: {}.", tf.shape(grid))]
        )
        return {"sum": tf.reduce_sum(grid, axis=[1, 2])}

    folder = tmp_path_factory.mktemp("exported") / "any"
    tf.saved_model.save(module, str(folder), signatures={"scale": scale, "total": total})
    return folder


@pytest.fixture
def folder(exported, tmp_path):
    """A model with version 1."""
    shutil.copytree(exported, tmp_path / "tiny" / "1")
    return tmp_path / "tiny"


def add_damaged(folder, number):
    (folder / number).mkdir()
    (folder / number / "saved_model.pb").write_bytes(b"no graph")


def test_the_newest_complete_version_is_found(tmp_path):
    for name in ("2", "10", "9x", "-1", "0x1", "part", "³"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").touch()
    (tmp_path / "11").mkdir()  # still being copied
    assert list(complete_versions(tmp_path)) == [2, 10]


def test_a_newer_version_takes_over_and_an_older_one_comes_back(exported, folder):
    model = ServedModel("tiny", folder)
    before = model.at()
    assert not model.refresh()
    shutil.copytree(exported, folder / "7")
    assert model.refresh()
    assert (before.version, model.at().version, model.at(7).version) == (1, 7, 7)
    call = before.call("scale", {"x": np.ones((3, 2), np.float32)})
    np.testing.assert_array_equal(
        call.function(call.inputs)["y"], np.full((3, 2), 2.0)
    )  # who began with it, ends with it
    shutil.rmtree(folder / "7")
    assert model.refresh()
    assert model.at().version == 1
    shutil.rmtree(folder / "1")
    assert not model.refresh()
    assert model.at().version == 1


def test_a_damaged_version_is_reported_and_tried_again_when_it_changes(exported, folder):
    model = ServedModel("tiny", folder)
    add_damaged(folder, "2")
    assert not model.refresh()
    (number, state, error), available = model.statuses()
    assert (number, state, available) == (2, "END", (1, "AVAILABLE", ""))
    assert error
    assert not model.refresh()
    shutil.rmtree(folder / "2")
    shutil.copytree(exported, folder / "2")
    os.utime(folder / "2" / "saved_model.pb", ns=(0, 0))
    assert model.refresh()
    assert model.statuses() == [(2, "AVAILABLE", "")]


def test_the_newest_version_that_can_be_loaded_takes_over(exported, folder):
    model = ServedModel("tiny", folder)
    shutil.copytree(exported, folder / "2")
    add_damaged(folder, "3")
    assert model.refresh()
    assert [status[:2] for status in model.statuses()] == [(3, "END"), (2, "AVAILABLE")]


def test_an_older_version_is_served_where_the_newest_is_damaged(folder):
    add_damaged(folder, "3")
    assert ServedModel("tiny", folder).at().version == 1


def test_a_model_without_a_version_that_loads_is_refused(tmp_path):
    (tmp_path / "broken").mkdir()
    add_damaged(tmp_path / "broken", "1")
    with pytest.raises(RuntimeError, match="expected a version that TensorFlow can load. Received: version 1: "):
        ServedModel("broken", tmp_path / "broken")


@pytest.mark.parametrize(("version", "label"), [(2, ""), (None, "stable")])
def test_other_versions_and_labels_are_not_found(folder, version, label):
    with pytest.raises(Refusal) as refusal:
        ServedModel("tiny", folder).at(version, label)
    assert refusal.value.code is Code.NOT_FOUND


def test_calls_of_a_signature_say_which_axes_are_free(folder):
    loaded = ServedModel("tiny", folder).at()
    call = loaded.call("total", {"grid": np.ones((3, 5, 2), np.float32)})
    assert call.free_axes == {"grid": (0, 1)}
    assert (call.num_rows, call.cost) == (3, 15)
    assert loaded.input_specs("scale") == {"x": (np.dtype(np.float32), (None, 2))}
    with pytest.raises(Refusal, match="Expected a signature among scale, total. Received: 'other'."):
        loaded.input_specs("other")


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["missing"], "Received: no folder."),
        (["tiny/1"], "Received: a version itself; give the folder above it"),
        (["empty"], "Received: a folder without one."),
        (["tiny", "other/tiny"], "Expected models of different names"),
    ],
)
def test_folders_without_a_model_are_refused(folder, names, sentence):
    (folder.parent / "empty").mkdir()
    shutil.copytree(folder, folder.parent / "other" / "tiny")
    with pytest.raises(InputError, match=sentence):
        check_model_folders([folder.parent / name for name in names])
    assert check_model_folders([folder]) == {"tiny": folder.resolve()}


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (ValueError("Expected a. Received: b."), Code.INVALID_ARGUMENT, "Expected a. Received: b."),
        (MemoryError(), Code.RESOURCE_EXHAUSTED, "The server has no memory for this request: MemoryError"),
        (KeyError("x"), Code.INTERNAL, "The model failed: 'x'"),
        (Refusal(Code.NOT_FOUND, "none"), Code.NOT_FOUND, "none"),
    ],
)
def test_errors_become_codes_and_sentences(error, code, sentence):
    refusal = refusal_of(error)
    assert (refusal.code, refusal.sentence) == (code, sentence)


def test_the_sentence_of_the_graph_is_taken_out_of_its_message(folder):
    call = ServedModel("tiny", folder).at().call("total", {"grid": np.ones((3, 0, 2), np.float32)})
    with pytest.raises(tf.errors.InvalidArgumentError, match="assertion failed") as error:
        call.function(call.inputs)
    refusal = refusal_of(error.value)
    assert refusal.code is Code.INVALID_ARGUMENT
    assert refusal.sentence == "Expected points [B, G]. Received: [3 0 2]."
