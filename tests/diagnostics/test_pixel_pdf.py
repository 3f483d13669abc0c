"""Pixel distributions: closed form, errors, floor, extremes."""

import numpy as np
import pytest
from scipy import stats
from toy_samples import paired_samples, samples_of

from higlow_tf.diagnostics import pixel_pdf
from higlow_tf.errors import InputError, InputWarning


def maps_of(num_maps, seed, mean=6.5, sd=0.4, num_pixels=16):
    return 10 ** (mean + sd * np.random.default_rng(seed).normal(size=(num_maps, num_pixels, num_pixels)))


def measure(real, generated, **options):
    return pixel_pdf(samples_of(real, generated), **options)


def test_gaussian_pixels_have_a_gaussian_density():
    pdf = measure(maps_of(200, seed=0), maps_of(200, seed=1))
    edges = np.stack([pdf.log10_hi - 0.05, pdf.log10_hi + 0.05])
    expected = np.diff(stats.norm(6.5, 0.4).cdf(edges), axis=0)[0] / 0.1
    error = np.sqrt(expected / (0.1 * 200 * 16**2))  # Poisson
    for density in (pdf.real_density, pdf.generated_density):
        assert np.all(np.abs(density - expected) < 5 * error)
    assert np.sum(pdf.real_density) * pdf.bin_width_dex == pytest.approx(1.0, abs=0.01)  # rare bins are dropped


def test_errors_and_floor_of_equal_generators():
    pdf = measure(maps_of(100, seed=2), maps_of(100, seed=3))
    is_common = pdf.real_density > 0.02  # at least 50 pixels, so that ratios are nearly Gaussian
    pull2 = np.mean(((pdf.ratio - 1) / pdf.ratio_error)[is_common] ** 2)
    assert 0.4 < pull2 < 2.0  # about 23 bins: scatter of 0.3
    assert np.mean(np.abs(pdf.ratio - 1)[is_common] / pdf.ratio_floor[is_common]) == pytest.approx(1.0, abs=0.5)


def test_a_shifted_generator_is_seen():
    pdf = measure(maps_of(100, seed=4), maps_of(100, seed=5, mean=6.6))
    is_left = (pdf.log10_hi > 5.8) & (pdf.log10_hi < 6.2)
    assert np.all(1 - pdf.ratio[is_left] > 2 * pdf.ratio_floor[is_left])
    assert np.all(1 - pdf.ratio[is_left] > 4 * pdf.ratio_error[is_left])


def test_error_of_a_ratio_far_from_one():
    pdf = measure(maps_of(200, seed=9), maps_of(200, seed=10, mean=6.9))
    real_counts = pdf.real_density * 0.1 * 200 * 16**2
    is_tested = (real_counts > 300) & (pdf.ratio > 2)
    # Poisson in both: relative variance 1 / (ratio * counts) + 1 / counts.
    analytic = np.sqrt((pdf.ratio + pdf.ratio**2) / real_counts)[is_tested]
    # A bin's error scatters by 7 % (200 simulations, 200 resamples), and there are several.
    assert is_tested.sum() >= 4
    assert np.mean(pdf.ratio_error[is_tested] / analytic) == pytest.approx(1.0, abs=0.15)


def test_tails_and_the_worst_central_bin_of_equal_generators():
    pulls, sizes = [], []
    for seed in range(8):
        pdf = measure(maps_of(150, seed=20 + 2 * seed), maps_of(150, seed=21 + 2 * seed))
        assert pdf.tail_log10_hi == pytest.approx(stats.norm(6.5, 0.4).ppf([1e-3, 1 - 1e-3]), abs=0.05)
        pulls.append((pdf.tail_ratio - 1) / pdf.tail_ratio_error)
        worst = abs(pdf.worst_central_ratio - 1) / pdf.worst_central_ratio_floor
        sizes.append([*np.abs(pdf.tail_ratio - 1) / pdf.tail_ratio_floor, worst])
    # 38 pixels a tail: Poisson, so that the error of a ratio is about sqrt(2 / 38); 16 pulls**2 scatter by 0.35.
    assert np.mean(np.square(pulls)) == pytest.approx(1.0, abs=0.8)
    assert pdf.tail_ratio_error == pytest.approx(np.sqrt(2 / 38), rel=0.4)
    # 24 sizes of which each scatters by about 0.7.
    assert np.mean(sizes) == pytest.approx(1.0, abs=0.4)


