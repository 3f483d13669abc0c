"""The gap to the exact density of lognormal maps: none for that density, and what was added to another."""

import types

import numpy as np
import tensorflow as tf

from benchmarks.lognormal_density import compare
from higlow_tf.data import load_cmd, lognormal


def test_the_gap_is_what_a_model_lacks(tmp_path):
    files = lognormal.write_lognormal(tmp_path, simulations=3, map_size=8, maps_per_simulation=2, seed=0)
    data = load_cmd(*files)

    def model_lacking(nats):
        def log_prob(maps, theta):
            return tf.constant(lognormal.log_prob(maps, theta, data.box_size_mpc_h) - nats)

        return types.SimpleNamespace(log_prob=log_prob, num_dimensions=64)

    for nats in (0.0, 6.4):
        metrics = compare(model_lacking(nats), data)
        np.testing.assert_allclose(metrics["gap_to_exact_nats_per_pixel"].value, nats / 64, atol=1e-12)
        assert metrics["gap_to_exact_nats_per_pixel"].n_simulations == 3
    assert metrics["exact_nll_nats_per_pixel"].error > 0.0
