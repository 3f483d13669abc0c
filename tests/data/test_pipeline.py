import os

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from higlow_tf.data.pipeline import EpochCounter, augment_maps, to_tf, to_tf_evaluation
from higlow_tf.errors import InputError

# Keras averages float32 losses of batches, here numbers near 1 with 24 digits.
FLOAT32_MEAN = 1e-5


def symmetries(one_map):
    rotated = [np.rot90(one_map, k) for k in range(4)]
    return rotated + [np.swapaxes(r, 0, 1) for r in rotated]


def outcomes(one_map):
    """All 8 H**2 results that NumPy makes from one map: pixels as bytes -> (symmetry, shift, shift)."""
    size = len(one_map)
    return {
        np.roll(turned, (i, j), axis=(0, 1)).tobytes(): (k, i, j)
        for k, turned in enumerate(symmetries(one_map))
        for i in range(size)
        for j in range(size)
    }


def seeds_of(num_maps, first=0):
    return np.stack([np.full(num_maps, first), np.arange(num_maps)], axis=1)


@pytest.mark.parametrize("channels", [None, 2])
def test_augmentation_is_what_numpy_does_and_reaches_everything(channels):
    size, num_maps = 4, 1500
    one_map = np.arange(size * size * (channels or 1), dtype=np.float32).reshape(
        size, size, *([channels] * bool(channels))
    )
    augmented = augment_maps(np.stack([one_map] * num_maps), seeds_of(num_maps)).numpy()
    possible = outcomes(one_map)
    found = np.array([possible[result.tobytes()] for result in augmented])
    counts = np.zeros((8, size, size), int)
    np.add.at(counts, tuple(found.T), 1)
    # 128 outcomes, 11.7 expected in each: a right sampler leaves one out with probability 1e-3; the seed is fixed.
    assert counts.min() > 0
    # Chi-squared with 127 degrees of freedom: mean 127, standard deviation 16; five of them.
    assert abs(np.sum((counts - num_maps / 128) ** 2) / (num_maps / 128) - 127) < 80


@settings(deadline=None, max_examples=15)
@given(size=st.integers(1, 7), num_maps=st.integers(1, 4), seed=st.integers(-(2**63), 2**63 - 1))
def test_augmentation_keeps_the_pixels_and_depends_on_the_own_seed_only(size, num_maps, seed):
    maps = np.random.default_rng(0).random((num_maps, size, size)).astype(np.float32)
    seeds = np.array([[seed, i] for i in range(num_maps)])
    augmented = augment_maps(maps, seeds).numpy()
    np.testing.assert_array_equal(np.sort(augmented.reshape(num_maps, -1)), np.sort(maps.reshape(num_maps, -1)))
    np.testing.assert_array_equal(augment_maps(maps[-1:], seeds[-1:]).numpy(), augmented[-1:])


def test_both_numbers_of_a_seed_count():
    maps = np.stack([np.arange(64.0).reshape(8, 8)] * 20)
    by_example = augment_maps(maps, seeds_of(20)).numpy()
    by_epoch = augment_maps(maps, seeds_of(20)[:, ::-1]).numpy()
    # 512 outcomes and 190 pairs: a few coincidences are normal, one outcome for all is not.
    assert len(np.unique(by_example, axis=0)) > 15
    assert len(np.unique(by_epoch, axis=0)) > 15
    assert not np.array_equal(by_example, by_epoch)


def test_augmentation_refuses_rectangles():
    with pytest.raises(InputError, match=r"square.*Received: shape \(1, 4, 3\)"):
        augment_maps(np.ones((1, 4, 3)), [[0, 0]])


def epochs_of(batches, num_epochs):
    return [[(theta.numpy(), maps.numpy()) for theta, maps in batches] for _ in range(num_epochs)]


def assert_equal_epochs(first, second):
    for (theta, maps), (other_theta, other_maps) in zip(first, second, strict=True):
        np.testing.assert_array_equal(theta, other_theta)
        np.testing.assert_array_equal(maps, other_maps)


