"""Generators that are bad on purpose: each is caught by the statistic that is there for it, and an honest one by none."""

import numpy as np
import pytest
from toy_samples import paired_samples

from higlow_tf.data import lognormal
from higlow_tf.diagnostics import compare_power, pixel_pdf
from higlow_tf.diagnostics.classifier import classifier_test
from higlow_tf.diagnostics.nearest import nearest_training_map
from higlow_tf.diagnostics.power_by_cosmology import power_r2_by_cosmology
from higlow_tf.diagnostics.response import power_response
from higlow_tf.diagnostics.sample_checks import check_samples

NUM_SIMULATIONS, MAPS_PER_SIMULATION = 40, 4
SIMULATION = np.repeat(np.arange(NUM_SIMULATIONS), MAPS_PER_SIMULATION)
THETA = np.random.default_rng(0).uniform([0.1, 0.6], [0.5, 1.0], size=(NUM_SIMULATIONS, 2))[SIMULATION]

# In units of the error, or of the floor where that is larger. The largest of a score of bins of an honest generator is
# above it once in a thousand times.
CAUGHT = 4.0

# Of mean squared deviations of 40 simulations with 8 bins each: 1, scattering by 0.1, for an honest generator.
TWICE_THE_NOISE = 2.0


def maps_of(theta, seed):
    return lognormal.sample(theta, 16, seed)


REAL = maps_of(THETA, seed=1)
HONEST = maps_of(THETA, seed=2)
TRAINING = maps_of(np.random.default_rng(1).uniform([0.1, 0.6], [0.5, 1.0], size=(200, 2)), seed=3)


def significance(deviation, error, floor):
    return np.max(np.abs(deviation) / np.maximum(error, floor))


def samples_with(generated):
    return paired_samples(REAL, generated, SIMULATION, real_theta=THETA, generated_theta=THETA)


def power_significance(generated):
    power = compare_power(samples_with(generated))
    return significance(power.mean_ratio - 1, power.mean_ratio_error, power.mean_ratio_floor)


def pdf_significance(generated):
    pdf = pixel_pdf(samples_with(generated))
    return significance(pdf.ratio - 1, pdf.ratio_error, pdf.ratio_floor)


def classifier_significance(generated):
    test = classifier_test(samples_with(generated))
    return significance(test.auc - 0.5, test.error, test.floor)


def response_significance(generated):
    result = power_response(samples_with(generated), parameter_names=("a", "b"))
    return significance(result.difference, result.difference_error, result.floor)


def cosmology_noise(generated):
    """The mean squared deviation at a cosmology, in units of what real maps show against real maps of it."""
    result = power_r2_by_cosmology(samples_with(generated))
    return np.mean(1 - result.r2) / np.mean(1 - result.floor_r2)


def checks_of(generated):
    return check_samples(generated, np.log10(TRAINING.min()), np.log10(TRAINING.max()))


@pytest.mark.parametrize(
    "statistic",
    [power_significance, pdf_significance, classifier_significance, response_significance],
)
def test_an_honest_generator_passes(statistic):
    assert statistic(HONEST) < CAUGHT


def test_an_honest_generator_is_right_at_every_cosmology():
    assert cosmology_noise(HONEST) < TWICE_THE_NOISE


def test_an_honest_generator_has_no_bad_sample_and_memorises_nothing():
    assert checks_of(HONEST).num_bad == 0
    assert not nearest_training_map(samples_with(HONEST), TRAINING, num_samples=32).is_memorising


def test_power_that_is_a_fifth_too_high_is_caught():
    too_strong = 10 ** (6.5 + np.sqrt(1.2) * (np.log10(HONEST) - 6.5))
    assert power_significance(too_strong) > CAUGHT


def test_a_distribution_without_its_tail_is_caught():
    cut = np.minimum(HONEST, np.percentile(HONEST, 99.5))
    assert pdf_significance(cut) > CAUGHT
    assert power_significance(cut) < CAUGHT  # which is why there is more than one statistic


def test_constant_maps_are_caught():
    constant = np.broadcast_to(HONEST.mean(axis=(1, 2), keepdims=True), HONEST.shape).copy()
    checks = checks_of(constant)
    assert checks.num_constant == checks.num_bad == len(constant)
    assert power_significance(constant) > CAUGHT
    assert classifier_significance(constant) > CAUGHT


def test_moved_copies_of_training_maps_are_caught():
    rng = np.random.default_rng(4)
    moves = zip(TRAINING[:160], rng.integers(16, size=(160, 2)), strict=True)
    copies = np.stack([np.roll(training_map[::-1].T, shift, axis=(0, 1)) for training_map, shift in moves])
    result = nearest_training_map(samples_with(copies), TRAINING, num_samples=32)
    assert result.is_memorising
    assert result.num_copies == 32
    assert result.sample_nearest.tolist() == result.sample_index.tolist()
    assert checks_of(copies).num_bad == 0  # no fault by themselves


def test_maps_of_the_wrong_parameters_are_caught():
    order = np.random.default_rng(5).permutation(NUM_SIMULATIONS)
    mixed = maps_of(THETA.reshape(NUM_SIMULATIONS, -1, 2)[order].reshape(-1, 2), seed=6)
    assert response_significance(mixed) > CAUGHT
    assert cosmology_noise(mixed) > TWICE_THE_NOISE
    assert pdf_significance(mixed) < CAUGHT  # the same parameters all in all
