"""What all tests share: quiet TensorFlow, two logical CPUs, a seeded generator, the shared data folder."""

import os
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow reads it once, at its import
os.environ["HIGLOW_COMPILED"] = "off"  # tests depend on nothing that another run has left

with warnings.catch_warnings():
    # TFP loads a package at its first attribute, and each such load warns (its use of distutils, TensorFloat-32).
    warnings.simplefilter("ignore")
    from higlow_tf.cli.console import load_tensorflow

    load_tensorflow()  # without the lines that its libraries write, which pytest would show after its summary
    import tensorflow_probability as tfp

    for package in (tfp.bijectors, tfp.distributions, tfp.math, tfp.mcmc):
        dir(package)

import numpy as np
import pytest
import tensorflow as tf

SHARED_DATA = Path(os.environ.get("HIGLOW_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))

# Two logical CPUs stand in for two GPUs under MirroredStrategy. It must be said before TensorFlow's runtime starts.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


@pytest.fixture
def rng():
    """A NumPy generator that starts anew in every test."""
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def two_replicas():
    """The one MirroredStrategy of the session: TensorFlow numbers the collectives of a second one from the start again."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture(scope="session")
def shared_data():
    """The folder of the shared data; tests that need it skip where it is missing."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the shared data folder is missing (set HIGLOW_SHARED_DATA)")
    return SHARED_DATA
