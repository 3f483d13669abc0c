"""Two cores take one half of the rows each; losses and gradients are those of the whole batch."""

import numpy as np
import pytest
import tensorflow as tf

from higlow_tf import cores
from higlow_tf.models import ConditionalGlow, compilation
from higlow_tf.models.compilation import compiled

# Float32 sums in another order.
TOLERANCE = 1e-5


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(cores, "num_cores", lambda: 2)
    monkeypatch.setattr(compilation, "num_cores", lambda: 2)


def traced_rows(num_rows, jit_compile=True):
    """A function of rows, compiled and applied to so many; the numbers of rows for which it was traced."""
    seen = []

    def function(x):
        seen.append(x.shape[0])
        return tf.math.sin(x)

    x = tf.constant(np.linspace(0.0, 1.0, 3 * num_rows, dtype="f4").reshape(num_rows, 3))
    np.testing.assert_allclose(compiled(function, jit_compile)(x), np.sin(x), rtol=1e-6)
    return seen


@pytest.mark.parametrize(("num_rows", "traced"), [(8, [4]), (4, [2]), (2, [2]), (7, [7])])
def test_an_even_number_of_rows_is_halved(num_rows, traced):
    assert traced_rows(num_rows) == traced


@pytest.mark.parametrize("count", [1, 4])
def test_one_core_and_many_take_the_rows_at_once(count, monkeypatch):
    monkeypatch.setattr(cores, "num_cores", lambda: count)
    monkeypatch.setattr(compilation, "num_cores", lambda: count)
    assert traced_rows(8) == [8]


def test_replicas_other_programs_and_plain_graphs_take_the_rows_at_once(two_replicas):
    assert traced_rows(8, jit_compile=False) == [8]
    with cores.whole_batches():
        assert traced_rows(8) == [8]
    with two_replicas.scope():
        assert traced_rows(8) == [8]


def test_halves_of_a_batch_give_its_losses_and_gradients(dataset):
    model = ConditionalGlow.from_preset("tiny", map_size=8, width=4, num_levels=1, use_map_mean=False)
    model.initialize(dataset)
    theta, maps = tf.constant(dataset.theta[:8], tf.float32), tf.constant(dataset.maps[:8, ..., None])
    # As at the end of an epoch, where the last batch is filled up: the halves have unequal weights, of which one is zero.
    share = tf.constant([0.1, 0.3, 0.2, 0.4, 0.0, 0.0, 0.0, 0.0])
    losses, gradients = model._compiled_gradients(theta[:, None], maps, share)
    with cores.whole_batches():
        model._make_compiled(jit_compile=True)
        expected_losses, expected = model._compiled_gradients(theta[:, None], maps, share)
    for values, reference in zip(losses, expected_losses, strict=True):
        np.testing.assert_allclose(values, reference, rtol=TOLERANCE, atol=TOLERANCE)
    for gradient, reference in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, reference, rtol=0.0, atol=TOLERANCE * np.max(np.abs(reference)) + 1e-9)
    assert max(np.max(np.abs(gradient)) for gradient in gradients) > 0.0
