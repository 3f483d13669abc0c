"""Counts of peaks and voids against closed forms."""

import numpy as np
import pytest
from scipy import stats

from higlow_tf.diagnostics import peak_counts, void_counts
from higlow_tf.errors import InputError

NUM_SIGMAS = 5.0  # chance of a false alarm below 1e-5 for all thresholds together
THRESHOLDS = np.array([-1.0, 0.0, 1.0, 2.0])
BOX_SIZE = 25.0


def mean_and_error(summary):
    return summary.values.mean(axis=0), summary.values.std(axis=0) / np.sqrt(len(summary.values))


def test_white_noise_has_its_share_of_peaks_and_voids():
    num_pixels = 16
    fields = 6.5 + 0.4 * np.random.default_rng(0).normal(size=(300, num_pixels, num_pixels))
    # The largest of nine pixels, and above the threshold; per area.
    expected = (1 - stats.norm.cdf(THRESHOLDS) ** 9) / 9 * (num_pixels / BOX_SIZE) ** 2
    mean, error = mean_and_error(peak_counts(fields, BOX_SIZE, THRESHOLDS, mean=6.5, sd=0.4))
    assert np.all(np.abs(mean - expected) < NUM_SIGMAS * error)
    assert np.all(NUM_SIGMAS * error < 0.2 * expected)
    mean, error = mean_and_error(void_counts(fields, BOX_SIZE, -THRESHOLDS, mean=6.5, sd=0.4))
    assert np.all(np.abs(mean - expected) < NUM_SIGMAS * error)


def test_smooth_gaussian_fields_have_the_density_of_maxima():
    num_maps, num_pixels, radius = 60, 64, 3.0
    k = 2 * np.pi * np.fft.fftfreq(num_pixels)
    k2 = k[:, None] ** 2 + k**2
    kernel = np.exp(-k2 * radius**2 / 2)
    white = np.random.default_rng(1).normal(size=(num_maps, num_pixels, num_pixels))
    fields = np.fft.ifft2(np.fft.fft2(white) * kernel).real
    mean, error = mean_and_error(peak_counts(fields, float(num_pixels), np.array([-np.inf])))
    expected = np.mean(k2**2 * kernel**2) / np.mean(k2 * kernel**2) / (8 * np.sqrt(3) * np.pi)
    # Pixels miss maxima that are closer than two pixels: 1 % at this smoothing.
    assert abs(mean[0] / expected - 1) < 0.01 + NUM_SIGMAS * error[0] / expected
    assert NUM_SIGMAS * error[0] < 0.1 * expected


def test_a_peak_over_the_corner_counts_and_a_plateau_does_not():
    field = np.zeros((6, 6))
    field[0, 0], field[5, 5] = 2.0, 1.0  # neighbours over the corner: only the higher is a peak
    assert (peak_counts(field[None], 1.0, np.array([0.5, 1.5, 2.5])).values == [[1, 1, 0]]).all()
    field[5, 5] = 2.0
    assert peak_counts(field[None], 1.0, np.array([0.5])).values == 0


def test_voids_are_the_peaks_of_the_opposite_field():
    fields = np.random.default_rng(2).normal(size=(3, 8, 8))
    voids = void_counts(fields, BOX_SIZE, THRESHOLDS, mean=0.5, sd=2.0)
    peaks = peak_counts(-fields, BOX_SIZE, -THRESHOLDS, mean=-0.5, sd=2.0)
    assert np.array_equal(voids.values, peaks.values)
    assert voids.values.any()
    assert (voids.name, peaks.name) == ("voids", "peaks")
    assert np.array_equal(voids.x, THRESHOLDS)


def test_wrong_input():
    with pytest.raises(InputError, match=r"box_size_mpc_h: .*Received: nan"):
        peak_counts(np.ones((1, 4, 4)), np.nan, THRESHOLDS)
