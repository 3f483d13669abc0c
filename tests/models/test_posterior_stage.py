"""The second stage: candidates that hide the truth, its loss, and runs that start from another run."""

import csv

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from toy_models import make_maps

from higlow_tf.errors import InputError
from higlow_tf.models import ConditionalGlow, load_model
from higlow_tf.models.posterior_objective import candidate_conditions, posterior_cross_entropy
from higlow_tf.runs import RunConfig, train_run

SMALL = {"map_size": 8, "width": 4}
# A false alarm in a thousand runs of other seeds; the seeds are fixed.
SMALLEST_P = 1e-3


def rank_counts(candidates):
    """How often the first candidate is the smallest, the second smallest, ... along the first parameter."""
    ranks = np.sum(candidates[:, 1:, 0] < candidates[:, :1, 0], axis=1)
    return np.bincount(ranks, minlength=candidates.shape[1])


def test_nothing_but_the_map_tells_the_truth_from_the_other_candidates(rng):
    truth = rng.uniform(-1.0, 1.0, (20_000, 2))
    candidates = candidate_conditions(tf.constant(truth), 5, [1, 2]).numpy()
    np.testing.assert_array_equal(candidates[:, 0], truth)
    assert np.abs(candidates).max() <= 1.0
    assert stats.chisquare(rank_counts(candidates)).pvalue > SMALLEST_P
    # A cloud around the truth itself gives it away: it is in the middle.
    around_truth = np.concatenate([truth[:, None], truth[:, None] + 0.1 * rng.standard_normal((20_000, 4, 2))], axis=1)
    assert stats.chisquare(rank_counts(around_truth)).pvalue < SMALLEST_P


def test_the_softmax_of_an_exact_likelihood_is_the_posterior_over_the_candidates(rng):
    truth = rng.uniform(-1.0, 1.0, (20_000, 1))
    data = truth + 0.3 * rng.standard_normal(truth.shape)
    candidates = candidate_conditions(tf.constant(truth), 6, [3, 4]).numpy()
    log_prob = -0.5 * ((data[:, None] - candidates) / 0.3)[..., 0] ** 2
    posterior = np.exp(log_prob) / np.exp(log_prob).sum(axis=1, keepdims=True)
    # Calibrated: the mean mass of the truth is what the posterior itself expects of it.
    difference = posterior[:, 0] - np.sum(posterior**2, axis=1)
    assert abs(difference.mean()) < 3.5 * difference.std() / np.sqrt(len(difference))
    np.testing.assert_allclose(posterior_cross_entropy(tf.constant(log_prob)), -np.log(posterior[:, 0]), rtol=1e-9)


def test_candidates_depend_on_the_seed_alone():
    truth = tf.constant([[0.1, -0.9], [0.4, 0.99]], tf.float32)
    first, again, other = (candidate_conditions(truth, 8, seed) for seed in ([5, 6], [5, 6], [5, 7]))
    assert first.dtype == tf.float32
    assert np.array_equal(first, again)
    assert not np.allclose(first[:, 1:], other[:, 1:])


