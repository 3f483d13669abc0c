"""All field statistics together: names, symmetries, and generators that are right and wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_samples import BOX_SIZE, samples_of

from higlow_tf.diagnostics import (
    bispectrum,
    compare_statistics,
    minkowski_functionals,
    peak_counts,
    texture,
    void_counts,
)
from higlow_tf.errors import InputError

ROUNDING = 1e-9  # float64 FFTs; the counts are exact
NAMES = {
    "bispectrum_equilateral",
    "bispectrum_squeezed",
    "minkowski_area",
    "minkowski_perimeter",
    "minkowski_euler",
    "peaks",
    "voids",
    "texture",
}


def skewed_fields(num_maps, seed, num_pixels=16):
    """Smooth fields with bright peaks."""
    k = np.fft.fftfreq(num_pixels, 1 / num_pixels)
    kernel = np.exp(-(k[:, None] ** 2 + k**2) / 32)
    white = np.random.default_rng(seed).normal(size=(num_maps, num_pixels, num_pixels))
    smooth = np.fft.ifft2(np.fft.fft2(white) * kernel).real
    return 6.5 + 0.3 * np.exp(smooth)


def compare(real, generated, **options):
    """Fields are log10; one map a simulation, other simulations on either side."""
    return compare_statistics(samples_of(10**real, 10**generated), **options)


def significance(comparison):
    return np.max(np.abs(comparison.deviation) / np.maximum(comparison.error, comparison.floor))


@settings(deadline=None, max_examples=15)
@given(shift=st.tuples(st.integers(0, 11), st.integers(0, 11)), seed=st.integers(0, 2**32 - 1))
def test_symmetries(shift, seed):
    fields = np.random.default_rng(seed).exponential(size=(2, 12, 12))
    thresholds, edges = np.array([0.2, 0.7, 1.5]), np.array([0.3, 0.8, 1.6])

    def measure(fields):
        shapes, sets = bispectrum(fields, BOX_SIZE), minkowski_functionals(fields, BOX_SIZE, thresholds)
        peaks, voids = (count(fields, BOX_SIZE, thresholds) for count in (peak_counts, void_counts))
        return (
            shapes.equilateral,
            shapes.squeezed,
            sets.area,
            sets.perimeter,
            sets.euler,
            peaks,
            voids,
            texture(fields, edges),
        )

    expected = measure(fields)
    assert {summary.name for summary in expected} == NAMES
    for same in (np.roll(fields, shift, axis=(1, 2)), fields[:, ::-1], fields[:, :, ::-1], np.swapaxes(fields, 1, 2)):
        for summary, before in zip(measure(same), expected, strict=True):
            scale = np.abs(before.values).max()
            assert summary.values == pytest.approx(before.values, abs=ROUNDING * scale), summary.name


def test_equal_generators_agree_and_report_progress():
    steps = []
    comparisons = compare(
        skewed_fields(60, seed=0), skewed_fields(60, seed=1), progress=lambda *step: steps.append(step)
    )
    assert set(comparisons) == NAMES
    assert [comparison.name for comparison in comparisons.values()] == list(comparisons)
    assert steps == [("statistics", step, 5) for step in range(1, 6)]
    for comparison in comparisons.values():
        # Up to 33 correlated bins, of which those with few events have long tails.
        assert significance(comparison) < 5.0
        assert np.isfinite(comparison.deviation).all()


def test_shuffled_pixels_have_the_right_area_only():
    real = skewed_fields(60, seed=2)
    shuffled = np.random.default_rng(3).permuted(skewed_fields(60, seed=4).reshape(60, -1), axis=1).reshape(real.shape)
    comparisons = compare(real, shuffled)
    assert significance(comparisons["minkowski_area"]) < 5.0
    for name in ("minkowski_perimeter", "minkowski_euler", "peaks", "voids", "texture"):
        assert significance(comparisons[name]) > 5.0, name


def test_random_phases_have_the_right_power_only():
    real, skewed = skewed_fields(60, seed=5), skewed_fields(60, seed=6)
    white = np.fft.fft2(np.random.default_rng(7).normal(size=real.shape))
    generated = np.fft.ifft2(np.fft.fft2(skewed) * white / np.abs(white)).real
    comparisons = compare(real, generated)
    assert significance(comparisons["bispectrum_squeezed"]) > 3.0  # the noise of a few modes of 60 maps
    for name in ("minkowski_perimeter", "minkowski_euler", "peaks", "voids", "texture"):
        assert significance(comparisons[name]) > 5.0, name


@pytest.mark.parametrize(
    ("real", "message"),
    [
        (np.zeros((8, 8, 8)), r"real_maps: expected pixels that differ\. Received: 512 pixels"),
        (skewed_fields(8, seed=0, num_pixels=7), r"fields: expected at least 8 pixels a side\. Received: 7"),
    ],
)
def test_wrong_input(real, message):
    with pytest.raises(InputError, match=message):
        compare(real, skewed_fields(8, seed=1, num_pixels=real.shape[1]))
