"""One exported model for all tests of this folder."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.tiny_model import tiny_model
from higlow_tf.inference import TypicalityReference, typicality_features
from higlow_tf.serving import export_model

CALIBRATION = {"tempering": 0.02, "widening": [0.05, 0.0], "num_symmetries": 2}
# As in a run's split.json.
SPLIT = {
    "source": ["some/folder/Maps.npy", "params.txt"],
    "suite": "mock",
    "redshift": 6.0,
    "units": "M_sun / h",
    "box_size_mpc_h": 25.0,
    "num_maps": 40,
    "content_hash": "abc",
    "fractions": [0.5, 0.25, 0.25],
    "seed": 3,
    "zero_floor": None,
    "simulations": {"train": [0, 1], "validation": [2], "test": [3]},
    "map_hashes": {"train": ["a"] * 20, "validation": ["b"] * 10, "test": ["c"] * 10},
}


def log_normal_maps(rng, *shape):
    return (10.0 ** (6.8 + 0.45 * rng.standard_normal(shape))).astype(np.float32)


def typicality_reference(model):
    """Fitted on two maps that the model draws at each of forty parameters."""
    theta = np.repeat(model.parameters.sample_uniform(40, seed=5), 2, axis=0)
    features, names = typicality_features(model, model.sample(theta, seed=5), theta)
    return TypicalityReference.fit(features, names, theta, np.repeat(np.arange(40), 2), model.parameters)


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """A model with random weights, its export, the loaded signatures, and inputs of ten rows."""
    rng = np.random.default_rng(0)
    model = tiny_model(rng)
    model.split = SPLIT
    model.typicality = typicality_reference(model).to_config()  # as runs store it
    path = export_model(
        model,
        tmp_path_factory.mktemp("export") / "tiny",
        calibration=CALIBRATION,
        metrics={"rmse": {"value": 0.05, "error": 0.01, "floor": None, "n_simulations": 1}},
    )
    loaded = tf.saved_model.load(str(path))
    return SimpleNamespace(
        model=model,
        path=path,
        calibration=CALIBRATION,
        loaded=loaded,  # keeps the variables alive
        signatures=loaded.signatures,
        maps=log_normal_maps(rng, 10, 16, 16),
        theta=model.parameters.sample_uniform(10, seed=1).astype(np.float32),
    )