def test_tails_are_their_definition():
    real, generated = maps_of(50, seed=11), maps_of(50, seed=12, sd=0.5)
    pdf = measure(real, generated)
    low, high = np.log10(np.sort(real.ravel())[[12, -13]])  # 12800 pixels: 13 are a thousandth or more
    assert pdf.tail_log10_hi == pytest.approx([low, high])
    masses = [np.sum(np.log10(generated) <= low) / 13, np.sum(np.log10(generated) >= high) / 13]
    assert pdf.tail_ratio == pytest.approx(masses)
    assert np.all(pdf.tail_ratio > 5)  # at 3.1 / 1.25 sd of the wider Gaussian


def test_worst_central_bin_is_the_one_that_was_changed():
    real, generated = maps_of(100, seed=13), maps_of(100, seed=14)
    pixels = np.log10(generated)
    changed = np.where((pixels > 6.5) & (pixels < 6.6), 10 ** (pixels + 0.1), generated)
    pdf = measure(real, changed)
    assert pdf.worst_central_log10_hi in (pytest.approx(6.55), pytest.approx(6.65))
    # The bin at 6.65 doubles but for its own slope; that at 6.55 is empty. Either is off by about one.
    assert abs(pdf.worst_central_ratio - 1) > 0.9
    assert abs(pdf.worst_central_ratio - 1) > 5 * pdf.worst_central_ratio_floor
    is_worst = pdf.log10_hi == pdf.worst_central_log10_hi
    assert pdf.worst_central_ratio_error == pytest.approx(pdf.ratio_error[is_worst][0])
    # Rare bins beyond the 1st and 99th percentile are not looked at, however far they are off.
    is_rare = np.log10(changed) > 7.7
    assert measure(real, np.where(is_rare, real.mean(), changed)).worst_central_ratio == pytest.approx(
        pdf.worst_central_ratio, abs=0.05
    )


def test_same_simulations_are_resampled_together():
    maps = maps_of(10, seed=6)
    pdf = pixel_pdf(paired_samples(maps, maps))
    assert np.array_equal(pdf.ratio, np.ones_like(pdf.ratio))
    assert pdf.ratio_error == pytest.approx(0.0, abs=1e-12)


def test_a_stray_pixel_moves_no_bin_and_is_reported():
    real, generated = maps_of(10, seed=7), maps_of(10, seed=8)
    before = measure(real, np.clip(generated, real.min(), real.max()))
    generated = np.clip(generated, real.min(), real.max())
    generated[0, 0, 0], generated[1, 0, 0] = 1e13, 1e-3
    after = measure(real, generated)
    assert np.array_equal(before.log10_hi, after.log10_hi)
    assert before.generated_fraction_outside == 0
    assert after.generated_fraction_outside == pytest.approx(2 / generated.size)
    assert after.generated_extremes_log10_hi == pytest.approx((-3.0, 13.0))
    assert after.real_extremes_log10_hi == pytest.approx((np.log10(real.min()), np.log10(real.max())))


def test_too_few_simulations_have_no_error_bar():
    with pytest.warns(InputWarning, match=r"pixel_pdf: no error bar.*Received: 3"):
        pdf = measure(maps_of(3, seed=0), maps_of(3, seed=1))
    assert pdf.ratio_error is None
    assert pdf.ratio_floor is None
    assert pdf.tail_ratio_error is pdf.tail_ratio_floor is None
    assert pdf.worst_central_ratio_error is pdf.worst_central_ratio_floor is None
    assert len(pdf.ratio) > 10


@pytest.mark.parametrize(
    ("real", "bin_width_dex", "message"),
    [
        (maps_of(8, seed=0, num_pixels=4), 0.0, r"bin_width_dex: .*Received: 0\.0"),
        (np.ones((8, 4, 4)) * 10.0 ** np.arange(8)[:, None, None], 0.1, r"no bin that four of them share"),
    ],
)
def test_wrong_input(real, bin_width_dex, message):
    with pytest.raises(InputError, match=message):
        measure(real, maps_of(8, seed=1, num_pixels=4), bin_width_dex=bin_width_dex)
