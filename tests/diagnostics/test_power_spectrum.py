"""P(k) against closed forms, NumPy and the mock maps."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from higlow_tf.diagnostics import log10_field, overdensity, power_spectrum
from higlow_tf.diagnostics.power_spectrum import mode_bins
from higlow_tf.errors import InputError

BOX_SIZE = 25.0
ROUNDING = 1e-9  # float64 FFTs of a few hundred pixels, sums of a few dozen modes
NUM_SIGMAS = 5.0  # chance of a false alarm below 1e-5 for all bins together
SHARED_DATA = Path(os.environ.get("HIGLOW_SHARED_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
MOCK_MAPS = SHARED_DATA / "pm_mock" / "Maps_HI_PMRahmati_LH_z=6.00.npy"


def white_noise(num_maps, num_pixels, sd=1.0, seed=0):
    return sd * np.random.default_rng(seed).normal(size=(num_maps, num_pixels, num_pixels))


def test_white_noise_is_flat_at_variance_times_pixel_area():
    num_maps, num_pixels, sd = 400, 16, 0.7
    spectrum = power_spectrum(white_noise(num_maps, num_pixels, sd), BOX_SIZE)
    expected = sd**2 * (BOX_SIZE / num_pixels) ** 2
    # Half of the modes are independent, each with an exponential |.|**2.
    error = expected * np.sqrt(2 / (spectrum.modes * num_maps))
    assert np.all(np.abs(spectrum.power_mpc2_h2.mean(axis=0) - expected) < NUM_SIGMAS * error)


@pytest.mark.parametrize("num_pixels", [17, 18])
def test_equals_its_definition_in_numpy(num_pixels):
    field = white_noise(1, num_pixels, seed=1)[0]
    power = np.abs(np.fft.fft2(field, norm="ortho")) ** 2 * (BOX_SIZE / num_pixels) ** 2
    wave = np.fft.fftfreq(num_pixels, 1 / num_pixels)
    radius = np.hypot(*np.meshgrid(wave, wave, indexing="ij"))
    spectrum = power_spectrum(field[None], BOX_SIZE)
    assert spectrum.k_h_mpc == pytest.approx(np.arange(1, num_pixels // 2 + 1) * 2 * np.pi / BOX_SIZE)
    for i in range(num_pixels // 2):
        in_bin = (radius >= i + 0.5) & (radius < i + 1.5)
        assert spectrum.modes[i] == in_bin.sum()
        assert spectrum.power_mpc2_h2[0, i] == pytest.approx(power[in_bin].mean(), rel=ROUNDING)


@pytest.mark.parametrize("num_pixels", [9, 16])
def test_mode_bins_are_the_bins_of_the_spectrum(num_pixels):
    field = white_noise(1, num_pixels, seed=2)
    squared = np.abs(np.fft.fft2(field[0], norm="ortho")) ** 2 * (BOX_SIZE / num_pixels) ** 2
    bins, spectrum = mode_bins(num_pixels), power_spectrum(field, BOX_SIZE)
    for i in range(num_pixels // 2):
        assert spectrum.power_mpc2_h2[0, i] == pytest.approx(squared[bins == i + 1].mean(), rel=ROUNDING)
        assert spectrum.modes[i] == np.count_nonzero(bins == i + 1)


def test_plane_wave_has_power_in_its_bin_only():
    num_pixels, amplitude, wave = 16, 1.5, 3
    x = np.arange(num_pixels) / num_pixels
    field = amplitude * np.cos(2 * np.pi * wave * x)[:, None] * np.ones(num_pixels)
    spectrum = power_spectrum(field[None], BOX_SIZE)
    expected = np.zeros(num_pixels // 2)
    expected[wave - 1] = amplitude**2 * BOX_SIZE**2 / (2 * spectrum.modes[wave - 1])
    assert spectrum.power_mpc2_h2[0] == pytest.approx(expected, rel=ROUNDING, abs=ROUNDING)


@settings(deadline=None, max_examples=15)
@given(
    shift=st.tuples(st.integers(0, 11), st.integers(0, 11)),
    factor=st.floats(0.1, 10.0),
    offset=st.floats(-5.0, 5.0),
    seed=st.integers(0, 2**32 - 1),
)
def test_symmetries(shift, factor, offset, seed):
    fields = white_noise(2, 12, seed=seed)
    power = power_spectrum(fields, BOX_SIZE).power_mpc2_h2
    for same in (np.roll(fields, shift, axis=(1, 2)), fields[:, ::-1], np.swapaxes(fields, 1, 2), fields + offset):
        assert power_spectrum(same, BOX_SIZE).power_mpc2_h2 == pytest.approx(power, rel=ROUNDING)
    assert power_spectrum(factor * fields, BOX_SIZE).power_mpc2_h2 == pytest.approx(factor**2 * power, rel=ROUNDING)


def test_each_map_by_itself():
    fields = white_noise(3, 8)
    together = power_spectrum(fields, BOX_SIZE).power_mpc2_h2
    assert np.array_equal(together[1:2], power_spectrum(fields[1:2], BOX_SIZE).power_mpc2_h2)


def test_fields():
    maps = np.array([[[1.0, 10.0], [100.0, 1.0]], [[2.0, 2.0], [4.0, 8.0]]], np.float32)
    assert log10_field(maps)[0].tolist() == [[0.0, 1.0], [2.0, 0.0]]
    assert overdensity(maps)[1] == pytest.approx(np.array([[-0.5, -0.5], [0.0, 1.0]]))
    assert log10_field(maps).dtype == overdensity(maps).dtype == np.float64


@pytest.mark.parametrize(
    ("function", "maps", "message"),
    [
        (log10_field, np.zeros((1, 4, 4)), r"expected positive pixels\. Received: 16"),
        (overdensity, -np.ones((1, 4, 4)), r"positive mean\. Received: a map with the mean -1"),
        (log10_field, np.full((2, 4, 4), np.nan), r"Received: 32 that are not, in 2 of 2 maps \(the first is map 0\)"),
        (overdensity, np.ones((4, 4)), r"expected real maps \[N, n, n\].*Received: float64 \(4, 4\)"),
        (lambda maps: power_spectrum(maps, BOX_SIZE), np.ones((1, 4, 5)), r"fields: .*Received: float64 \(1, 4, 5\)"),
        (lambda maps: power_spectrum(maps, BOX_SIZE), np.ones((1, 1, 1)), r"at least 2 pixels a side\. Received: 1"),
        (lambda maps: power_spectrum(maps, -1.0), np.ones((1, 4, 4)), r"box_size_mpc_h: .*Received: -1"),
    ],
)
def test_wrong_input(function, maps, message):
    with pytest.raises(InputError, match=message):
        function(maps)


@pytest.mark.skipif(not MOCK_MAPS.is_file(), reason="the shared mock maps are not here")
def test_mock_maps_have_the_known_power():
    maps = np.load(MOCK_MAPS, mmap_mode="r")[::9]
    spectrum = power_spectrum(log10_field(maps), BOX_SIZE)
    mean = spectrum.power_mpc2_h2[:, 0].mean()
    error = spectrum.power_mpc2_h2[:, 0].std() / np.sqrt(len(maps))
    assert spectrum.k_h_mpc[0] == pytest.approx(0.25, abs=0.002)
    # The known value has two digits: half a unit of the last, and the scatter of this ninth of the maps.
    assert abs(mean - 2.3) < 0.05 + 3 * error
