"""One optimizer step: replicas, clipping, what is not finite, and Keras's own workflow."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from higlow_tf.models import ConditionalGlow

# Float32 sums in another order, through five steps.
REPLICA_TOLERANCE = 1e-5
SMALL = {"map_size": 8, "width": 4}


def trained_weights(dataset, strategy, *, num_steps=5, clip_norm=0.05):
    """Weights after SGD steps on the same global batches; clipping is on and active."""
    with strategy.scope():
        model = ConditionalGlow.from_preset("tiny", **SMALL)
        model.initialize(dataset)
        model.compile(keras.optimizers.SGD(0.5), clip_norm=clip_norm, jit_compile=False)
    start = [np.array(variable) for variable in model.trainable_variables]
    batches = dataset.to_tf(32, seed=3, augment=False, shuffle=False).take(1).repeat(num_steps)
    model.fit(batches.apply(tf.data.experimental.assert_cardinality(num_steps)), verbose=0, shuffle=False)
    return start, [np.array(variable) for variable in model.trainable_variables]


def test_two_replicas_with_clipping_give_the_weights_of_one(dataset, two_replicas):
    single = tf.distribute.get_strategy()
    start, by_single = trained_weights(dataset, single)
    same_start, by_two = trained_weights(dataset, two_replicas)
    assert all(np.array_equal(a, b) for a, b in zip(start, same_start, strict=True))
    moved = max(np.abs(a - b).max() for a, b in zip(by_single, start, strict=True))
    assert moved > 100 * REPLICA_TOLERANCE
    assert max(np.abs(a - b).max() for a, b in zip(by_single, by_two, strict=True)) < REPLICA_TOLERANCE
    unclipped = trained_weights(dataset, single, clip_norm=None)[1]
    assert max(np.abs(a - b).max() for a, b in zip(by_single, unclipped, strict=True)) > 100 * REPLICA_TOLERANCE


@pytest.mark.parametrize("devices", ["no strategy", "one mirrored", "two mirrored"])
def test_a_step_that_is_not_finite_is_left_out_and_counted(dataset, two_replicas, devices):
    strategy = {"no strategy": tf.distribute.get_strategy(), "two mirrored": two_replicas}.get(devices)
    # One device has no collectives, which a second strategy would number from the start again.
    strategy = strategy or tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        model = ConditionalGlow.from_preset("tiny", **SMALL)
        model.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    maps = np.array(dataset.maps[:8])
    maps[1, 0, 0] = np.nan
    broken = tf.data.Dataset.from_tensors((dataset.theta[:8].astype("f4"), maps)).unbatch().batch(8)
    before = [np.array(variable) for variable in model.trainable_variables]
    history = model.fit(broken, epochs=2, verbose=0, shuffle=False).history
    assert history["skipped_steps"] == [1.0, 1.0]
    assert np.isfinite(history["loss"]).all()
    assert all(np.array_equal(a, np.array(b)) for a, b in zip(before, model.trainable_variables, strict=True))
    assert int(model.optimizer.iterations.numpy()) == 0
    good = tf.data.Dataset.from_tensors((dataset.theta[:8].astype("f4"), dataset.maps[:8])).unbatch().batch(8)
    assert model.fit(good, verbose=0, shuffle=False).history["skipped_steps"] == [0.0]
    assert int(model.optimizer.iterations.numpy()) == 1


def test_fit_lowers_the_loss_and_evaluate_weighs_every_map_once(dataset):
    # Under XLA, which compiles few steps only: it takes most of the time.
    model = ConditionalGlow.from_preset("tiny", **SMALL, num_levels=1, use_map_mean=False)
    model.initialize(dataset)
    model.compile(keras.optimizers.Adam(1e-2))
    losses = model.fit(dataset.to_tf(32, seed=0), epochs=3, verbose=0, shuffle=False).history["loss"]
    assert losses[2] < losses[0] - 0.02
    evaluated = model.evaluate(dataset.to_tf_evaluation(64), verbose=0, return_dict=True)["loss"]
    # 96 maps in batches of 64: a mean of batch means would differ. Float32 sums.
    assert np.isclose(evaluated, -np.mean(model.log_prob(dataset.maps, dataset.theta)) / 64, atol=1e-5)


def test_a_compiled_model_goes_on_after_keras_saved_and_loaded_it(dataset, tmp_path):
    model = ConditionalGlow.from_preset("tiny", **SMALL)
    model.compile(keras.optimizers.Adam(1e-2), clip_norm=0.5, jit_compile=False)
    model.fit(dataset.to_tf(32, seed=0), verbose=0, shuffle=False)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert (loaded.clip_norm, loaded.optimizer.iterations.numpy()) == (0.5, 3)
    for trained in (model, loaded):
        trained.fit(dataset.to_tf(32, seed=1), verbose=0, shuffle=False)
    for a, b in zip(model.weights, loaded.weights, strict=True):
        # The same float32 operations; kernels may add in another order.
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=0.0, atol=1e-6)


def test_predict_draws_maps(make_model):
    model = make_model(dtype="float32", **SMALL)
    theta = np.array([[0.3, 0.8], [0.2, 0.7]], "f4")
    assert np.allclose(model.predict(theta, verbose=0), model.sample(theta, seed=0), rtol=1e-4)
