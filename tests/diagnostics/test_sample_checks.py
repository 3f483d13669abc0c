"""Planted faults are counted, one a sample and kind; good samples have none."""

import numpy as np
import pytest

from higlow_tf.diagnostics.sample_checks import check_samples
from higlow_tf.errors import InputError

EXTREMES = (5.0, 8.0)


def samples(num_samples=10, seed=0):
    return 10 ** np.random.default_rng(seed).uniform(*EXTREMES, size=(num_samples, 4, 4)).astype(np.float32)


def test_good_samples_have_no_fault():
    maps = samples()
    checks = check_samples(maps, *EXTREMES)
    assert checks.num_samples == 10
    assert checks.num_bad == 0
    assert checks.fraction_pixels_out_of_range == 0
    assert (checks.lowest_log10, checks.highest_log10) == pytest.approx((np.log10(maps.min()), np.log10(maps.max())))


def test_every_fault_is_counted_once_a_sample():
    maps = samples()
    maps[0, 0, :2] = np.nan, np.inf
    maps[1, 0, 0] = -np.inf
    maps[1, 0, 1] = 0.0  # has two faults
    maps[2, :, 0] = -1.0
    maps[3, 0, :3] = 10**9.01, 10**3.99, 10**8.99  # the last is within a decade of the extreme
    maps[4] = 3e6
    checks = check_samples(maps, *EXTREMES)
    assert (checks.num_nonfinite, checks.num_nonpositive, checks.num_out_of_range, checks.num_constant) == (2, 2, 1, 1)
    assert checks.num_bad == 5
    assert checks.fraction_pixels_out_of_range == pytest.approx(2 / maps.size)
    assert (checks.lowest_log10, checks.highest_log10) == pytest.approx((3.99, 9.01))


def test_maps_with_channels():
    maps = samples()[..., None] * np.ones(2)
    maps[3, 0, 0, 1] = np.nan
    assert check_samples(maps, *EXTREMES).num_nonfinite == 1


def test_samples_without_a_usable_pixel_have_no_extremes():
    checks = check_samples(np.full((2, 4, 4), np.nan), *EXTREMES)
    assert (checks.num_nonfinite, checks.num_constant, checks.num_bad) == (2, 0, 2)
    assert checks.lowest_log10 is None
    assert checks.highest_log10 is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((4, 4)), *EXTREMES), r"samples: .*Received: float64 \(4, 4\)"),
        ((np.ones((0, 4, 4)), *EXTREMES), r"samples: .*Received: float64 \(0, 4, 4\)"),
        ((samples(), 8.0, 5.0), r"lowest_log10, highest_log10: .*Received: 8\.0, 5\.0"),
        ((samples(), np.nan, 5.0), r"lowest_log10, highest_log10: .*Received: nan"),
    ],
)
def test_wrong_input(arguments, message):
    with pytest.raises(InputError, match=message):
        check_samples(*arguments)