@pytest.mark.parametrize("channels", [None, 2])
def test_batches_are_static_and_pair_maps_with_their_parameters(make_dataset, channels):
    data = make_dataset(channels=channels)
    batches = data.to_tf(8, augment=False)
    theta_spec, maps_spec = batches.element_spec
    assert theta_spec == tf.TensorSpec((8, 2), tf.float32)
    assert maps_spec == tf.TensorSpec((8, *data.maps.shape[1:]), tf.float32)
    assert int(batches.cardinality()) == 4
    lookup = {one_map.tobytes(): theta for one_map, theta in zip(data.maps, data.theta, strict=True)}
    seen = [(m.tobytes(), t) for theta, maps in epochs_of(batches, 1)[0] for m, t in zip(maps, theta, strict=True)]
    assert len({content for content, _ in seen}) == 32
    for content, theta in seen:
        np.testing.assert_array_equal(theta, lookup[content].astype(np.float32))


def test_without_shuffle_and_augmentation_the_file_comes_out(make_dataset):
    data = make_dataset()
    epoch = epochs_of(to_tf(data, 8, shuffle=False, augment=False, drop_remainder=False, dtype="float64"), 1)[0]
    np.testing.assert_array_equal(np.concatenate([maps for _, maps in epoch]), data.maps)
    np.testing.assert_array_equal(np.concatenate([theta for theta, _ in epoch]), data.theta)
    assert len(epoch[-1][0]) == 4


@settings(deadline=None, max_examples=3)
@given(seed=st.integers(0, 2**40), resume_at=st.integers(0, 3))
def test_a_resumed_run_sees_what_an_uninterrupted_one_sees(make_dataset, seed, resume_at):
    data = make_dataset()
    full = epochs_of(to_tf(data, 8, seed=seed), 4)  # fifteen of these pipelines would take half a minute
    resumed = epochs_of(to_tf(data, 8, seed=seed, initial_epoch=resume_at), 4 - resume_at)
    for first, second in zip(full[resume_at:], resumed, strict=True):
        assert_equal_epochs(first, second)


def test_epochs_and_seeds_differ_in_order_and_augmentation(make_dataset):
    data = make_dataset()
    for options in ({"shuffle": False}, {"augment": False}):
        first, second = epochs_of(to_tf(data, 12, **options), 2)
        (other,) = epochs_of(to_tf(data, 12, seed=1, **options), 1)
        assert not np.array_equal(first[0][1], second[0][1])
        assert not np.array_equal(first[0][1], other[0][1])


def test_an_iteration_that_is_not_finished_is_not_an_epoch(make_dataset):
    data = make_dataset(20, 4)
    batches = to_tf(data, 4)
    for _ in range(3):
        next(iter(batches))
    assert batches.epoch_counter.next_epoch == 0
    assert_equal_epochs(epochs_of(batches, 1)[0], epochs_of(to_tf(data, 4), 1)[0])
    assert batches.epoch_counter.next_epoch == 1


def test_repeat_counts_epochs(make_dataset):
    data = make_dataset()
    repeated = [(t.numpy(), m.numpy()) for t, m in to_tf(data, 12).repeat(2)]
    assert_equal_epochs(repeated, [batch for epoch in epochs_of(to_tf(data, 12), 2) for batch in epoch])


def test_a_set_epoch_stays_until_the_next_is_set(make_dataset):
    data = make_dataset()
    batches = to_tf(data, 12)
    batches.epoch_counter.set(2)
    first, second = epochs_of(batches, 2)
    assert_equal_epochs(first, second)
    assert_equal_epochs(first, epochs_of(to_tf(data, 12, initial_epoch=2), 1)[0])


