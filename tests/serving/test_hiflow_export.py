"""HIFlow as a SavedModel: the loop over pixels and the density answer as the model does."""

import json

import numpy as np
import pytest
import tensorflow as tf

from higlow_tf.models import HIFlow
from higlow_tf.serving import export_model

# Float32 in another order of operations; a pixel is drawn from those before it.
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    model = HIFlow.from_preset("hiflow16", map_size=8, width=16, num_blocks=2)
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign_add(0.05 * rng.standard_normal(variable.shape))
    model.map_shift.assign([6.8])
    model.map_log_scale.assign([np.log(0.45)])
    model.compile(jit_compile=False)
    path = export_model(model, tmp_path_factory.mktemp("export") / "hiflow")
    return model, path, tf.saved_model.load(str(path))


def test_signatures_answer_as_the_model(exported):
    model, _, loaded = exported
    theta = model.parameters.sample_uniform(3, seed=1).astype(np.float32)
    seeds = tf.constant([[5, 0], [5, 1], [5, 2]], tf.int64)
    drawn = loaded.signatures["sample"](theta=tf.constant(theta), seed=seeds, temperature=tf.ones([3]))["hi_map"]
    np.testing.assert_allclose(np.log10(drawn), np.log10(model.sample(theta, seed=5)), rtol=TOLERANCE)
    log_prob = loaded.signatures["log_prob"](hi_map=drawn, theta=tf.constant(theta))["log_prob"]
    np.testing.assert_allclose(log_prob, model.log_prob(drawn, theta), rtol=TOLERANCE)
    grid = tf.constant(np.broadcast_to(theta, (2, 3, 2)))
    posterior = loaded.signatures["posterior"](hi_map=drawn[:2], theta_grid=grid)
    np.testing.assert_allclose(posterior["log_prob"][:, 1], model.log_prob(drawn[:2], theta[1:2]), rtol=TOLERANCE)
    assert np.isfinite(posterior["posterior_sd"]).all()


def test_the_card_names_the_model(exported):
    card = json.loads((exported[1] / "assets.extra" / "model_card.json").read_text())
    assert card["summary"].startswith("HIFlow, a conditional masked autoregressive flow")
    assert card["model_config"]["width"] == 16
