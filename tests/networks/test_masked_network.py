"""The masked network: who depends on whom, and the same numbers in one pass and pixel by pixel."""

import numpy as np
import pytest
import tensorflow as tf

from higlow_tf.networks import MaskedAutoregressiveNetwork

D, N = 9, 2
ORDER = np.random.default_rng(3).permutation(D)
# The same float64 sums, over at most 12 hidden units, in another order.
SAME_ARITHMETIC = 1e-13


def make_network(width=12, *, is_random=True):
    network = MaskedAutoregressiveNetwork(D, width, 2, order=ORDER, max_log_scale=0.7, seed=1, dtype="float64")
    network.build(None)
    if is_random:
        rng = np.random.default_rng(4)
        for variable in network.trainable_variables:
            variable.assign_add(rng.standard_normal(variable.shape))
    return network


def make_inputs(num_maps=N):
    rng = np.random.default_rng(5)
    return tf.constant(rng.standard_normal((D, num_maps))), tf.constant(rng.uniform(-1.0, 1.0, (num_maps, 2)))


@pytest.mark.parametrize("width", [12, 3])
def test_a_pixel_depends_on_those_before_it_and_on_no_other(width):
    network = make_network(width)
    # Many maps: where no unit is active by chance, a derivative vanishes.
    y, condition = make_inputs(64)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(y)
        by_pixel = [tf.unstack(output) for output in network(y, condition)]
    for outputs in by_pixel:
        derivatives = [tape.gradient(output, y, unconnected_gradients="zero") for output in outputs]
        is_used = np.any(np.asarray(derivatives) != 0.0, axis=2)[np.ix_(ORDER, ORDER)]
        is_before = np.tri(D, k=-1, dtype=bool)
        if width >= D - 1:
            np.testing.assert_array_equal(is_used, is_before)
        else:
            # Three units see the first 1, 3 and 6 of 9 pixels; the last three are read by none.
            assert not is_used[~is_before].any()
            assert [row.sum() for row in is_used] == [0, 1, 1, 3, 3, 3, 6, 6, 6]


def test_drawing_reads_the_same_network(monkeypatch):
    network = make_network()
    y, condition = make_inputs()
    shift, log_scale = network(y, condition)
    order, state, read, update = network.pixel_by_pixel(condition)
    np.testing.assert_array_equal(order, ORDER)
    for pixel in ORDER:
        found = read(state, pixel)
        np.testing.assert_allclose(found[0], shift[pixel], rtol=0.0, atol=SAME_ARITHMETIC)
        np.testing.assert_allclose(found[1], log_scale[pixel], rtol=0.0, atol=SAME_ARITHMETIC)
        state = update(state, pixel, y[pixel])


def test_every_pixel_knows_the_condition_and_scales_are_bounded():
    network = make_network()
    y, condition = make_inputs()
    for output, other in zip(network(y, condition), network(y, -condition), strict=True):
        assert np.all(output.numpy() != other.numpy())
    log_scale = network(100.0 * y, condition)[1].numpy()
    assert 0.69 < np.abs(log_scale).max() <= 0.7


def test_a_fresh_network_is_the_identity_with_hidden_units_of_like_size():
    network = make_network(is_random=False)
    y, condition = make_inputs()
    assert all(np.all(output.numpy() == 0.0) for output in network(y, condition))
    sums = np.sum(np.asarray(network._prepare(condition)[0]) ** 2, axis=0)
    # Sums of 1-8 squares of variance 2 / number: on average 2.
    assert 1.0 < sums.mean() < 3.0
