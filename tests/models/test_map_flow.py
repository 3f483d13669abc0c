"""What all flows share beside the contract: settings of the process, what a run knows of them, batches of rows."""

import numpy as np
import pytest
import tensorflow as tf
from toy_models import TINY_8
from toy_records import CALIBRATION, SPLIT, TYPICALITY

from higlow_tf.models import ConditionalGlow, load_model, save_model
from higlow_tf.models.row_batches import in_batches


def is_tensor_float_32_on():
    return tf.config.experimental.tensor_float_32_execution_enabled()


@pytest.fixture
def tensor_float_32():
    """Switches it on, as it is in a fresh process, and restores what was."""
    before = is_tensor_float_32_on()
    tf.config.experimental.enable_tensor_float_32_execution(True)
    yield
    tf.config.experimental.enable_tensor_float_32_execution(before)


def test_a_model_that_is_built_or_loaded_switches_tensor_float_32_off(tensor_float_32, tmp_path):
    assert is_tensor_float_32_on()
    model = ConditionalGlow(**TINY_8)
    assert not is_tensor_float_32_on()
    save_model(model, tmp_path / "model")
    tf.config.experimental.enable_tensor_float_32_execution(True)
    load_model(tmp_path / "model")
    assert not is_tensor_float_32_on()


def test_a_model_carries_what_its_run_knows(tmp_path):
    model = ConditionalGlow(**TINY_8)
    assert (model.split, model.calibration, model.typicality) == (None, None, None)
    save_model(model, tmp_path / "bare")
    bare = load_model(tmp_path / "bare")
    assert (bare.split, bare.calibration, bare.typicality) == (None, None, None)
    model.split, model.calibration, model.typicality = SPLIT, CALIBRATION, TYPICALITY
    save_model(model, tmp_path / "full")
    loaded = load_model(tmp_path / "full")
    assert (loaded.split, loaded.calibration, loaded.typicality) == (SPLIT, CALIBRATION, TYPICALITY)


@pytest.mark.parametrize(
    ("num_rows", "sizes"),
    [
        (1, [1]),
        (3, [8]),
        (17, [8, 8, 8]),
        (32, [8, 8, 8, 8]),
        (33, [64]),
        (64, [64]),
        (70, [64, 8]),
        (80, [64, 64]),
        (129, [64, 64, 8]),
    ],
)
def test_rows_go_in_batches_of_few_sizes(num_rows, sizes):
    found = []

    def function(x, y):
        found.append(len(x))
        return x + y

    x = tf.reshape(tf.range(2.0 * num_rows), [num_rows, 2])
    np.testing.assert_array_equal(in_batches(function, x, 10.0 * x), 11.0 * x)
    assert found == sizes