def fit_losses(data, batch_size, *, strategy=None, name_epochs=False, initial_epoch=0, epochs=3):
    """Losses of `fit` with a loss that depends on nothing but which maps came, and how they were turned."""
    ramp = tf.reshape(tf.linspace(0.0, 1.0, data.map_size**2), [data.map_size] * 2)

    def loss(maps, output):
        return tf.reduce_mean(tf.math.log(maps) * ramp, axis=[1, 2]) + 0.0 * tf.reduce_mean(output, axis=-1)

    with (strategy or tf.distribute.get_strategy()).scope():
        model = keras.Sequential([keras.layers.Dense(1)])
        model.compile(optimizer=keras.optimizers.SGD(0.0), loss=loss)
    batches = to_tf(data, batch_size, initial_epoch=initial_epoch)
    callbacks = []
    if name_epochs:
        callbacks = [
            keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: batches.epoch_counter.set(epoch))
        ]
    history = model.fit(
        batches, epochs=epochs, initial_epoch=initial_epoch, callbacks=callbacks, shuffle=False, verbose=0
    )
    expected = [
        np.mean([np.mean(np.log(maps) * ramp.numpy()) for _, maps in epoch])
        for epoch in epochs_of(to_tf(data, batch_size, initial_epoch=initial_epoch), epochs - initial_epoch)
    ]
    # Otherwise the test could not tell one epoch from another.
    assert np.ptp(expected) > 10 * FLOAT32_MEAN * np.max(expected)
    return history.history["loss"], expected


@pytest.mark.parametrize(("batch_size", "initial_epoch"), [(36, 0), (12, 1)])
def test_fit_sees_each_epoch_once(make_dataset, batch_size, initial_epoch):
    losses, expected = fit_losses(make_dataset(), batch_size, initial_epoch=initial_epoch)
    np.testing.assert_allclose(losses, expected, rtol=FLOAT32_MEAN)


@pytest.mark.parametrize(("num_simulations", "name_epochs"), [(32, False), (4, True)])
def test_fit_sees_each_epoch_once_under_a_strategy(make_dataset, two_replicas, num_simulations, name_epochs):
    data = make_dataset(num_simulations, 2)
    losses, expected = fit_losses(data, 4, strategy=two_replicas, name_epochs=name_epochs)
    np.testing.assert_allclose(losses, expected, rtol=FLOAT32_MEAN)


def test_evaluation_covers_every_map_once_with_static_shapes(make_dataset):
    data = make_dataset()
    batches = data.to_tf_evaluation(8)
    assert [spec.shape.as_list() for spec in batches.element_spec] == [[8, 2], [8, 6, 6], [8]]
    theta, maps, weight = (np.concatenate(parts) for parts in zip(*batches.as_numpy_iterator(), strict=True))
    np.testing.assert_array_equal(weight, [1.0] * 36 + [0.0] * 4)
    np.testing.assert_array_equal(maps[:36], data.maps)
    np.testing.assert_array_equal(theta[:36], data.theta.astype(np.float32))
    np.testing.assert_array_equal(maps[36:], data.maps[[35] * 4])
    assert int(to_tf_evaluation(data, 100).cardinality()) == 1


def test_memory_mapped_maps_are_read(make_dataset, tmp_path):
    data = make_dataset()
    np.save(tmp_path / "maps.npy", data.maps)
    mapped = type(data).from_arrays(np.load(tmp_path / "maps.npy", mmap_mode="r"), data.theta)
    assert_equal_epochs(epochs_of(to_tf(mapped, 12), 1)[0], epochs_of(to_tf(data, 12), 1)[0])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch_size": 37}, "not exceed the 36 maps. Received: 37"),
        ({"batch_size": 0}, "batch_size must be an integer from 1"),
        ({"batch_size": 2.0}, "batch_size must be an integer"),
        ({"seed": -1}, "seed must be"),
        ({"initial_epoch": True}, "initial_epoch must be"),
        ({"dtype": "float16"}, "dtype must be one of.*'float16'"),
    ],
)
def test_wrong_options_are_refused(make_dataset, options, words):
    with pytest.raises(InputError, match=words):
        make_dataset().to_tf(**{"batch_size": 4, **options})


def test_counter_only_moves_forward():
    counter = EpochCounter(3)
    counter.finish(1)
    assert counter.next_epoch == 3
    counter.finish(3)
    assert counter.next_epoch == 4
