"""XLA compiles a verb only when enough rows were asked for, and what is asked for in one call is computed in one way."""

import numpy as np
import pytest
import tensorflow as tf

from higlow_tf.models.late_compilation import LateCompilation


@pytest.fixture
def late():
    return LateCompilation(lambda x: 2.0 * x, jit_compile=True, rows_before=10)


def counts(late):
    return late.plain.experimental_get_tracing_count(), late.by_xla.experimental_get_tracing_count()


def rows(number):
    return tf.reshape(tf.range(number, dtype=tf.float32), [number, 1])


def test_few_rows_are_not_compiled_and_many_are(late):
    for _ in range(10):
        late(rows(1))
    assert counts(late) == (1, 0)
    late(rows(1))
    assert counts(late) == (1, 1)
    np.testing.assert_array_equal(late(rows(3)), 2.0 * rows(3))
    assert counts(late) == (1, 2)


def test_one_call_of_many_rows_is_compiled_as_a_whole(late):
    np.testing.assert_array_equal(late(rows(11)), 2.0 * rows(11))
    assert counts(late) == (0, 1)


def test_it_can_be_compiled_from_the_start_or_never(late):
    late.compile_from_now_on()
    late(rows(1))
    assert counts(late) == (0, 1)
    never = LateCompilation(lambda x: x, jit_compile=False, rows_before=0)
    np.testing.assert_array_equal(never(rows(2)), rows(2))
