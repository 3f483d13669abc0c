"""A training of seconds, what ends it early, and what it warns of."""

import warnings

import keras
import pytest

from higlow_tf.errors import InputWarning
from higlow_tf.runs import train

__all__ = ["SMALL", "StopIn", "stop", "with_warnings"]

SMALL = {
    "preset": "tiny",
    "epochs": 2,
    "batch_size": 16,
    "settings": {"model.width": 4, "model.map_size": 8, "training.jit_compile": False},
}


class StopIn(keras.callbacks.Callback):
    """Ends the process in an epoch, as far as the files can tell."""

    def __init__(self, epoch):
        super().__init__()
        self._epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self._epoch:
            raise KeyboardInterrupt


def with_warnings(call):
    """What a call returns, and the texts of its warnings, each once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InputWarning)
        result = call()
    return result, sorted({str(warning.message) for warning in caught if warning.category is InputWarning})


def stop(run, epoch):
    """Continues a run and ends before an epoch; the texts of the warnings."""

    def call():
        with pytest.raises(KeyboardInterrupt):
            train(out=run, resume=True, epochs=3, callbacks=[StopIn(epoch)])

    return with_warnings(call)[1]
