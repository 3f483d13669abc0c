"""A flow that is written elsewhere, under `MapFlow`: it keeps the contract, is saved and loaded, infers and is exported."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from flow_cases import FlowCase
from flow_contract import CHECKS
from test_map_transform import PARAMETERS, THETA, make_dataset

from higlow_tf.bijectors import AffineInjector, ConditionalChain, HartleyTransform
from higlow_tf.errors import InputError
from higlow_tf.inference import infer
from higlow_tf.models import MapFlow, load_model, save_model
from higlow_tf.serving import export_model


class Constants(keras.layers.Layer):
    """Shift and log-scale of each pixel, linear in the condition."""

    def __init__(self, num_parameters, num_pixels, **kwargs):
        super().__init__(**kwargs)
        self.sizes = num_parameters, 2 * num_pixels

    def build(self, input_shape=None):
        self.matrix = self.add_weight(name="matrix", shape=self.sizes, initializer="zeros")
        self.built = True

    def shift_and_log_scale(self, condition):
        side = round((self.sizes[1] // 2) ** 0.5)
        numbers = tf.reshape(tf.transpose(condition @ self.matrix.value), [2, 1, side, side, -1])
        return numbers[0], tf.tanh(numbers[1])


@keras.saving.register_keras_serializable(package="tests")
class Waves(MapFlow):
    """Independent Gaussian waves."""

    title, presets = "Waves", {}

    def __init__(
        self, map_size=4, num_channels=1, parameters=("Omega_m", "sigma_8"), *, map_transform="log10", **kwargs
    ):
        super().__init__(locals(), **kwargs)
        self.constants = Constants(len(self.parameters), map_size**2, dtype=self.dtype_policy)
        self.steps = ConditionalChain([AffineInjector(self.constants.shift_and_log_scale), HartleyTransform()])
        self._complete(self.steps)

    @property
    def latent_shapes(self):
        return [(self.num_channels, self.map_size, self.map_size)]

    @property
    def _latent_event(self):
        return self.latent_shapes[0]

    def _latents_by_level(self, x, conditional_input):
        return [self.steps.inverse_and_log_det(x, conditional_input)]


CASE = FlowCase(Waves, {"map_size": 4, "map_transform": "identity"}, 2 * 2 * 16, {"map_size": 2})


@pytest.mark.parametrize("check", ["inverse", "change of variables", "names", "configuration", "graph"])
def test_it_keeps_the_contract(check):
    CHECKS[check](CASE)


@pytest.fixture(scope="module")
def trained():
    data = make_dataset()
    model = Waves(8, parameters=PARAMETERS, map_transform="identity")
    model.initialize(data)
    model.compile(optimizer=keras.optimizers.Adam(0.05), jit_compile=False)
    before = model.evaluate(data.to_tf_evaluation(32), verbose=0, return_dict=True)["loss"]
    model.fit(data.to_tf(32), epochs=3, shuffle=False, verbose=0)
    return model, before, data


def test_it_learns(trained):
    model, before, data = trained
    assert model.evaluate(data.to_tf_evaluation(32), verbose=0, return_dict=True)["loss"] < before - 0.02


def test_it_is_saved_loaded_and_refused_where_nobody_knows_its_class(trained, tmp_path):
    model = trained[0]
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    loaded.compile(jit_compile=False)
    assert isinstance(loaded, Waves)
    np.testing.assert_array_equal(loaded.sample(THETA, seed=2), model.sample(THETA, seed=2))
    registered = keras.saving.get_custom_objects()
    kind = registered.pop("tests>Waves")
    try:
        with pytest.raises(InputError, match=r"of a MapFlow that is registered with Keras.*Received: 'tests>Waves'"):
            load_model(tmp_path / "model")
    finally:
        registered["tests>Waves"] = kind


def test_it_infers_and_is_exported(trained, tmp_path):
    model, _, data = trained
    posterior = infer(model, data.maps[:1], method="importance", num_draws=500, num_adaptation_draws=200)
    assert np.isfinite(posterior.mean).all()
    loaded = tf.saved_model.load(str(export_model(model, tmp_path / "waves")))
    theta = tf.constant(data.theta[:2], tf.float32)
    answer = loaded.signatures["log_prob"](hi_map=tf.constant(data.maps[:2]), theta=theta)["log_prob"]
    np.testing.assert_allclose(answer, model.log_prob(data.maps[:2], data.theta[:2]), rtol=1e-5)
