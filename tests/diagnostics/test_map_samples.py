"""Two samples of maps: every check once, every field and spectrum once, also for several threads."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, is_dataclass

import numpy as np
import pytest
from toy_samples import BOX_SIZE, paired_samples, samples_of

from higlow_tf.diagnostics import (
    MAP_FIELDS,
    MapSamples,
    MapSet,
    classifier_test,
    compare_power,
    compare_power_correlation,
    compare_statistics,
    fields,
    log10_field,
    map_samples,
    nearest_training_map,
    overdensity,
    pixel_pdf,
    power_r2_by_cosmology,
    power_response,
    power_spectrum,
)
from higlow_tf.errors import InputError

SIMULATION = np.repeat(np.arange(30), 2)
THETA = np.repeat(np.random.default_rng(0).uniform([0.2, 0.7], [0.4, 0.9], size=(30, 2)), 2, axis=0)


def maps_of(num_maps=60, seed=0, num_pixels=8):
    return 10 ** (6.5 + 0.4 * np.random.default_rng(seed).normal(size=(num_maps, num_pixels, num_pixels)))


def full_samples():
    return paired_samples(maps_of(seed=1), maps_of(seed=2), SIMULATION, real_theta=THETA, generated_theta=THETA)


def plain(result):
    """Dataclasses as dicts, which NumPy compares array by array."""
    if isinstance(result, dict):
        return {name: plain(value) for name, value in result.items()}
    return asdict(result) if is_dataclass(result) else [plain(value) for value in result]


# Every diagnostic that takes the samples.
DIAGNOSTICS = {
    "compare_power": lambda samples: [compare_power(samples, field=field) for field in MAP_FIELDS],
    "compare_power_correlation": lambda samples: [compare_power_correlation(samples, field=f) for f in MAP_FIELDS],
    "compare_statistics": compare_statistics,
    "classifier_test": classifier_test,
    "pixel_pdf": pixel_pdf,
    "power_r2_by_cosmology": lambda samples: [power_r2_by_cosmology(samples, field=field) for field in MAP_FIELDS],
    "power_response": lambda samples: power_response(samples, parameter_names=("a", "b")),
    "nearest_training_map": lambda samples: nearest_training_map(samples, maps_of(10, seed=3)),
}


@pytest.fixture
def calls(monkeypatch):
    """Names of the fields and spectra that are computed, in order."""
    names = []

    def counted(name, function):
        def call(*arguments):
            names.append(name)
            return function(*arguments)

        return call

    for name, field in MAP_FIELDS.items():
        counting = fields.MapField(field.name, field.title, field.label, counted(name, field.of_maps))
        monkeypatch.setitem(fields.MAP_FIELDS, name, counting)
    monkeypatch.setattr(map_samples, "power_spectrum", counted("power", power_spectrum))
    return names


def test_fields_and_spectra_are_those_of_the_maps():
    maps = maps_of(5)
    map_set = MapSet(maps, np.arange(5), BOX_SIZE)
    for name, of_maps in (("log10", log10_field), ("overdensity", overdensity)):
        assert np.array_equal(map_set.field(name), of_maps(maps))
        expected = power_spectrum(of_maps(maps), BOX_SIZE)
        assert np.array_equal(map_set.power(name).power_mpc2_h2, expected.power_mpc2_h2)
        assert np.array_equal(map_set.power(name).k_h_mpc, expected.k_h_mpc)
        assert np.array_equal(map_set.log_power(name, [3, 1]), np.log(expected.power_mpc2_h2[[3, 1]]))
    assert len(map_set) == 5
    assert map_set.num_pixels == 8


def test_all_diagnostics_together_compute_each_field_and_spectrum_once(calls):
    samples = full_samples()
    for diagnose in DIAGNOSTICS.values():
        diagnose(samples)
    # Two sides. The logarithms of the training maps are not of the samples.
    assert sorted(calls) == ["log10"] * 2 + ["overdensity"] * 2 + ["power"] * 4


def test_threads_wait_for_each_other(monkeypatch):
    together, num_calls = threading.Barrier(4), []

    def slow_spectrum(*arguments):
        num_calls.append(1)
        threading.Event().wait(0.05)  # the other threads are here by now
        return power_spectrum(*arguments)

    monkeypatch.setattr(map_samples, "power_spectrum", slow_spectrum)
    map_set = MapSet(maps_of(5), np.arange(5), BOX_SIZE)

    def ask(_):
        together.wait()
        return map_set.power("log10")

    with ThreadPoolExecutor(4) as pool:
        spectra = list(pool.map(ask, range(4)))
    assert len(num_calls) == 1
    assert all(spectrum is spectra[0] for spectrum in spectra)


@pytest.mark.parametrize("name", DIAGNOSTICS)
def test_a_diagnostic_does_not_depend_on_what_was_measured_before(name):
    alone, after_others = full_samples(), full_samples()
    for other_name, diagnose in DIAGNOSTICS.items():
        if other_name != name:
            diagnose(after_others)
    np.testing.assert_equal(plain(DIAGNOSTICS[name](after_others)), plain(DIAGNOSTICS[name](alone)))


def test_what_is_kept_is_read_only():
    map_set = MapSet(maps_of(5), np.arange(5), BOX_SIZE)
    spectrum = map_set.power("log10")
    for array in (map_set.field("log10"), spectrum.power_mpc2_h2, spectrum.k_h_mpc, map_set.simulation_indices):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_pairs_are_the_same_simulations_in_any_order_and_number():
    maps = maps_of(6)
    assert samples_of(maps, maps, [3, 1, 2, 1, 2, 3], [1, 2, 3, 3, 3, 3]).is_paired
    assert not samples_of(maps, maps, [3, 1, 2, 1, 2, 3], [1, 2, 4, 4, 4, 4]).is_paired
    assert not samples_of(maps, maps).is_paired
    assert samples_of(maps, maps).box_size_mpc_h == BOX_SIZE


def test_lists_and_integers_are_taken():
    samples = MapSamples.from_arrays([[[1, 2], [3, 4]]], [0], [[[4, 3], [2, 1]]], [0], 1, real_theta=[[1]])
    assert samples.real.field("log10")[0, 0, 1] == np.log10(2.0)
    assert samples.real.theta.dtype == np.float64
    assert samples.generated.theta is None


def with_pixel(value):
    maps = maps_of(6, seed=4)
    maps[2, 3, 4] = value
    return maps


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"real_maps": np.ones((6, 8, 7))},
            r"real_maps: expected real maps \[N, n, n\].*Received: float64 \(6, 8, 7\)",
        ),
        ({"real_maps": np.ones((0, 8, 8))}, r"real_maps: .*N > 0\. Received: float64 \(0, 8, 8\)"),
        ({"generated_maps": np.ones((6, 8, 8), complex)}, r"generated_maps: .*Received: complex128"),
        (
            {"generated_maps": with_pixel(np.nan)},
            r"generated_maps: expected finite pixels\. Received: 1 that are not, in 1 of 6 .*first is map 2",
        ),
        ({"real_maps": with_pixel(np.inf)}, r"real_maps: expected finite pixels"),
        ({"real_maps": with_pixel(0.0)}, r"real_maps: expected positive pixels\. Received: 1 that are not"),
        ({"generated_maps": -maps_of(6)}, r"generated_maps: expected positive pixels\. Received: 384 that are not"),
        ({"generated_maps": maps_of(6, num_pixels=4)}, r"generated_maps: expected maps of \(8, 8\).*\(4, 4\)"),
        ({"real_simulation": np.arange(5)}, r"real_simulation: .*shape \(6,\)\. Received: \(5,\)"),
        ({"generated_simulation": np.ones((6, 1))}, r"generated_simulation: .*Received: \(6, 1\)"),
        ({"box_size_mpc_h": 0.0}, r"box_size_mpc_h: expected a positive length in Mpc/h\. Received: 0\.0"),
        ({"box_size_mpc_h": np.nan}, r"box_size_mpc_h: .*Received: nan"),
        ({"real_theta": THETA[:5]}, r"real_theta: expected one row .* each of 6 maps\. Received: \(5, 2\)"),
        ({"generated_theta": np.ones(6)}, r"generated_theta: .*Received: \(6,\)"),
        ({"generated_theta": np.full((6, 2), np.nan)}, r"generated_theta: .*Received: \(6, 2\), 12 not finite"),
        ({"generated_theta": np.ones((6, 3))}, r"generated_theta: expected 2 parameters.*Received: 3"),
    ],
)
def test_wrong_input(change, message):
    arguments = {
        "real_maps": maps_of(6),
        "real_simulation": np.arange(6),
        "generated_maps": maps_of(6, seed=1),
        "generated_simulation": np.arange(6),
        "box_size_mpc_h": BOX_SIZE,
        "real_theta": THETA[:6],
        "generated_theta": THETA[:6],
    }
    with pytest.raises(InputError, match=message):
        MapSamples.from_arrays(**(arguments | change))


def test_the_two_sides_are_in_one_box():
    real, generated = (MapSet(maps_of(3), np.arange(3), size) for size in (25.0, 50.0))
    with pytest.raises(InputError, match=r"box_size_mpc_h: expected the box of the real maps, 25\.0 .*Received: 50\.0"):
        MapSamples(real, generated)


@pytest.mark.parametrize("measure", ["field", "power", "log_power"])
def test_an_unknown_field_is_named(measure):
    map_set = MapSet(maps_of(3), np.arange(3), BOX_SIZE)
    with pytest.raises(InputError, match=r'field: expected "log10" or "overdensity"\. Received: \'linear\''):
        getattr(map_set, measure)("linear")


def test_a_set_alone_has_maps_without_a_side_and_power_on_every_scale():
    flat = MapSet(np.ones((4, 8, 8)), np.arange(4), BOX_SIZE)
    with pytest.raises(InputError, match=r"^maps: expected maps that fluctuate.*Received: 2 of 2 maps with no power"):
        flat.log_power("log10", [0, 3])
