"""Correlation of P(k) with P(k'): NumPy, errors, floor, and a generator without the real scatter."""

import numpy as np
import pytest
from toy_samples import BOX_SIZE, paired_samples, samples_of

from higlow_tf.diagnostics import compare_power_correlation, power_correlation, power_spectrum
from higlow_tf.errors import InputError, InputWarning

ROUNDING = 1e-9  # moments of a few hundred numbers of order one


def maps_of(num_maps, seed, amplitude_sd=0.0):
    """Maps whose log10 is white noise, of an amplitude that scatters from map to map."""
    rng = np.random.default_rng(seed)
    amplitude = 0.3 * np.exp(amplitude_sd * rng.normal(size=(num_maps, 1, 1)))
    return 10 ** (amplitude * rng.normal(size=(num_maps, 8, 8)))


def compare(real, generated, **options):
    """One map a simulation, other simulations on either side."""
    return compare_power_correlation(samples_of(real, generated), **options)


def test_equals_numpy():
    fields = np.log10(maps_of(30, seed=0, amplitude_sd=0.5))
    spectrum = power_spectrum(fields, BOX_SIZE)
    result = power_correlation(fields, BOX_SIZE)
    assert result.correlation == pytest.approx(np.corrcoef(spectrum.power_mpc2_h2.T), abs=ROUNDING)
    assert np.array_equal(result.k_h_mpc, spectrum.k_h_mpc)


def test_comparison_is_that_of_its_two_sides():
    real, generated = maps_of(20, seed=1), maps_of(30, seed=2, amplitude_sd=0.5)
    comparison = compare(real, generated)
    assert comparison.real == pytest.approx(power_correlation(np.log10(real), BOX_SIZE).correlation, abs=ROUNDING)
    expected = power_correlation(np.log10(generated), BOX_SIZE).correlation
    assert comparison.generated == pytest.approx(expected, abs=ROUNDING)
    assert comparison.difference == pytest.approx(comparison.generated - comparison.real, abs=ROUNDING)
    assert (comparison.num_real_simulations, comparison.num_generated_simulations) == (20, 30)
    pairs = np.triu_indices(len(comparison.k_h_mpc), 1)
    assert comparison.mean_difference == pytest.approx(comparison.difference[pairs].mean(), abs=ROUNDING)
    overdensity = compare(real, generated, field="overdensity")
    assert overdensity.field == "overdensity"
    assert not np.allclose(overdensity.real, comparison.real)


def test_white_noise_has_none_and_the_analytic_error():
    comparison = compare(maps_of(200, seed=3), maps_of(200, seed=4))
    upper = np.triu_indices(len(comparison.k_h_mpc), 1)
    error = np.sqrt(2 / 200)
    assert np.all(np.abs(comparison.difference[upper]) < 4 * error)  # six pairs
    # The bootstrap error of one pair scatters by 10 % to 20 % (skewed power), the mean absolute value is 0.8 sd.
    assert np.mean(comparison.error[upper]) == pytest.approx(error, rel=0.3)
    assert np.mean(comparison.floor[upper]) == pytest.approx(0.8 * error, rel=0.3)


def test_floor_of_two_pairs_of_equal_simulations():
    weak, strong = maps_of(6, seed=10), 10 ** (2 * np.log10(maps_of(6, seed=11)))
    maps, simulation = np.concatenate([weak, weak, strong, strong]), np.repeat(np.arange(4), 6)
    comparison = compare_power_correlation(samples_of(maps, maps, simulation, -1 - simulation))
    upper = np.triu_indices(len(comparison.k_h_mpc), 1)
    difference = np.subtract(*(power_correlation(np.log10(side), BOX_SIZE).correlation for side in (weak, strong)))
    # Only one of the three ways to halve them parts the weak from the strong; in the other two the halves are equal.
    share = comparison.floor[upper] / np.abs(difference[upper]) / np.sqrt((1 / 4 + 1 / 4) / (1 / 2 + 1 / 2))
    assert share == pytest.approx(share[0], rel=ROUNDING)
    assert 0.2 < share[0] < 0.5  # a third of 100 random halvings


def test_a_missing_scatter_of_amplitudes_is_seen():
    comparison = compare(maps_of(60, seed=5, amplitude_sd=0.5), maps_of(60, seed=6))
    upper = np.triu_indices(len(comparison.k_h_mpc), 1)
    assert np.all(comparison.difference[upper] < -2 * comparison.error[upper])
    assert np.all(comparison.difference[upper] < -2 * comparison.floor[upper])


def test_same_simulations_are_resampled_together():
    maps = maps_of(10, seed=7)
    comparison = compare_power_correlation(paired_samples(maps, maps))
    assert np.array_equal(comparison.difference, np.zeros_like(comparison.real))
    assert comparison.error == pytest.approx(0.0, abs=ROUNDING)


def test_too_few_simulations_have_no_error_bar():
    with pytest.warns(InputWarning, match=r"compare_power_correlation: no error bar.*Received: 3"):
        comparison = compare(maps_of(3, seed=8), maps_of(8, seed=9))
    assert comparison.error is None
    assert comparison.floor is None


@pytest.mark.parametrize(
    ("generated", "field", "message"),
    [
        (maps_of(8, seed=1), "density", r"field: .*Received: 'density'"),
        (np.ones((8, 8, 8)), "log10", r"generated_maps: .*differs from map to map\. Received: 8 maps"),
    ],
)
def test_wrong_input(generated, field, message):
    with pytest.raises(InputError, match=message):
        compare(maps_of(8, seed=0), generated, field=field)


def test_the_mean_difference_tells_another_scatter_from_none():
    """The amplitude of a map correlates all bins; two sides with the same scatter differ by no more than their errors."""
    same = compare(maps_of(150, seed=5, amplitude_sd=0.3), maps_of(150, seed=6, amplitude_sd=0.3))
    without = compare(maps_of(150, seed=5, amplitude_sd=0.3), maps_of(150, seed=6))
    assert abs(same.mean_difference) < 3 * same.mean_difference_error
    assert without.mean_difference < -5 * max(without.mean_difference_error, without.mean_difference_floor)
