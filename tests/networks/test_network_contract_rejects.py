"""The contract itself: every check rejects a layer that is broken in its way."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
from network_cases import CASES
from network_contract import CHECKS
from requirements import ContractError

from higlow_tf.networks import StackedInjectorNetwork

SOUND = CASES["StackedInjectorNetwork"]


class Changed(StackedInjectorNetwork):
    """Hands the shift on to `change`."""

    def call(self, conditional_input):
        output = super().call(conditional_input)
        return {**output, "shift": self.change(output["shift"])}


class Single(Changed):
    def change(self, shift):
        return tf.cast(shift, tf.float32)


class LeaksAcrossTheBatch(Changed):
    def change(self, shift):
        return shift + tf.reduce_mean(shift, axis=-1, keepdims=True)


class StaticBatchSize(Changed):
    def change(self, shift):
        return shift * (shift.shape[-1] or 1)


class LateVariable(Changed):
    late = None

    def change(self, shift):
        if self.late is None:
            LateVariable.late = tf.Variable(1.0)
        return shift


class PythonInside(Changed):
    def change(self, shift):
        return tf.ensure_shape(tf.numpy_function(lambda value: value, [shift], shift.dtype), shift.shape)


class OtherUnderXLA(Changed):
    def change(self, shift):
        return shift if tf.executing_eagerly() else 1.001 * shift


class NoGradient(Changed):
    def change(self, shift):
        return tf.stop_gradient(shift)

    def call(self, conditional_input):
        return {name: tf.stop_gradient(output) for name, output in super().call(conditional_input).items()}


class IgnoresTheCondition(StackedInjectorNetwork):
    def call(self, conditional_input):
        return super().call(tf.zeros_like(conditional_input))


class UnusedWeight(StackedInjectorNetwork):
    def build(self, input_shape=None):
        super().build(input_shape)
        self.unused = self.add_weight(name="unused", shape=())


class StartsInACall(StackedInjectorNetwork):
    def call(self, conditional_input):
        self.b2.assign_add(tf.ones_like(self.b2))
        return super().call(conditional_input)


class StateThatIsNotSaved(StackedInjectorNetwork):
    num_built = 0

    def build(self, input_shape=None):
        super().build(input_shape)
        StateThatIsNotSaved.num_built += 1
        self.factor = float(self.num_built)

    def call(self, conditional_input):
        return {name: self.factor * output for name, output in super().call(conditional_input).items()}


class DropsAnArgument(StackedInjectorNetwork):
    def get_config(self):
        return {name: value for name, value in super().get_config().items() if name != "max_log_scale"}


@keras.saving.register_keras_serializable(package="tests")
class ForgetsItsSeed(StackedInjectorNetwork):
    def build(self, input_shape=None):
        super().build(input_shape)
        self.w1.assign(np.random.default_rng().standard_normal(self.w1.shape))


# What is broken: (the check that must see it, the layer, a part of what the check says)
BROKEN = {
    "a weight too many": ("number of weights", UnusedWeight, "expected 82. Received: 83"),
    "drops an argument": ("configuration", DropsAnArgument, "max_log_scale in the configuration: expected 0.6"),
    "forgets its seed": ("configuration", ForgetsItsSeed, "start of"),
    "state that is not saved": ("saving", StateThatIsNotSaved, "output with loaded weights"),
    "float32 inside": ("dtypes", Single, "dtypes of a float64 layer: .'float32', 'float64'"),
    "static batch size": ("graph", StaticBatchSize, "output of a graph"),
    "variable in a call": ("graph", LateVariable, "Received: 2 traces"),
    "another answer under XLA": ("jit", OtherUnderXLA, "output under XLA"),
    "no gradient": ("gradients", NoGradient, "None"),
    "a weight that is not used": ("gradients", UnusedWeight, "unused"),
    "leaks across the batch": ("neighbours", LeaksAcrossTheBatch, "an example beside others"),
    "ignores the condition": ("inputs", IgnoresTheCondition, "expected input 0 to change"),
    "starts in a call": ("variables unchanged", StartsInACall, "b2 after a call"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_rejects(name):
    check, kind, message = BROKEN[name]
    with pytest.raises(ContractError, match=message):
        CHECKS[check](replace(SOUND, kind=kind))


def test_rejects_what_xla_cannot_compile():
    with pytest.raises(tf.errors.InvalidArgumentError, match="PyFunc"):
        CHECKS["jit"](replace(SOUND, kind=PythonInside))


def test_every_check_rejects_something():
    assert {check for check, _, _ in BROKEN.values()} == set(CHECKS)
