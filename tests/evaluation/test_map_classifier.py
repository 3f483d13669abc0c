"""The convolutional classifier of maps: chance level, a difference that only pixels show, folds, and reproducibility."""

import random
from dataclasses import asdict

import keras
import numpy as np
import pytest
import tensorflow as tf
from toy_samples import paired_samples

from higlow_tf.errors import InputError, InputWarning
from higlow_tf.evaluation import map_classifier
from higlow_tf.evaluation.map_classifier import map_classifier_test
from higlow_tf.evaluation.map_network import map_network

NUM_SIMULATIONS, MAPS_PER_SIMULATION, NUM_PIXELS = 24, 5, 16
SIMULATION = np.repeat(np.arange(NUM_SIMULATIONS), MAPS_PER_SIMULATION)


def smooth_maps(seed, *, power=1.0, num_maps=NUM_SIMULATIONS * MAPS_PER_SIMULATION):
    """Noise over neighbours; with another power, of another distribution of pixels."""
    white = np.random.default_rng(seed).normal(size=(num_maps, NUM_PIXELS, NUM_PIXELS))
    smooth = (white + np.roll(white, 1, axis=1) + np.roll(white, 1, axis=2)) / np.sqrt(3.0)
    smooth = np.sign(smooth) * np.abs(smooth) ** power
    return 10 ** (6.5 + 0.4 * smooth / smooth.std())


def with_random_phases(maps, seed):
    """Maps of the same P(k), each mode of each map, and random phases."""
    noise = np.fft.rfft2(np.random.default_rng(seed).normal(size=maps.shape))
    modes = np.abs(np.fft.rfft2(np.log10(maps))) * noise / np.abs(noise)
    modes[:, 0, 0] = np.abs(modes[:, 0, 0])
    return 10 ** np.fft.irfft2(modes, s=maps.shape[1:])


@pytest.fixture
def short(monkeypatch):
    """Trainings of a few epochs: what is tested needs no more."""
    monkeypatch.setattr(map_classifier, "_NUM_EPOCHS", 12)
    monkeypatch.setattr(map_classifier, "_NUM_FLOOR_TESTS", 1)


def test_equal_generators_are_at_chance(short):
    result = map_classifier_test(paired_samples(smooth_maps(1), smooth_maps(2), SIMULATION))
    assert abs(result.auc - 0.5) < 4 * result.error
    assert 0.01 < result.error < 0.1
    assert result.floor < 0.15
    assert result.num_features == NUM_PIXELS**2
    assert (result.num_real_simulations, result.num_generated_simulations) == (NUM_SIMULATIONS, NUM_SIMULATIONS)


def test_random_phases_are_found_in_smooth_skewed_maps(short):
    """Of each map the P(k) is that of its simulated map, exactly."""
    real = 10 ** (6 + np.exp(2 * (np.log10(smooth_maps(3)) - 6.5)))
    result = map_classifier_test(paired_samples(real, with_random_phases(real, 4), SIMULATION))
    assert result.auc > 0.9
    assert result.auc - 0.5 > 5 * max(result.error, result.floor)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_answer_and_leaves_global_random_states(short, monkeypatch):
    monkeypatch.setattr(map_classifier, "_NUM_EPOCHS", 2)
    maps = smooth_maps(1, num_maps=30), smooth_maps(2, power=1.5, num_maps=30)
    samples = paired_samples(*maps, np.repeat(np.arange(3), 10))

    def numbers():
        return random.random(), np.random.random(), float(tf.random.uniform([])), float(keras.random.uniform([]))

    keras.utils.set_random_seed(7)
    expected = numbers()
    results = []
    for _ in range(2):
        keras.utils.set_random_seed(7)
        with pytest.warns(InputWarning, match="map_classifier_test: no error bar"):  # and no floor, which takes longer
            results.append(map_classifier_test(samples, seed=3))
        assert numbers() == expected
    assert asdict(results[0]) == asdict(results[1])


def test_a_network_is_never_tested_on_simulations_that_it_saw(monkeypatch):
    """The pixels of each map are its simulation's number: what is trained on and what is tested have none in common."""
    maps = np.broadcast_to(10.0 ** SIMULATION[:, None, None], (len(SIMULATION), 8, 8))
    trainings, seen = [], []

    def train(standardised, is_generated, seed, report):
        assert set(is_generated) == {False, True}
        trainings.append(standardised)
        return None

    def log_odds(model, standardised):
        seen.append((set(np.unique(trainings[-1])), set(np.unique(standardised))))
        return np.zeros(len(standardised))

    monkeypatch.setattr(map_classifier, "_train", train)
    monkeypatch.setattr(map_classifier, "_log_odds", log_odds)
    result = map_classifier_test(paired_samples(maps, maps, SIMULATION))
    assert (result.auc, result.floor) == (0.5, 0.0)
    assert len(seen) == 2 * (1 + 2)
    assert all(not trained & tested and trained and tested for trained, tested in seen)
    assert all(len(trained) + len(tested) == NUM_SIMULATIONS for trained, tested in seen)


@pytest.mark.slow
def test_progress_counts_epochs_of_all_trainings(short, monkeypatch):
    monkeypatch.setattr(map_classifier, "_NUM_EPOCHS", 2)
    calls = []
    samples = paired_samples(smooth_maps(1), smooth_maps(2), SIMULATION)
    map_classifier_test(samples, progress=lambda *call: calls.append(call))
    assert calls == [("map classifier", done, 8) for done in range(1, 9)]


def test_more_maps_than_the_budget_have_fewer_epochs(short, monkeypatch):
    monkeypatch.setattr(map_classifier, "_MOST_STEPS", 9)
    shares = []
    maps = np.zeros((100, 8, 8), np.float32)
    map_classifier._train(maps, np.arange(100) % 2 > 0, 0, shares.append)
    assert shares == pytest.approx([1 / 3, 2 / 3, 1.0])  # 3 steps an epoch


@pytest.mark.parametrize("map_size", [5, 12])
def test_the_network_takes_every_size_and_knows_no_origin(map_size):
    model = map_network(map_size, seed=0)
    maps = np.random.default_rng(0).normal(size=(3, map_size, map_size, 1)).astype(np.float32)
    answer = model.predict(maps, verbose=0)
    assert answer.shape == (3, 1)
    cell = 1  # of pixels that are averaged together
    while cell < 8 and (map_size // cell) % 2 == 0 and map_size // (2 * cell) >= 4:
        cell *= 2
    moved = model.predict(np.roll(maps, (cell, -cell), axis=(1, 2)), verbose=0)
    assert moved == pytest.approx(answer, abs=1e-5)


def test_a_side_of_one_simulation_is_refused():
    maps = smooth_maps(1, num_maps=4)
    with pytest.raises(InputError, match=r"at least 2 simulations a side\. Received: 1"):
        map_classifier_test(paired_samples(maps, maps, np.zeros(4, int)))
