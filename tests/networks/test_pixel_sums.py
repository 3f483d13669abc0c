"""Sums over the pixels of each map, by a product and by TensorFlow's own sum: values and gradients."""

import numpy as np
import pytest
import tensorflow as tf

from higlow_tf import pixel_sums
from higlow_tf.pixel_sums import add_to_pixels, multiply_pixels, sum_over_pixels

FEW, MANY = 3, 9
SAME_ARITHMETIC = 1e-13  # float64, sums of some ten terms in another order


@pytest.fixture(autouse=True)
def _products_of_few_terms(monkeypatch):
    monkeypatch.setattr(pixel_sums, "_FEWEST_TERMS", 1)


def by_tensorflow(function, x, number):
    if function is sum_over_pixels:
        return tf.reduce_sum(x, axis=(1, 2), keepdims=True)
    return x + number if function is add_to_pixels else x * number


@pytest.mark.parametrize("num_maps", [FEW, MANY])
@pytest.mark.parametrize("of_number", [(2, 1, 1), (1, 1, 1), (2, 4, 1)])
@pytest.mark.parametrize("function", [sum_over_pixels, add_to_pixels, multiply_pixels])
def test_values_and_gradients_are_those_of_broadcasting(rng, function, of_number, num_maps):
    x = tf.constant(rng.standard_normal((2, 4, 5, num_maps)))
    number = tf.constant(rng.standard_normal((*of_number, num_maps)))

    def run(result_of):
        with tf.GradientTape() as tape:
            tape.watch([x, number])
            y = result_of(x) if result_of is sum_over_pixels else result_of(x, number)
            loss = tf.reduce_sum(tf.sin(y))
        return [y, *tape.gradient(loss, [x, number], unconnected_gradients="zero")]

    expected = run(lambda x, number: by_tensorflow(function, x, number))
    for value, other in zip(run(function), expected, strict=True):
        np.testing.assert_allclose(value, other, rtol=0.0, atol=SAME_ARITHMETIC * (1.0 + np.max(np.abs(other))))


def test_an_unknown_number_of_maps_is_summed_too(rng):
    summed = tf.function(sum_over_pixels, input_signature=[tf.TensorSpec([2, 4, 5, None], tf.float64)], autograph=False)
    x = rng.standard_normal((2, 4, 5, FEW))
    np.testing.assert_allclose(summed(x), x.sum(axis=(1, 2), keepdims=True), rtol=SAME_ARITHMETIC)
