"""The two-sample test by classifier: chance level, known separations, errors, and no leak between folds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_samples import BOX_SIZE, paired_samples, samples_of

from higlow_tf.diagnostics import MapSet
from higlow_tf.diagnostics.classifier import classifier_test
from higlow_tf.diagnostics.map_features import map_features
from higlow_tf.diagnostics.two_sample_test import Side, folds_by_simulation, two_sample_test
from higlow_tf.errors import InputError, InputWarning

ROUNDING = 1e-6  # float64 FFTs, skewness and kurtosis of a few dozen pixels, logarithms


def noise_maps(num_maps, seed, num_pixels=8):
    return 10 ** (6.5 + 0.4 * np.random.default_rng(seed).normal(size=(num_maps, num_pixels, num_pixels)))


@pytest.mark.parametrize(
    ("kind", "tolerance"),
    [("logistic", 0.35), pytest.param("trees", 0.7, marks=pytest.mark.slow)],  # trees of 64 maps: many ties
)
def test_equal_generators_are_at_chance(kind, tolerance):
    simulation = np.repeat(np.arange(20), 2)
    results = [
        classifier_test(paired_samples(noise_maps(40, 2 * seed), noise_maps(40, 2 * seed + 1), simulation), kind=kind)
        for seed in range(4)
    ]
    deviations = np.array([result.auc for result in results]) - 0.5
    # AUC of 40 against 40 scatters by sqrt(81 / (12 * 1600)) = 0.065.
    assert np.all(np.abs(deviations) < 4 * 0.065)
    assert np.mean([result.error for result in results]) == pytest.approx(0.065, rel=tolerance)
    # Mean size of such a scatter, from sets of twice as many maps; the classifier of the halves has learned less.
    assert np.mean([result.floor for result in results]) == pytest.approx(
        0.065 * np.sqrt(2 / np.pi), rel=0.15 + tolerance
    )
    assert all(0.3 < result.accuracy < 0.7 for result in results)


def test_maps_against_themselves_are_exactly_at_chance():
    simulation = np.repeat(np.arange(6), 3)
    maps = noise_maps(18, seed=0)
    samples = paired_samples(maps, maps, simulation)
    result = classifier_test(samples)
    assert result.auc == pytest.approx(0.5, abs=1e-12)
    assert result.error == pytest.approx(0.0, abs=1e-12)
    assert (result.num_real_simulations, result.num_generated_simulations) == (6, 6)
    assert result.num_features == map_features(samples.real).shape[1]


def test_a_share_of_bad_maps_has_the_known_auc():
    generated = noise_maps(120, seed=2)
    generated[::2] *= 1e3
    result = classifier_test(paired_samples(noise_maps(120, seed=1), generated))
    # Bad ones always win, the others half of the time; 120 against 60 scatter by 0.046, halved.
    assert result.auc == pytest.approx(0.75, abs=4 * 0.023)
    everything = classifier_test(paired_samples(noise_maps(20, 1), 1e3 * noise_maps(20, 2)))
    assert (everything.auc, everything.accuracy) == (1.0, 1.0)


@pytest.mark.slow
def test_trees_see_a_spread_that_a_linear_classifier_does_not():
    """The levels of generated maps scatter three times too little about the right mean."""
    rng = np.random.default_rng(5)
    real, generated = (
        noise_maps(150, seed) * 10 ** (sd * rng.normal(size=(150, 1, 1))) for seed, sd in ((6, 0.3), (7, 0.1))
    )
    linear, trees = (classifier_test(samples_of(real, generated), kind=kind) for kind in ("logistic", "trees"))
    assert abs(linear.auc - 0.5) < 4 * linear.error
    assert trees.auc - 0.5 > 5 * max(trees.error, trees.floor)
    # The best that could be: the chance that the smaller of the two scatters gives the smaller deviation.
    assert trees.auc < 2 / np.pi * np.arctan(0.3 / 0.1) + 4 * trees.error
    assert classifier_test(samples_of(real, generated), kind="trees") == trees


def test_a_generator_wrong_by_a_fifth_is_seen():
    real, generated = noise_maps(200, seed=3), noise_maps(200, seed=4)
    generated = 10 ** (6.5 + np.sqrt(1.2) * (np.log10(generated) - 6.5))
    result = classifier_test(samples_of(real, generated))
    assert result.auc - 0.5 > 5 * max(result.error, result.floor)


def test_simulations_are_never_split_between_folds():
    # Six simulations a side whose maps are all alike: to know them by heart is useless in other folds.
    rng = np.random.default_rng(5)
    real, generated = (np.repeat(noise_maps(6, seed), 8, axis=0) for seed in (6, 7))
    real, generated = (maps * rng.normal(1.0, 1e-3, size=(48, 1, 1)) for maps in (real, generated))
    simulation = np.repeat(np.arange(6), 8)
    result = classifier_test(samples_of(real, generated, simulation, 10 + simulation))
    assert result.auc < 0.85  # 1 if maps were split
    assert result.error > 0.05  # 6 simulations a side, not 48 maps


@settings(deadline=None, max_examples=10)
@given(shift=st.tuples(st.integers(0, 7), st.integers(0, 7)), seed=st.integers(0, 2**32 - 1))
def test_features_do_not_change_under_symmetries(shift, seed):
    maps = noise_maps(2, seed)

    def features_of(maps):
        return map_features(MapSet(maps, np.arange(2), BOX_SIZE))

    features = features_of(maps)
    for same in (np.roll(maps, shift, axis=(1, 2)), maps[:, ::-1], np.swapaxes(maps, 1, 2)):
        assert features_of(same) == pytest.approx(features, rel=ROUNDING, abs=ROUNDING)


def test_too_few_simulations():
    simulation = np.repeat(np.arange(3), 4)
    with pytest.warns(InputWarning, match=r"classifier_test: no error bar.*Received: 3"):
        result = classifier_test(paired_samples(noise_maps(12, 0), noise_maps(12, 1), simulation))
    assert result.error is None
    assert result.floor is None


def test_an_unknown_kind_is_refused():
    with pytest.raises(InputError, match=r'kind: expected "logistic" or "trees"\. Received: \'forest\''):
        classifier_test(samples_of(noise_maps(8, seed=0), noise_maps(8, seed=1)), kind="forest")


@settings(deadline=None, max_examples=25)
@given(
    numbers=st.tuples(st.integers(2, 9), st.integers(2, 9)),
    shift=st.integers(0, 9),
    num_folds=st.integers(2, 5),
    seed=st.integers(0, 2**32 - 1),
)
def test_no_simulation_is_in_two_folds(numbers, shift, num_folds, seed):
    """Also across the sides: the maps that were generated at the parameters of a simulation are where its maps are."""
    rng = np.random.default_rng(seed)
    simulations = np.arange(numbers[0]), shift + np.arange(numbers[1])
    sides = [rng.permutation(np.repeat(indices, rng.integers(1, 4, size=len(indices)))) for indices in simulations]
    folds = folds_by_simulation(*sides, num_folds, rng)
    of_simulation = {}
    for simulation, fold in zip(np.concatenate(sides), np.concatenate(folds), strict=True):
        assert of_simulation.setdefault(simulation, fold) == fold
    assert set(folds[0]) == set(folds[1])
    assert len(set(folds[0])) == min(num_folds, *numbers)


def test_a_classifier_is_never_tested_on_simulations_that_it_saw():
    """A spy in the place of the classifier: each input is the index of its simulation, of the test and of the floor."""
    simulation = np.repeat(np.arange(12), 3)
    calls = []

    def spy(inputs, is_generated, others):
        assert not set(inputs.ravel()) & set(others.ravel())
        assert set(is_generated) == {False, True}
        calls.append(len(others))
        return np.zeros(len(others))

    side = Side(simulation[:, None], simulation)
    result = two_sample_test(spy, side, side, num_folds=3, num_floor_tests=2, seed=0, name="spy")
    assert (result.auc, result.floor) == (0.5, 0.0)
    assert calls == [24, 24, 24] + 6 * [12]


def test_a_side_of_one_simulation_is_refused():
    samples = samples_of(noise_maps(8, seed=0), noise_maps(8, seed=1), real_simulation=np.zeros(8, int))
    with pytest.raises(InputError, match=r"at least 2 simulations a side\. Received: 1"):
        classifier_test(samples)
