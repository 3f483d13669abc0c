"""Ratios of power spectra: closed forms, error bars, floor, and a generator that is wrong."""

import warnings

import numpy as np
import pytest
from toy_samples import BOX_SIZE, samples_of

from higlow_tf.diagnostics import compare_power, power_spectrum
from higlow_tf.errors import InputError, InputWarning

ROUNDING = 1e-6  # maps go through 10**x and log10 in float64


def lognormal_maps(num_maps, seed, sd=1.0, num_pixels=8):
    """Maps whose log10 is white noise."""
    return 10 ** (sd * np.random.default_rng(seed).normal(size=(num_maps, num_pixels, num_pixels)))


def compare(real, generated, real_simulation=None, generated_simulation=None, **options):
    return compare_power(samples_of(real, generated, real_simulation, generated_simulation), **options)


def test_ratio_of_a_scaled_field_is_the_square_in_every_bin():
    real = lognormal_maps(8, seed=0)
    comparison = compare(real, real**1.2)
    assert comparison.mean_ratio == pytest.approx(1.44, rel=ROUNDING)
    assert comparison.sd_ratio == pytest.approx(1.44, rel=ROUNDING)
    power = power_spectrum(np.log10(real), BOX_SIZE).power_mpc2_h2
    assert comparison.real_mean_mpc2_h2 == pytest.approx(power.mean(axis=0))
    assert comparison.real_sd_mpc2_h2 == pytest.approx(power.std(axis=0))
    assert comparison.field == "log10"
    assert (comparison.num_real_simulations, comparison.num_generated_simulations) == (8, 8)


def test_overdensity_does_not_see_the_mean_of_a_map():
    real = lognormal_maps(8, seed=0, sd=0.2)
    comparison = compare(real, real * np.arange(1, 9)[:, None, None], field="overdensity")
    assert comparison.mean_ratio == pytest.approx(1.0, rel=ROUNDING)


def test_bootstrap_error_is_the_analytic_one():
    num_maps = 300
    real = lognormal_maps(num_maps, seed=1)
    comparison = compare(real, lognormal_maps(num_maps, seed=2), num_bootstrap=400)
    modes = power_spectrum(np.log10(real[:1]), BOX_SIZE).modes
    # Real Nyquist modes are left out of the check: their |.|**2 scatters more than the exponential of the others.
    analytic = np.sqrt(2) * np.sqrt(2 / (modes * num_maps))
    # 400 resamples scatter by 4 %, the variance of 300 exponential-like numbers by 10 %; averaged over three bins.
    assert np.mean(comparison.mean_ratio_error[:-1] / analytic[:-1]) == pytest.approx(1.0, abs=0.2)


def test_equal_generators_sit_at_the_floor_and_within_their_errors():
    deviations, floors, pulls = [], [], []
    for seed in range(12):
        comparison = compare(lognormal_maps(60, seed=2 * seed), lognormal_maps(60, seed=2 * seed + 1))
        for name in ("mean_ratio", "sd_ratio"):
            deviation = getattr(comparison, name) - 1
            deviations.append(np.abs(deviation))
            floors.append(getattr(comparison, f"{name}_floor"))
            pulls.append(deviation / getattr(comparison, f"{name}_error"))
    # 96 deviations, of which some are correlated: their mean size scatters by about 10 %.
    assert np.mean(deviations) / np.mean(floors) == pytest.approx(1.0, abs=0.3)
    assert np.mean(np.square(pulls)) == pytest.approx(1.0, abs=0.5)


def test_floor_is_scaled_to_the_number_of_simulations():
    real = lognormal_maps(40, seed=3)
    few, many = (compare(real, lognormal_maps(size, seed=4)).mean_ratio_floor for size in (10, 400))
    assert few / many == pytest.approx(np.sqrt((1 / 40 + 1 / 10) / (1 / 40 + 1 / 400)), rel=1e-9)  # same halvings


def test_a_generator_wrong_by_a_fifth_is_seen():
    comparison = compare(lognormal_maps(400, seed=5), lognormal_maps(400, seed=6, sd=np.sqrt(1.2)))
    deviation = np.abs(comparison.mean_ratio - 1)
    assert np.all(deviation > 2 * comparison.mean_ratio_floor)
    assert np.all(deviation > 3 * comparison.mean_ratio_error)


def test_simulations_are_resampled_not_maps():
    real, generated = lognormal_maps(50, seed=7), lognormal_maps(50, seed=8)
    once = compare(real, generated)
    copies = compare(
        np.repeat(real, 5, axis=0),
        np.repeat(generated, 5, axis=0),
        np.repeat(np.arange(50), 5),
        np.repeat(-1 - np.arange(50), 5),
    )
    assert copies.mean_ratio_error == pytest.approx(once.mean_ratio_error, rel=1e-9)


def test_same_simulations_are_resampled_together():
    amplitude = np.repeat(np.linspace(0.3, 2.0, 40), 2)[:, None, None]
    simulation = np.repeat(np.arange(40), 2)
    real = lognormal_maps(80, seed=9) ** amplitude
    generated = lognormal_maps(80, seed=10) ** amplitude
    paired = compare(real, generated, simulation, simulation)
    apart = compare(real, generated, simulation, simulation + 1000)
    assert np.all(paired.mean_ratio_error < 0.8 * apart.mean_ratio_error)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same = compare(real, real, simulation, simulation)
    assert np.all(same.mean_ratio_error < ROUNDING)


@pytest.mark.parametrize(("num_real", "num_generated"), [(3, 9), (9, 3)])
def test_too_few_simulations_have_no_error_bar(num_real, num_generated):
    with pytest.warns(InputWarning, match=r"compare_power: no error bar.*at least 4 simulations\. Received: 3"):
        comparison = compare(lognormal_maps(num_real, seed=0), lognormal_maps(num_generated, seed=1))
    assert comparison.mean_ratio_error is None
    assert comparison.sd_ratio_error is None
    assert (comparison.mean_ratio_floor is None) == (num_real == 3)


@pytest.mark.parametrize(
    ("real", "options", "message"),
    [
        (lognormal_maps(8, seed=0), {"field": "linear"}, r"field: .*Received: 'linear'"),
        (
            np.stack([np.roll(lognormal_maps(1, 0)[0], i, axis=0) for i in range(8)]),
            {},
            r"real_maps: .*Received: 8 maps without scatter",
        ),
        (lognormal_maps(8, seed=0), {"num_bootstrap": 1}, r"num_bootstrap: .*Received: 1"),
    ],
)
def test_wrong_input(real, options, message):
    with pytest.raises(InputError, match=message):
        compare(real, lognormal_maps(8, seed=1), **options)
