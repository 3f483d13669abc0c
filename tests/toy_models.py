"""Small maps and small models whose weights are random, for the tests of models and of runs."""

import numpy as np
import pytest

from higlow_tf.data import HIMapDataset
from higlow_tf.models import ConditionalGlow

MAP_SIZE = 8
TINY_8 = {"map_size": MAP_SIZE, "num_levels": 2, "num_steps_per_level": 2, "width": 4}


def make_maps(num_simulations, maps_per_simulation, seed=0, size=MAP_SIZE):
    """Log-normal maps whose mean and small-scale scatter depend on theta."""
    rng = np.random.default_rng(seed)
    theta = np.stack([rng.uniform(0.1, 0.5, num_simulations), rng.uniform(0.6, 1.0, num_simulations)], axis=-1)
    theta = np.repeat(theta, maps_per_simulation, axis=0)
    white = rng.standard_normal((len(theta), size, size))
    smooth = (white + np.roll(white, 1, axis=1) + np.roll(white, 1, axis=2)) / 3.0
    log10_maps = 6.0 + theta[:, :1, None] + 0.5 * theta[:, 1:, None] * smooth
    return 10.0**log10_maps, theta


@pytest.fixture
def dataset():
    return HIMapDataset.from_arrays(*make_maps(12, 8))


@pytest.fixture
def make_model():
    """Builds a small model whose trainable weights are all randomised: a fresh one is trivial.

    No function of it is compiled by XLA, which takes seconds for each.
    """

    def build(preset="tiny", *, sd=0.05, seed=1, dtype="float64", **overrides):
        model = ConditionalGlow.from_preset(preset, dtype=dtype, **overrides)
        rng = np.random.default_rng(seed)
        for variable in model.trainable_variables:
            variable.assign_add(sd * rng.standard_normal(variable.shape))
        model.map_shift.assign(np.full(model.num_channels, 6.5))
        model.map_log_scale.assign(np.full(model.num_channels, np.log(0.4)))
        model.compile(jit_compile=False)
        return model

    return build
