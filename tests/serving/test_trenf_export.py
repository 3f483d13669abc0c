"""TRENF as a SavedModel: filters and curves of the condition answer as the model does."""

import numpy as np
import pytest
import tensorflow as tf

from higlow_tf.models import TRENF
from higlow_tf.serving import export_model

pytestmark = pytest.mark.slow
# Float32 in another order of operations.
TOLERANCE = 1e-4


def test_signatures_answer_as_the_model(tmp_path):
    model = TRENF.from_preset("trenf", map_size=8, width=4, num_blocks=2)
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign_add(0.05 * rng.standard_normal(variable.shape))
    model.map_shift.assign([6.8])
    model.map_log_scale.assign([np.log(0.45)])
    model.compile(jit_compile=False)
    path = export_model(model, tmp_path / "trenf")
    loaded = tf.saved_model.load(str(path))
    theta = model.parameters.sample_uniform(3, seed=1).astype(np.float32)
    seeds = tf.constant([[5, 0], [5, 1], [5, 2]], tf.int64)
    drawn = loaded.signatures["sample"](theta=tf.constant(theta), seed=seeds, temperature=tf.ones([3]))["hi_map"]
    np.testing.assert_allclose(np.log10(drawn), np.log10(model.sample(theta, seed=5)), rtol=TOLERANCE)
    log_prob = loaded.signatures["log_prob"](hi_map=drawn, theta=tf.constant(theta))["log_prob"]
    np.testing.assert_allclose(log_prob, model.log_prob(drawn, theta), rtol=TOLERANCE)
    assert '"summary": "TRENF' in (path / "assets.extra" / "model_card.json").read_text()
