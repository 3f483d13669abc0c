"""The public door of the contract: silent for a sound bijector, one sentence for each that is broken."""

import numpy as np
import pytest
import tensorflow as tf

from higlow_tf.bijectors import ContractError, OnePassBijector, check_bijector


class Filter(OnePassBijector):
    """Multiplies each pixel by a number of its own that depends on the condition."""

    error, sign = 1.0, 1.0

    def __init__(self, log_factor_fn, name="filter"):
        parameters = dict(locals())
        super().__init__(is_conditional=True, parameters=parameters, name=name)
        self._log_factor_fn = log_factor_fn

    def forward_and_log_det(self, x, conditional_input=None):
        log_factor = self._log_factor_fn(conditional_input)
        return x * tf.exp(log_factor), self.sign * x.shape[0] * tf.reduce_sum(log_factor, axis=(0, 1, 2))

    def inverse_and_log_det(self, y, conditional_input=None):
        log_factor = self._log_factor_fn(conditional_input)
        return self.error * y * tf.exp(-log_factor), -self.sign * y.shape[0] * tf.reduce_sum(log_factor, axis=(0, 1, 2))


class WrongInverse(Filter):
    error = 1.001


class WrongSign(Filter):
    sign = -1.0


def check(kind, *, is_constant=False):
    def build(dtype):
        weight = tf.Variable(np.random.default_rng(0).normal(size=(2, 4)), dtype=dtype)

        def log_factor(condition):
            condition = tf.ones_like(condition) if is_constant else condition
            return tf.reshape(tf.transpose(condition @ weight), [1, 2, 2, -1])

        return kind(log_factor), [weight]

    check_bijector(build, (2, 2, 3), conditional_shape=(2,), is_jitted=False)


def test_a_sound_bijector_passes():
    check(Filter)


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        (WrongInverse, {}, "round trip"),
        (WrongSign, {}, "log-det against autodiff"),
        (Filter, {"is_constant": True}, "another condition to change"),
    ],
)
def test_a_broken_one_is_one_sentence(kind, changes, words):
    with pytest.raises(ContractError, match=words):
        check(kind, **changes)
