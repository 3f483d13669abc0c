"""The same batches for one device, for the replicas of a strategy, and for several workers."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from higlow_tf.data.pipeline import EpochCounter, to_tf, to_tf_evaluation
from higlow_tf.errors import InputError

# Keras averages float32 losses of batches, here numbers near 1 with 24 digits.
FLOAT32_MEAN = 1e-5
WORKER_PROGRAM = Path(__file__).with_name("pipeline_worker.py")


def numpy_batches(batches):
    return [tuple(part.numpy() for part in batch) for batch in batches]


def contexts(workers, replicas):
    return [tf.distribute.InputContext(workers, worker, replicas) for worker in range(workers)]


def joined(elements_of_workers, replicas_a_worker):
    """The global batches: the parts of all replicas of all workers, one behind the other."""
    steps = [
        [elements[start : start + replicas_a_worker] for start in range(0, len(elements), replicas_a_worker)]
        for elements in elements_of_workers
    ]
    return [
        tuple(np.concatenate(parts) for parts in zip(*[part for worker in step for part in worker], strict=True))
        for step in zip(*steps, strict=True)
    ]


def assert_equal_batches(first, second):
    for batch, other in zip(first, second, strict=True):
        for part, other_part in zip(batch, other, strict=True):
            np.testing.assert_array_equal(part, other_part)


@settings(deadline=None, max_examples=2)
@given(workers=st.integers(1, 2), replicas_a_worker=st.integers(1, 2), seed=st.integers(0, 2**40))
def test_workers_together_see_the_batches_of_one(make_dataset, workers, replicas_a_worker, seed):
    data = make_dataset(10, 3)
    batch_size = 2 * workers * replicas_a_worker
    sharded = [
        to_tf(data, batch_size, seed=seed, initial_epoch=1, input_context=context)
        for context in contexts(workers, workers * replicas_a_worker)
    ]
    for batches in sharded:
        assert batches.element_spec[1] == tf.TensorSpec((2, 6, 6), tf.float32)
        assert int(batches.cardinality()) == 30 // batch_size
    parts = [numpy_batches(batches) for batches in sharded]
    assert_equal_batches(
        joined(parts, replicas_a_worker), numpy_batches(to_tf(data, batch_size, seed=seed, initial_epoch=1))
    )
    assert [batches.epoch_counter.next_epoch for batches in sharded] == [2] * workers


def test_a_smaller_last_batch_is_shared_too(make_dataset):
    data = make_dataset(10, 3)
    parts = [numpy_batches(to_tf(data, 8, drop_remainder=False, input_context=context)) for context in contexts(2, 4)]
    assert [len(theta) for theta, _ in parts[0]] == [2, 2, 2, 2, 2, 2, 1, 2]
    assert_equal_batches(joined(parts, 2), numpy_batches(to_tf(data, 8, drop_remainder=False)))
    with pytest.raises(InputError, match="Received: a last batch of 2"):
        to_tf(data, 7 * 4, drop_remainder=False, input_context=contexts(2, 4)[0])


def test_workers_evaluate_every_map_once(make_dataset):
    data = make_dataset()
    parts = [numpy_batches(to_tf_evaluation(data, 8, input_context=context)) for context in contexts(2, 4)]
    assert {len(weight) for worker in parts for *_, weight in worker} == {2}
    assert sum(weight.sum() for worker in parts for *_, weight in worker) == data.num_maps
    assert_equal_batches(joined(parts, 2), numpy_batches(to_tf_evaluation(data, 8)))


@pytest.mark.parametrize("by_function", [False, True])
def test_replicas_share_the_batches_of_one_device(make_dataset, two_replicas, by_function):
    data = make_dataset(10, 3)
    if by_function:
        distributed = two_replicas.distribute_datasets_from_function(lambda c: to_tf(data, 4, input_context=c))
    else:
        distributed = two_replicas.experimental_distribute_dataset(to_tf(data, 4))
    local = two_replicas.experimental_local_results
    batches = [tuple(np.concatenate(local(part)) for part in batch) for batch in distributed]
    assert_equal_batches(batches, numpy_batches(to_tf(data, 4)))


def test_fit_with_a_pipeline_for_each_worker_sees_each_epoch_once(make_dataset, two_replicas):
    """The loss depends on nothing but which maps came, and how they were turned."""
    data = make_dataset(10, 3)
    ramp = tf.reshape(tf.linspace(0.0, 1.0, data.map_size**2), [data.map_size] * 2)

    def loss(maps, output):
        return tf.reduce_mean(tf.math.log(maps) * ramp, axis=[1, 2]) + 0.0 * tf.reduce_mean(output, axis=-1)

    counter = EpochCounter(1)
    with two_replicas.scope():
        model = keras.Sequential([keras.layers.Dense(1)])
        model.compile(optimizer=keras.optimizers.SGD(0.0), loss=loss)
    batches = two_replicas.distribute_datasets_from_function(
        lambda context: to_tf(data, 4, input_context=context, epoch_counter=counter)
    )
    name_epoch = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: counter.set(epoch))
    losses = model.fit(batches, initial_epoch=1, epochs=4, shuffle=False, verbose=0, callbacks=[name_epoch]).history[
        "loss"
    ]
    expected = [
        np.mean([np.mean(np.log(maps) * ramp.numpy()) for _, maps in to_tf(data, 4, initial_epoch=epoch)])
        for epoch in (1, 2, 3)
    ]
    # Otherwise the test could not tell one epoch from another.
    assert np.ptp(expected) > 10 * FLOAT32_MEAN * np.max(expected)
    np.testing.assert_allclose(losses, expected, rtol=FLOAT32_MEAN)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["auto_shard", "by_function"])
def test_two_processes_see_the_batches_of_one(make_dataset, tmp_path, way):
    """Two workers with one replica each, under MultiWorkerMirroredStrategy."""
    data = make_dataset(10, 3)
    np.savez(tmp_path / "data.npz", maps=data.maps, theta=data.theta)
    addresses = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("localhost", 0))
            addresses.append(f"localhost:{free.getsockname()[1]}")
    workers = []
    for index in range(2):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        environment = {**os.environ, "TF_CONFIG": json.dumps(task), "PYTHONPATH": os.pathsep.join(sys.path)}
        workers.append(subprocess.Popen([sys.executable, WORKER_PROGRAM, tmp_path, way], env=environment))
    assert [worker.wait(timeout=300) for worker in workers] == [0, 0]
    parts = []
    for index in range(2):
        with np.load(tmp_path / f"worker{index}.npz") as file:
            parts.append([(file[f"theta{i}"], file[f"maps{i}"]) for i in range(len(file.files) // 2)])
    batches, expected = joined(parts, 1), numpy_batches(to_tf(data, 8))
    if way == "auto_shard":
        # TensorFlow deals a batch out to the workers by turns, so that only its content is the same.
        batches, expected = ([np.sort(maps.ravel()) for _, maps in side] for side in (batches, expected))
        np.testing.assert_array_equal(batches, expected)
    else:
        assert_equal_batches(batches, expected)