def test_normalize_and_denormalize_are_inverse(make_model):
    model = make_model(parameters=("Omega_m", "A_SN1"), **SMALL)
    theta = np.array([[0.1, 0.25], [0.3, 1.0], [0.5, 4.0]])
    np.testing.assert_allclose(model.normalize(theta)[:, 1], [-1.0, 0.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(model.denormalize(model.normalize(theta)), theta, rtol=1e-12)


def test_the_loss_is_the_density_and_the_cross_entropy(dataset, make_model):
    model = make_model(**SMALL)
    model.compile(posterior_weight=10.0, num_candidates=3, jit_compile=False)
    theta = np.array([[[0.3, 0.8], [0.2, 0.7], [0.45, 0.9]]] * 2)
    maps = dataset.maps[:2]
    loss, nll, cross_entropy = model._loss_terms(tf.constant(theta), tf.constant(maps[..., None], tf.float64))
    log_prob = np.stack([model.log_prob(maps, theta[:, candidate]) for candidate in range(3)], axis=1)
    np.testing.assert_allclose(nll, -log_prob[:, 0] / 64, rtol=1e-9)
    np.testing.assert_allclose(cross_entropy, np.log(np.exp(log_prob - log_prob[:, :1]).sum(axis=1)), rtol=1e-9)
    np.testing.assert_allclose(loss, nll + 10.0 * cross_entropy / 64, rtol=1e-9)


def test_fit_lowers_the_cross_entropy_and_evaluate_repeats_itself(dataset):
    model = ConditionalGlow.from_preset("tiny", **SMALL)
    model.initialize(dataset)
    model.compile(keras.optimizers.Adam(5e-3), posterior_weight=64.0, jit_compile=False)
    batches = dataset.to_tf_evaluation(32)
    before, again = (model.evaluate(batches, verbose=0, return_dict=True) for _ in range(2))
    assert before == again
    assert set(before) == {"loss", "nll", "posterior"}
    assert np.isclose(before["loss"], before["nll"] + before["posterior"], rtol=1e-5)
    history = model.fit(dataset.to_tf(32, seed=0), epochs=8, verbose=0, shuffle=False).history
    assert set(history) == {"loss", "nll", "posterior", "skipped_steps"}
    after = model.evaluate(batches, verbose=0, return_dict=True)
    assert after["posterior"] < before["posterior"] - 0.1


def test_two_replicas_draw_other_candidates(dataset, two_replicas):
    with two_replicas.scope():
        model = ConditionalGlow.from_preset("tiny", **SMALL)
        model.compile(keras.optimizers.SGD(0.0), posterior_weight=1.0, jit_compile=False)
    theta = tf.constant(dataset.theta[:2])
    first, second = two_replicas.run(lambda: model._candidates(theta, 7)).values
    np.testing.assert_allclose(first[:, 0], theta)
    np.testing.assert_allclose(second[:, 0], theta)
    assert not np.allclose(first[:, 1:], second[:, 1:])
    history = model.fit(dataset.to_tf(32, seed=0), verbose=0, shuffle=False).history
    assert np.isfinite(history["posterior"]).all()


@pytest.fixture
def make_config(tmp_path):
    """Configurations of runs on one pair of files: 20 simulations of 4 maps."""
    maps, theta = make_maps(20, 4)
    maps_file, params_file = tmp_path / "Maps_HI_Toy_LH_z=6.00.npy", tmp_path / "params_LH_Toy.txt"
    np.save(maps_file, maps.astype("f4"))
    np.savetxt(params_file, theta[::4], header="Omega_m sigma_8")

    def make(*, start_from=None, split_seed=0, width=4, **training):
        recipe = {"epochs": 1, "batch_size": 16, "warmup_steps": 2, "jit_compile": False}
        return RunConfig(
            data={
                "maps": str(maps_file),
                "params": str(params_file),
                "split_fractions": (0.6, 0.2, 0.2),
                "split_seed": split_seed,
            },
            preset="tiny",
            model={"width": width, "map_size": 8},
            start_from=start_from,
            training={**recipe, **training},
        )

    return make


def test_a_second_stage_starts_at_the_model_of_the_first(make_config, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    train_run(make_config(), first)
    stage = {"posterior_weight": 10.0, "learning_rate": 1e-12}
    train_run(make_config(start_from=first, **stage), second)
    start, end = load_model(first), load_model(second)
    # Weights of order one in float32, a step of 1e-12 times a few.
    assert all(np.allclose(a.numpy(), b.numpy(), atol=1e-6) for a, b in zip(start.weights, end.weights, strict=True))
    row = next(csv.DictReader((second / "history.csv").read_text().splitlines()))
    terms = float(row["val_nll"]) + 10.0 * float(row["val_posterior"]) / 64
    assert np.isclose(float(row["val_loss"]), terms, rtol=1e-5)

    with pytest.raises(InputError, match="expected a run of the same maps and split"):
        train_run(make_config(start_from=first, split_seed=1, **stage), tmp_path / "third")
    with pytest.raises(InputError, match="expected a run of the same model"):
        train_run(make_config(start_from=first, width=8, **stage), tmp_path / "third")
    assert not (tmp_path / "third").exists()
