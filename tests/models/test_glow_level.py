"""A level and its architecture on their own."""

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from higlow_tf.errors import InputError
from higlow_tf.models import ConditionalGlow, GlowArchitecture, GlowLevel

# Sums of some thousand float32 terms in two programs.
SAME_IN_FLOAT32 = 1e-5

OTHERS = {
    "num_steps": 2,
    "width": 3,
    "num_parameters": 1,
    "injector": "scalar",
    "injector_width": 4,
    "padding": "zero",
    "use_split_prior": False,
    "use_map_mean": True,
    "use_act_norm": True,
    "max_log_scale": 0.5,
    "keep_activations": False,
}


def test_every_field_of_the_architecture_reaches_the_levels():
    default = GlowArchitecture()
    assert set(OTHERS) == {field.name for field in dataclasses.fields(default)}
    assert all(getattr(default, name) != value for name, value in OTHERS.items())
    arguments = {name: value for name, value in OTHERS.items() if name not in ("num_steps", "num_parameters")}
    model = ConditionalGlow(8, parameters=["Omega_m"], num_levels=2, num_steps_per_level=2, **arguments)
    assert [level.architecture for level in model.levels] == [GlowArchitecture(**OTHERS)] * 2


@pytest.mark.parametrize("through", ["from_config", "Keras"])
def test_a_level_alone_can_be_made_from_its_configuration(through):
    level = GlowLevel(GlowArchitecture(**OTHERS), 8, is_last=True, seed=3, dtype="float64")
    if through == "Keras":
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(level))
    else:
        again = GlowLevel.from_config(json.loads(json.dumps(level.get_config())))
    assert again.get_config() == level.get_config()
    assert (again.architecture, again.is_last, again.dtype) == (level.architecture, True, "float64")
    level.build(None)
    again.build(None)
    for weight, other in zip(level.weights, again.weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), other.numpy())


def test_a_level_needs_no_more_than_its_channels(rng):
    level = GlowLevel(GlowArchitecture(), channels=4)
    x, condition = tf.constant(rng.standard_normal((2, 4, 4, 1)), tf.float32), tf.zeros([2, 2])
    z = level.bijector.inverse(x, conditional_input=condition)
    assert z.shape == (2, 2, 2, 4)
    # A float32 round trip through eight rotations.
    np.testing.assert_allclose(level.bijector.forward(tf.identity(z), conditional_input=condition), x, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"injector": "full"}, "an injector of .* Received: 'full'"),
        ({"padding": "mirror"}, "a padding of .* Received: 'mirror'"),
        ({"num_steps": 0}, "num_steps of at least 1. Received: 0"),
        ({"width": -1}, "width of at least 1. Received: -1"),
        ({"max_log_scale": float("nan")}, "positive max_log_scale. Received: nan"),
    ],
)
def test_a_wrong_architecture_is_one_sentence(arguments, message):
    with pytest.raises(InputError, match=message):
        GlowArchitecture(**arguments)


@pytest.mark.slow
def test_what_is_kept_changes_no_gradient(rng):
    """Under XLA, in chunks of few maps: the gradients of a level with and without kept activations."""
    y = tf.constant(rng.standard_normal((8, 16, 16, 2)), tf.float32)
    condition = tf.constant(rng.uniform(-1.0, 1.0, (8, 2)), tf.float32)

    def gradients(keep_activations):
        level = GlowLevel(GlowArchitecture(3, width=5, use_map_mean=True, keep_activations=keep_activations), 8, seed=1)
        level.build(None)
        for index, variable in enumerate(level.trainable_variables):
            variable.assign_add(0.1 * np.random.default_rng(index).standard_normal(variable.shape))

        @tf.function(jit_compile=True, autograph=False)
        def of_loss():
            with tf.GradientTape() as tape:
                z = level.bijector.inverse(y, conditional_input=condition)
                log_det = level.bijector.inverse_log_det_jacobian(y, event_ndims=3, conditional_input=condition)
                loss = tf.reduce_sum(z**2) - tf.reduce_sum(log_det)
            return tape.gradient(loss, [variable.value for variable in level.trainable_variables])

        return of_loss()

    for gradient, other in zip(gradients(True), gradients(False), strict=True):
        assert np.max(np.abs(other)) > 0.0
        np.testing.assert_allclose(gradient, other, rtol=0.0, atol=SAME_IN_FLOAT32 * np.max(np.abs(other)))
