"""The bispectrum against sums over triangles, closed forms, and zero for Gaussian fields."""

import itertools

import numpy as np
import pytest

from higlow_tf.diagnostics import bispectrum
from higlow_tf.errors import InputError

BOX_SIZE = 25.0
ROUNDING = 1e-9  # float64 FFTs of a few hundred pixels, relative to the largest value
NUM_SIGMAS = 5.0  # chance of a false alarm below 1e-5 for all bins together


def wave_numbers(num_pixels):
    return np.fft.fftfreq(num_pixels, 1 / num_pixels).astype(int)


def gaussian_fields(num_maps, num_pixels, power, seed):
    """Fields with the given power of each mode (unnormalised FFT of unit white noise times its root)."""
    white = np.random.default_rng(seed).normal(size=(num_maps, num_pixels, num_pixels))
    return np.fft.ifft2(np.fft.fft2(white) * np.sqrt(power)).real


def triangles(num_pixels, bins):
    """Indices of all ordered triples of modes in three bins whose wave vectors add up to zero, one by one."""
    waves = list(itertools.product(wave_numbers(num_pixels), repeat=2))
    members = [[wave for wave in waves if round(np.hypot(*wave)) == multiple] for multiple in bins]
    third = set(members[2])
    pairs = itertools.product(members[0], members[1])
    triples = [(first, second, (-first[0] - second[0], -first[1] - second[1])) for first, second in pairs]
    return np.array([triple for triple in triples if triple[2] in third])


def both_shapes(fields, box_size=BOX_SIZE):
    shapes = bispectrum(fields, box_size)
    return np.stack([shapes.equilateral.values, shapes.squeezed.values], axis=1)


def test_is_the_sum_over_all_triangles():
    field = np.random.default_rng(0).exponential(size=(11, 11))
    modes = np.fft.fft2(field) / field.size
    values = both_shapes(field[None])[0]
    assert values.shape == (2, 3)
    for row, lowest in enumerate((None, 1)):
        for column, multiple in enumerate((1, 2, 3)):
            found = triangles(11, (lowest or multiple, multiple, multiple))
            assert len(found) > 0
            products = np.prod(modes[found[..., 0], found[..., 1]], axis=1)
            expected = BOX_SIZE**4 * products.mean()
            assert expected.imag == pytest.approx(0.0, abs=ROUNDING * np.abs(values).max())
            assert values[row, column] == pytest.approx(expected.real, abs=ROUNDING * np.abs(values).max())


def test_bins_end_where_sums_would_alias():
    shapes = bispectrum(np.random.default_rng(0).normal(size=(1, 64, 64)), BOX_SIZE)
    assert shapes.equilateral.x == pytest.approx(np.arange(1, 21) * 2 * np.pi / BOX_SIZE)
    assert np.array_equal(shapes.squeezed.x, shapes.equilateral.x)
    assert len(bispectrum(np.ones((1, 5, 5)), BOX_SIZE).equilateral.x) == 1


def test_independent_skewed_pixels_have_their_third_cumulant():
    num_maps, num_pixels = 300, 16
    fields = np.random.default_rng(1).exponential(size=(num_maps, num_pixels, num_pixels))
    values = both_shapes(fields)
    expected = 2.0 * (BOX_SIZE / num_pixels) ** 4  # the third cumulant of the exponential distribution is 2
    error = values.std(axis=0) / np.sqrt(num_maps)
    assert np.all(np.abs(values.mean(axis=0) - expected) < NUM_SIGMAS * error)
    assert np.all(expected > 3 * error)  # it is seen


def test_gaussian_fields_have_none():
    num_maps, num_pixels = 300, 16
    waves = wave_numbers(num_pixels)
    values = both_shapes(gaussian_fields(num_maps, num_pixels, np.exp(-np.hypot(waves[:, None], waves) / 3), seed=2))
    pulls = values.mean(axis=0) / (values.std(axis=0) / np.sqrt(num_maps))
    assert np.all(np.abs(pulls) < NUM_SIGMAS)


def test_leading_order_of_a_squared_gaussian_field():
    num_maps, num_pixels, factor = 150, 12, 1e-3
    waves = wave_numbers(num_pixels)
    power = np.exp(-np.hypot(waves[:, None], waves) / 2)
    fields = gaussian_fields(num_maps, num_pixels, power, seed=3)
    # Half of the difference of opposite factors has neither the noise of the Gaussian field nor other even orders.
    values = (both_shapes(fields + factor * fields**2) - both_shapes(fields - factor * fields**2)) / 2
    power_mpc2_h2 = power * (BOX_SIZE / num_pixels) ** 2
    error = values.std(axis=0) / np.sqrt(num_maps)
    for row, lowest in enumerate((None, 1)):
        for column, multiple in enumerate((1, 2, 3)):
            found = triangles(num_pixels, (lowest or multiple, multiple, multiple))
            first, second, third = np.moveaxis(power_mpc2_h2[found[..., 0], found[..., 1]], 1, 0)
            expected = 2 * factor * np.mean(first * second + second * third + third * first)
            assert abs(values[:, row, column].mean() - expected) < NUM_SIGMAS * error[row, column]
            assert error[row, column] < 0.2 * expected  # a wrong factor of two or a missing permutation is seen


def test_scales_with_the_cube_of_the_field_and_the_box():
    fields = np.random.default_rng(4).exponential(size=(2, 12, 12))
    values = both_shapes(fields)
    scale = np.abs(values).max()
    assert both_shapes(-2 * fields + 5) == pytest.approx(-8 * values, abs=8 * ROUNDING * scale)
    assert both_shapes(fields, 2 * BOX_SIZE) == pytest.approx(16 * values, abs=16 * ROUNDING * scale)


@pytest.mark.parametrize(
    ("fields", "box_size", "message"),
    [
        (np.ones((1, 4, 4)), BOX_SIZE, r"at least 5 pixels a side\. Received: 4"),
        (np.ones((1, 8, 8)), 0.0, r"box_size_mpc_h: .*Received: 0\.0"),
        (np.ones((8, 8)), BOX_SIZE, r"fields: .*Received: float64 \(8, 8\)"),
    ],
)
def test_wrong_input(fields, box_size, message):
    with pytest.raises(InputError, match=message):
        bispectrum(fields, box_size)
