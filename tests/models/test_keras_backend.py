"""Another backend of Keras than TensorFlow is refused in one sentence, and the command line does not care."""

import os

import keras
import pytest

from higlow_tf.cli.console import load_tensorflow
from higlow_tf.errors import InputError
from higlow_tf.models import ConditionalGlow


def test_another_backend_is_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(InputError, match=r"set KERAS_BACKEND=tensorflow.* Received: jax\."):
        ConditionalGlow.from_preset("tiny")


def test_the_command_line_computes_with_tensorflow(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    load_tensorflow()
    assert os.environ["KERAS_BACKEND"] == "tensorflow"
