"""XLA compiles where there are rows enough, of a call or of a job, and the same call always gives the same bits."""

import numpy as np
import pytest
import tensorflow as tf

from higlow_tf.expected_rows import expect_rows, expected_rows
from higlow_tf.models import ConditionalGlow
from higlow_tf.models.late_compilation import LateCompilation

MOST_ROWS = 5


@pytest.fixture
def late():
    return LateCompilation(lambda x, y: tf.math.sin(x) * y, True, MOST_ROWS)


def rows(count):
    x = np.linspace(0.0, 1.0, 3 * count, dtype="f4").reshape(count, 3)
    return tf.constant(x), tf.constant(x + 1.0)


def num_compiled(late):
    return late.by_xla.experimental_get_tracing_count()


@pytest.mark.parametrize("count", [1, MOST_ROWS, MOST_ROWS + 1, 130])
def test_every_row_is_computed(late, count):
    x, y = rows(count)
    np.testing.assert_allclose(late(x, y), np.sin(x) * y, rtol=1e-6)
    assert bool(num_compiled(late)) == (count > MOST_ROWS)


def test_a_call_of_few_rows_is_compiled_if_its_job_has_many(late):
    with expect_rows(MOST_ROWS + 1):
        with expect_rows(1):
            assert expected_rows() == MOST_ROWS + 1
        late(*rows(1))
    assert expected_rows() == 0
    assert num_compiled(late) == 1


def test_what_came_before_does_not_matter(late):
    for _ in range(2 * MOST_ROWS):
        late(*rows(1))
    assert num_compiled(late) == 0
    before = late(*rows(2)).numpy()
    late(*rows(MOST_ROWS + 1))
    np.testing.assert_array_equal(late(*rows(2)), before)


def test_graphs_of_any_number_of_rows_are_one(late):
    for count in (1, 2, 5):
        late(*rows(count))
    assert late.plain.experimental_get_tracing_count() == 1


def test_inside_a_graph_the_caller_decides(late):
    inside = tf.function(late, autograph=False)
    x, y = rows(MOST_ROWS + 1)
    np.testing.assert_allclose(inside(x, y), np.sin(x) * y, rtol=1e-6)
    assert num_compiled(late) == 0


def test_larger_models_are_compiled_for_fewer_rows():
    small, large = (ConditionalGlow(16, num_levels=2, width=width)._most_rows_of_graph for width in (8, 32))
    assert small > large > 0
