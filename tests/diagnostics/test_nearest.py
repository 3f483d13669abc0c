"""The nearest training map: brute force, hidden copies, and honest samples."""

import itertools

import numpy as np
import pytest
from toy_samples import samples_of

from higlow_tf.diagnostics.nearest import nearest_training_map
from higlow_tf.errors import InputError, InputWarning

FLOAT32 = 2e-5  # correlations are of order one, in float32


def noise_maps(num_maps, seed, num_pixels=16):
    return 10 ** (6.5 + 0.4 * np.random.default_rng(seed).normal(size=(num_maps, num_pixels, num_pixels)))


def nearest(generated, training, reference, **options):
    return nearest_training_map(samples_of(reference, generated), training, **options)


def moves(field):
    """All turned, reflected and shifted copies of one field."""
    turned = [np.rot90(side, quarters) for side in (field, field.T) for quarters in range(4)]
    shifts = list(itertools.product(range(len(field)), repeat=2))
    return np.array([np.roll(side, shift, axis=(0, 1)) for side in turned for shift in shifts])


@pytest.mark.filterwarnings("ignore:nearest_training_map. no error bar")
@pytest.mark.parametrize("num_pixels", [5, 6])
def test_equals_brute_force(num_pixels):
    samples, training, reference = (noise_maps(n, seed, num_pixels) for seed, n in enumerate((3, 7, 5)))
    result = nearest(samples, training, reference)

    def standardised(maps):
        fields = np.log10(maps)
        return (fields - fields.mean(axis=(1, 2), keepdims=True)) / fields.std(axis=(1, 2), keepdims=True)

    copies = [moves(field) for field in standardised(training)]
    distance = np.array(
        [[np.min(np.mean((field - copy) ** 2, axis=(1, 2))) for copy in copies] for field in standardised(samples)]
    )
    assert result.sample_index.tolist() == [0, 1, 2]
    assert result.sample_nearest.tolist() == distance.argmin(axis=1).tolist()
    assert result.sample_distance == pytest.approx(distance.min(axis=1), abs=FLOAT32)


def test_moved_and_noisy_copies_are_found():
    training, samples = noise_maps(60, seed=0), noise_maps(12, seed=1)
    noise = np.random.default_rng(2).normal(size=(16, 16))
    samples[3] = np.roll(np.rot90(training[41]), (3, 11), axis=(0, 1)) * (1 + 0.01 * noise)
    samples[7] = 2.0 * training[8].T[::-1] ** 1.3  # brighter and stronger
    result = nearest(samples, training, noise_maps(12, seed=3))
    assert result.sample_nearest[[3, 7]].tolist() == [41, 8]
    # Noise of 1 % is 0.0043 dex, in units of the map's 0.4 dex.
    assert result.sample_distance[3] == pytest.approx((0.0043 / 0.4) ** 2, rel=0.5)
    assert result.sample_distance[7] == pytest.approx(0.0, abs=FLOAT32)
    assert result.num_copies == 2
    assert result.is_memorising


def test_noisy_copies_in_all_samples_are_memorising():
    training = noise_maps(40, seed=0)
    noise = 0.4 * 0.7 * np.random.default_rng(1).normal(size=(20, 16, 16))
    result = nearest(training[:20] * 10**noise, training, noise_maps(20, seed=2))
    # Correlation with the original: 1 / sqrt(1 + 0.7**2).
    assert result.sample_distance.mean() == pytest.approx(2 - 2 / np.sqrt(1.49), abs=0.05)
    assert result.sample_nearest.tolist() == list(range(20))
    assert result.ratio < 0.5
    assert result.p_value < 1e-6
    assert result.is_memorising


def test_honest_samples_are_as_far_as_other_maps():
    result = nearest(noise_maps(40, 0), noise_maps(50, 1), noise_maps(40, 2))
    assert abs(result.ratio - 1) < 4 * result.error
    assert result.error < 0.05
    assert result.p_value > 1e-3
    assert result.num_copies == 0
    assert not result.is_memorising


def test_choice_of_samples_and_progress():
    calls = []
    samples, training = noise_maps(9, seed=0), noise_maps(20, seed=1)
    result = nearest(
        samples, training, noise_maps(30, seed=2), num_samples=5, progress=lambda *call: calls.append(call), seed=4
    )
    assert len(result.sample_distance) == len(result.reference_distance) == 5
    assert np.all(np.diff(result.sample_index) > 0)
    alone = nearest(samples[result.sample_index], training, noise_maps(5, seed=2))
    assert np.array_equal(alone.sample_distance, result.sample_distance)
    assert calls[-1] == ("nearest training map", 20, 20)


def test_a_constant_map_is_near_nothing():
    samples = np.full((4, 16, 16), 3e6)
    result = nearest(samples, noise_maps(5, seed=0), noise_maps(5, seed=1))
    assert result.sample_distance == pytest.approx(2.0)


def test_too_few_maps_have_no_error_bar():
    with pytest.warns(InputWarning, match="nearest_training_map: no error bar"):
        result = nearest(noise_maps(3, 0), noise_maps(4, 1), noise_maps(5, 2))
    assert result.error is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_samples": 0}, r"num_samples: .*Received: 0"),
        ({"training": noise_maps(4, 0, num_pixels=8)}, r"training_maps: expected maps of \(16, 16\) pixels.*\(8, 8\)"),
        ({"training": np.ones((16, 16))}, r"training_maps: .*Received: float64 \(16, 16\)"),
        ({"training": -noise_maps(4, 0)}, r"training_maps: expected positive pixels\. Received: 1024"),
        ({"reference": np.roll(noise_maps(6, 1), 3, axis=1)}, r"real_maps: .*map \d, which is a training map"),
    ],
)
def test_wrong_input(change, message):
    arguments = {
        "generated": noise_maps(4, seed=0),
        "training": noise_maps(6, seed=1),
        "reference": noise_maps(4, seed=2),
    }
    with pytest.raises(InputError, match=message):
        nearest(**(arguments | change))
