"""A model of maps in their own units as a SavedModel: negative pixels have densities, and p-values are those of the package."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from higlow_tf.batch.served_model import read_served_model
from higlow_tf.inference import TypicalityReference, typicality_features
from higlow_tf.models import ConditionalGlow
from higlow_tf.serving import export_model

pytestmark = pytest.mark.slow
# Float32 in another order of operations.
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    model = ConditionalGlow(8, num_levels=1, num_steps_per_level=1, width=4, map_transform="identity")
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign_add(0.05 * rng.standard_normal(variable.shape))
    model.compile(jit_compile=False)
    theta = np.repeat(model.parameters.sample_uniform(20, seed=5), 2, axis=0)
    features, names = typicality_features(model, model.sample(theta, seed=5), theta)
    model.typicality = TypicalityReference.fit(features, names, theta, np.repeat(np.arange(20), 2), model.parameters)
    path = export_model(model, tmp_path_factory.mktemp("export") / "own")
    maps = rng.standard_normal((3, 8, 8)).astype("f4")
    return SimpleNamespace(model=model, path=path, loaded=tf.saved_model.load(str(path)), maps=maps)


def test_only_maps_that_are_not_finite_have_no_density(exported):
    theta = tf.constant([[0.3, 0.8]] * 4)
    maps = np.concatenate([exported.maps, np.full((1, 8, 8), np.inf, "f4")])
    log_prob = exported.loaded.signatures["log_prob"](hi_map=tf.constant(maps), theta=theta)["log_prob"].numpy()
    np.testing.assert_allclose(log_prob[:3], exported.model.log_prob(exported.maps, theta[:3]), rtol=TOLERANCE)
    assert np.isnan(log_prob[3])


def test_p_values_are_those_of_the_package(exported):
    maps = exported.maps * np.array([1.0, 1.0, 5.0], "f4")[:, None, None]
    answer = exported.loaded.signatures["posterior"](hi_map=tf.constant(maps), theta_grid=tf.zeros([3, 0, 2]))
    mean = answer["posterior_mean"].numpy()
    features, _ = typicality_features(exported.model, maps, mean)
    typicality = exported.model.typicality.score(features, mean)
    np.testing.assert_allclose(answer["typicality"], typicality.p_value, rtol=TOLERANCE)
    assert typicality.p_value[2] < min(typicality.p_value[:2])
    assert not typicality.log10_median_offset.any()
    (sentence,) = typicality.warnings(threshold=1.5 * typicality.p_value[2])
    assert sentence.startswith("map 2: unlike the training maps")
    assert "other units" not in sentence


def test_a_batch_job_takes_the_units_of_the_card(exported):
    assert read_served_model(exported.path).log_prob_units == "nats of the map, summed over its pixels"
