"""The contract itself: every check rejects a bijector that is broken in its way."""

from dataclasses import replace

import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from cases import CASES, Built, CountedCalls
from requirements import ContractError

from higlow_tf.bijectors import ActNorm, AffineInjector, ConditionalAffineCoupling, Squeeze
from higlow_tf.bijectors.contract import CHECKS


class WrongInverse(ActNorm):
    def inverse_and_log_det(self, y, conditional_input=None):
        x, ildj = super().inverse_and_log_det(y)
        return 1.001 * x, ildj


class NoFactorOfPixels(ActNorm):
    def _constants(self, x):
        shift, log_scale, fldj = super()._constants(x)
        return shift, log_scale, fldj / (x.shape[1] * x.shape[2])


class WrongSign(ActNorm):
    def _constants(self, x):
        shift, log_scale, fldj = super()._constants(x)
        return shift, log_scale, -fldj


class IgnoresCondition(AffineInjector):
    def forward_and_log_det(self, x, conditional_input=None):
        return super().forward_and_log_det(x, tf.zeros_like(conditional_input))

    def inverse_and_log_det(self, y, conditional_input=None):
        return super().inverse_and_log_det(y, tf.zeros_like(conditional_input))


class DoesWithoutCondition(AffineInjector):
    is_conditional = False

    def forward_and_log_det(self, x, conditional_input=None):
        return super().forward_and_log_det(x, tf.zeros([3, 2], x.dtype))


class LeaksAcrossTheBatch(ActNorm):
    def forward_and_log_det(self, x, conditional_input=None):
        y, fldj = super().forward_and_log_det(x)
        return y + 0.1 * tf.reduce_mean(x, axis=-1, keepdims=True), fldj


class EvaluatesTwice(ConditionalAffineCoupling):
    _cache = tfp.bijectors.Bijector._cache  # without the greedy attributes, the log-det is a pass of its own


class ScalarLogDet(ActNorm):
    def _view(self, direction, x, conditional_input, event_ndims):
        value, log_det = super()._view(direction, x, conditional_input, event_ndims)
        return value, tf.reduce_mean(log_det)


class SingleLogDet(ActNorm):
    def _constants(self, x):
        shift, log_scale, fldj = super()._constants(x)
        return shift, log_scale, tf.cast(fldj, tf.float32)


class StaticBatchSize(ActNorm):
    def _constants(self, x):
        shift, log_scale, fldj = super()._constants(x)
        return shift, log_scale, fldj * (x.shape[-1] or 1)


class LateVariable(ActNorm):
    late = None

    def _constants(self, x):
        if self.late is None:
            LateVariable.late = tf.Variable(1.0)
        return super()._constants(x)


class PythonInside(ActNorm):
    def forward_and_log_det(self, x, conditional_input=None):
        y, fldj = super().forward_and_log_det(x)
        return tf.ensure_shape(tf.numpy_function(lambda y: y, [y], y.dtype), x.shape), fldj


class NoEventShapeTensor(Squeeze):
    _forward_event_shape_tensor = tfp.bijectors.Bijector._forward_event_shape_tensor


class ForgetsAnArgument(ActNorm):
    def __init__(self, shift_and_log_scale_fn, factor=1.0, name="forgets_an_argument"):
        super().__init__(shift_and_log_scale_fn, name=name)
        self._factor = factor

    def forward_and_log_det(self, x, conditional_input=None):
        return super().forward_and_log_det(self._factor * x)


class Negates(Squeeze):
    def forward_and_log_det(self, x, conditional_input=None):
        y, fldj = super().forward_and_log_det(x)
        return -y, fldj


def broken(name, make):
    """The case `name` with another bijector, `make(function of the sound one)`."""

    def build(dtype):
        sound = CASES[name].build(dtype)
        network = None if sound.network is None else CountedCalls(sound.network.function)
        return Built(make(network), sound.weights, sound.frozen, network)

    return replace(CASES[name], build=build)


def _without_gradient(constants):
    return ActNorm(lambda: tuple(tf.stop_gradient(tensor) for tensor in constants()))


def _starts_in_a_call(dtype):
    shift = tf.Variable(tf.zeros([4], dtype))
    return Built(ActNorm(lambda: (shift.assign_add(tf.ones_like(shift)), tf.ones([4], dtype))), [shift])


COUPLING, INJECTOR = "ConditionalAffineCoupling, zero", "AffineInjector, scalar"

# What is broken: (the check that must see it, the case, a part of what it says)
BROKEN = {
    "wrong inverse": ("round trips", broken("ActNorm", WrongInverse), "round trip, forward first, float64"),
    "no factor H W": ("log-dets", broken("ActNorm", NoFactorOfPixels), "forward log-det against autodiff"),
    "wrong sign": ("log-dets", broken("ActNorm", WrongSign), "forward log-det against autodiff"),
    "ignores its condition": ("condition", broken(INJECTOR, IgnoresCondition), "another condition to change the value"),
    "does without condition": ("condition", broken(INJECTOR, DoesWithoutCondition), "expected a TypeError of forward"),
    "leaks across the batch": ("neighbours", broken("ActNorm", LeaksAcrossTheBatch), "forward beside other neighbours"),
    "evaluates twice": ("one evaluation", broken(COUPLING, EvaluatesTwice), "forward and its log-det: 2"),
    "scalar log-det": ("batch shapes", broken("ActNorm", ScalarLogDet), r"log-det: expected shape \(3,\)"),
    "float32 log-det": ("dtypes", broken("ActNorm", SingleLogDet), "expected float64"),
    "static batch size": ("graph", broken("ActNorm", StaticBatchSize), "unknown batch size"),
    "variable in a call": ("graph", broken("ActNorm", LateVariable), "Received: 2 traces"),
    "no event_shape_tensor": ("distribution", broken("Squeeze", lambda _: NoEventShapeTensor()), "shape_tensor"),
    "forgets an argument": ("copy", broken("ActNorm", lambda f: ForgetsAnArgument(f, 2.0)), "forward of a copy"),
    "no gradient": ("gradients", broken("ActNorm", _without_gradient), "None"),
    "negates": ("permutation", broken("Squeeze", lambda _: Negates()), "expected forward to permute"),
    "starts in a call": (
        "variables unchanged",
        replace(CASES["ActNorm"], build=_starts_in_a_call),
        "a call changed the variable",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_rejects(name):
    check, case, message = BROKEN[name]
    with pytest.raises(ContractError, match=message):
        CHECKS[check](case)


def test_rejects_what_xla_cannot_compile():
    with pytest.raises(tf.errors.InvalidArgumentError, match="PyFunc"):
        CHECKS["jit"](broken("ActNorm", PythonInside))


def test_every_check_rejects_something():
    assert {check for check, _, _ in BROKEN.values()} | {"jit"} == set(CHECKS)
