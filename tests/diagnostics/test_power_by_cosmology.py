"""R2 of mean spectra: closed forms, floor, choice of cosmologies."""

import numpy as np
import pytest
from toy_samples import paired_samples, samples_of

from higlow_tf.data import lognormal
from higlow_tf.diagnostics.power_by_cosmology import power_r2_by_cosmology
from higlow_tf.errors import InputError, InputWarning

ROUNDING = 1e-6  # maps go through 10**x and log10, in float32 for the lognormal ones


def suite(num_simulations=12, maps_per_simulation=6, seed=0):
    """Maps of the lognormal suite at random parameters and the simulation of each."""
    theta = np.random.default_rng(0).uniform([0.2, 0.7], [0.4, 0.9], size=(num_simulations, 2))
    theta = np.repeat(theta, maps_per_simulation, axis=0)
    return lognormal.sample(theta, 16, seed).astype(np.float64), np.repeat(
        np.arange(num_simulations), maps_per_simulation
    )


def measure(real, generated, simulation, **options):
    return power_r2_by_cosmology(paired_samples(real, generated, simulation), **options)


def test_equal_spectra_and_spectra_off_by_a_factor():
    real, simulation = suite()
    same = measure(real, np.roll(real, 3, axis=1)[:, ::-1], simulation)
    assert same.r2 == pytest.approx(1.0, abs=ROUNDING)
    assert (same.median, same.minimum) == pytest.approx((1.0, 1.0), abs=ROUNDING)
    stronger = measure(real, real**1.1, simulation)
    scatter = np.var(stronger.real_log10_power, axis=1)
    assert stronger.r2 == pytest.approx(1 - (2 * np.log10(1.1)) ** 2 / scatter, abs=ROUNDING)
    assert stronger.generated_log10_power == pytest.approx(stronger.real_log10_power + 2 * np.log10(1.1), abs=ROUNDING)


def test_floor_is_what_independent_maps_give():
    real, simulation = suite(num_simulations=30)
    generated, _ = suite(num_simulations=30, seed=1)
    result = measure(real, generated, simulation)
    # 30 simulations of 8 bins: the mean of 240 squared deviations, not all of one size, scatters by some 15 %.
    assert np.mean(1 - result.r2) / np.mean(1 - result.floor_r2) == pytest.approx(1.0, abs=0.4)
    assert abs(result.median - result.median_floor) < 5 * result.median_error
    assert result.median_floor == np.median(result.floor_r2)


def test_floor_counts_the_generated_maps():
    real, simulation = suite()
    of_single_maps = power_r2_by_cosmology(samples_of(real, real[::6], simulation, simulation[::6]))
    ratio = (1 - of_single_maps.floor_r2) / (1 - measure(real, real, simulation).floor_r2)
    assert ratio == pytest.approx((1 / 6 + 1) / (1 / 6 + 1 / 6))  # the same halvings


def test_maps_of_other_cosmologies_are_seen():
    real, simulation = suite()
    generated = 10 ** (6.5 + (np.log10(real) - 6.5) * np.where(simulation % 2, 1.3, 0.7)[:, None, None])
    result = measure(real, generated, simulation)
    assert result.median < result.median_floor - 3 * result.median_error


def test_choice_of_cosmologies():
    real, simulation = suite()
    samples = samples_of(real, real[20:], simulation, simulation[20:])
    result = power_r2_by_cosmology(samples, num_cosmologies=5, field="overdensity", seed=1)
    assert len(result.simulation) == len(result.r2) == len(result.floor_r2) == len(result.real_log10_power) == 5
    assert np.all(np.diff(result.simulation) > 0)
    assert result.simulation.min() >= 3  # the first three have no generated maps
    assert result.field == "overdensity"


def test_single_maps_have_no_floor_and_few_simulations_no_error():
    real, simulation = suite(num_simulations=3, maps_per_simulation=1)
    with pytest.warns(InputWarning, match=r"power_r2_by_cosmology: no error bar.*Received: 3"):
        result = measure(real, real, simulation)
    assert result.floor_r2 is None
    assert result.median_floor is None
    assert result.median_error is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"field": "linear"}, r"field: .*Received: 'linear'"),
        ({"num_cosmologies": 0}, r"num_cosmologies: .*Received: 0"),
        ({"generated_simulation": np.full(72, 99)}, r"generated_simulation: .*none that the real maps have"),
        ({"generated_maps": np.ones((72, 16, 16))}, r"generated_maps: .*Received: 72 of 72 maps with no power"),
    ],
)
def test_wrong_input(change, message):
    maps, simulation = suite()
    generated = {"generated_maps": maps, "generated_simulation": simulation}
    generated |= {name: change[name] for name in change if name in generated}
    options = {name: change[name] for name in change if name not in generated}
    samples = samples_of(maps, generated["generated_maps"], simulation, generated["generated_simulation"])
    with pytest.raises(InputError, match=message):
        power_r2_by_cosmology(samples, **options)


def test_only_the_chosen_maps_must_have_power():
    maps, simulation = suite()
    flat = np.where((simulation == 0)[:, None, None], 1.0, maps)
    result = power_r2_by_cosmology(samples_of(flat, maps[6:], simulation, simulation[6:]))
    assert result.simulation.tolist() == list(range(1, 12))
