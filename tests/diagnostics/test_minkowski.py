"""Minkowski functionals against closed forms and scikit-image."""

import numpy as np
import pytest
from scipy import stats
from skimage import measure

from higlow_tf.diagnostics import minkowski_functionals
from higlow_tf.errors import InputError

ROUNDING = 1e-12  # counts of pixels times a constant
NUM_SIGMAS = 5.0  # chance of a false alarm below 1e-5 for all thresholds together
THRESHOLDS = np.array([-1.5, -0.7, 0.0, 0.7, 1.5])


def smooth_gaussian_fields(num_maps, num_pixels, radius_pixels, seed=0):
    """Fields of unit variance, and the sd of their gradient per pixel."""
    k = 2 * np.pi * np.fft.fftfreq(num_pixels)
    k2 = k[:, None] ** 2 + k**2
    kernel = np.exp(-k2 * radius_pixels**2 / 2)
    sd, gradient = np.sqrt(np.mean(kernel**2)), np.sqrt(np.mean(k2 * kernel**2))
    white = np.random.default_rng(seed).normal(size=(num_maps, num_pixels, num_pixels))
    return np.fft.ifft2(np.fft.fft2(white) * kernel / sd).real, gradient / sd


def assert_within_errors(summary, expected, bias):
    """`bias` is what the lattice may add, as a share of the largest expected value."""
    error = summary.values.std(axis=0) / np.sqrt(len(summary.values))
    assert np.all(np.abs(summary.values.mean(axis=0) - expected) < NUM_SIGMAS * error + bias * np.abs(expected).max())
    assert np.all(NUM_SIGMAS * error < 0.3 * np.abs(expected).max())  # the bound means something


def test_smooth_gaussian_fields_have_the_closed_forms():
    num_pixels = 48
    fields, gradient = smooth_gaussian_fields(150, num_pixels, radius_pixels=3)
    functionals = minkowski_functionals(fields, num_pixels, THRESHOLDS)  # lengths in pixels
    gauss = np.exp(-(THRESHOLDS**2) / 2)
    assert_within_errors(functionals.area, stats.norm.sf(THRESHOLDS), bias=0.0)
    assert_within_errors(functionals.perimeter, gradient / np.sqrt(8) * gauss, bias=0.02)
    euler = gradient**2 / 2 / (2 * np.pi) ** 1.5 * THRESHOLDS * gauss
    assert_within_errors(functionals.euler, euler, bias=0.02)


def test_white_noise_has_the_closed_forms_of_the_lattice():
    num_pixels, box_size = 16, 25.0
    fields = np.random.default_rng(1).normal(size=(200, num_pixels, num_pixels))
    functionals = minkowski_functionals(3 + 2 * fields, box_size, THRESHOLDS, mean=3.0, sd=2.0)
    pixel = box_size / num_pixels
    share = stats.norm.sf(THRESHOLDS)
    assert_within_errors(functionals.area, share, bias=0.0)
    # Two neighbours differ with probability 2 p (1 - p); half of the directions have length sqrt(2).
    perimeter = np.pi / (2 * pixel) * 2 * share * (1 - share) * (1 + np.sqrt(0.5)) / 2
    assert_within_errors(functionals.perimeter, perimeter, bias=0.0)
    # One pixel of four with probability 4 p (1 - p)**3, three with 4 p**3 (1 - p).
    assert_within_errors(functionals.euler, share * (1 - share) * (1 - 2 * share) / pixel**2, bias=0.0)


@pytest.mark.parametrize("seed", range(3))
def test_equals_scikit_image_on_sets_that_do_not_reach_the_edge(seed):
    num_pixels = 12
    is_set = np.zeros((num_pixels, num_pixels), bool)
    is_set[2:-2, 2:-2] = np.random.default_rng(seed).random((num_pixels - 4, num_pixels - 4)) < 0.5
    functionals = minkowski_functionals(is_set[None] * 1.0, num_pixels, np.array([0.5]))
    euler = np.mean([measure.euler_number(is_set, connectivity=connectivity) for connectivity in (1, 2)])
    assert functionals.euler.values[0, 0] * num_pixels**2 == pytest.approx(euler, abs=ROUNDING * num_pixels**2)
    perimeter = measure.perimeter_crofton(is_set, directions=4)
    assert functionals.perimeter.values[0, 0] * num_pixels**2 == pytest.approx(perimeter, rel=ROUNDING)
    assert functionals.area.values[0, 0] == is_set.mean()


def test_the_complement_has_the_same_boundary_and_the_opposite_euler_characteristic():
    fields = np.random.default_rng(2).normal(size=(3, 8, 8))
    above, below = (minkowski_functionals(sign * fields, 8.0, THRESHOLDS) for sign in (1, -1))
    assert below.area.values[:, ::-1] == pytest.approx(1 - above.area.values, abs=ROUNDING)
    assert below.perimeter.values[:, ::-1] == pytest.approx(above.perimeter.values, abs=ROUNDING)
    assert below.euler.values[:, ::-1] == pytest.approx(-above.euler.values, abs=ROUNDING)


@pytest.mark.parametrize("angle", np.arange(0, 90, 15))
def test_perimeter_of_a_straight_edge_within_the_stated_bias(angle):
    # Stripes along lattice vectors close to the angle are periodic.
    num_pixels = 120
    steps = np.rint(5 * np.array([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))]))
    phase = (np.indices((num_pixels, num_pixels)) * steps[:, None, None]).sum(axis=0) / num_pixels
    functionals = minkowski_functionals(np.sin(2 * np.pi * phase)[None], float(num_pixels), np.array([0.1]))
    expected = 2 * np.hypot(*steps) / num_pixels  # two edges a wavelength
    assert functionals.perimeter.values[0, 0] == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize(
    ("thresholds", "sd", "message"),
    [
        (np.array([1.0, 0.0]), 1.0, r"thresholds: expected ascending"),
        (np.array([0.0, 1.0]), -1.0, r"thresholds: .*Received: .*sd -1\.0"),
    ],
)
def test_wrong_input(thresholds, sd, message):
    with pytest.raises(InputError, match=message):
        minkowski_functionals(np.ones((1, 4, 4)), 25.0, thresholds, sd=sd)
