"""A training of seconds, what ends it early, and what it warns of."""

import warnings

import keras
import numpy as np
import pytest
from toy_models import make_maps

from higlow_tf.errors import InputWarning
from higlow_tf.runs import train

__all__ = ["SMALL", "StopIn", "stop", "with_warnings", "write_files"]

SMALL = {
    "preset": "tiny",
    "epochs": 2,
    "end_layers": False,
    "batch_size": 16,
    "settings": {"model.num_levels": 1, "model.width": 4, "model.map_size": 8, "training.jit_compile": False},
}


def write_files(folder, maps_per_simulation):
    """Maps and table of 20 simulations in the CMD layout; returns the options that name them."""
    maps, theta = make_maps(20, maps_per_simulation)
    files = {"maps": folder / "Maps_HI_Toy_LH_z=6.00.npy", "params": folder / "params_LH_Toy.txt"}
    np.save(files["maps"], maps.astype("f4"))
    np.savetxt(files["params"], theta[::maps_per_simulation], header="Omega_m sigma_8")
    return files


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
