"""Likelihoods averaged over symmetric copies of a map."""

import numpy as np
import pytest
import tensorflow as tf
from exact_models import TWO, TensorFlowGaussianModel

from higlow_tf.errors import InputError
from higlow_tf.inference import Calibration, infer, symmetry_indices
from higlow_tf.inference.symmetry import symmetric_copies

COPIES = 3
# The grid's own tolerance, in standard deviations, and the Monte Carlo error of the draws of the other methods.
TOLERANCE_SD = {"grid": 0.01, "importance": 0.1, "nuts": 0.15}


class PixelModel(TensorFlowGaussianModel):
    """The first two pixels of the first row are the normalised parameters plus Gaussian noise; differentiable."""

    def log_prob(self, hi_maps, theta):
        return super().log_prob(tf.convert_to_tensor(hi_maps)[:, :1, :2], theta)


@pytest.fixture
def model():
    return PixelModel(TWO, 0.1**2 * np.eye(2))


def symmetries_of_the_square(array):
    return [np.rot90(side, k) for side in (array, array.T) for k in range(4)]


@pytest.mark.parametrize("map_size", [4, 7, 16])
def test_every_copy_is_the_map_up_to_a_shift_and_a_symmetry_of_the_square(map_size):
    hi_map = np.random.default_rng(0).random((map_size, map_size))
    copies = symmetric_copies(hi_map, 11)
    np.testing.assert_array_equal(copies[0], hi_map)
    images = symmetries_of_the_square(hi_map)
    found = []
    for copy in copies:
        shifted = [
            number
            for number, image in enumerate(images)
            for rows in range(map_size)
            for columns in range(map_size)
            if np.array_equal(copy, np.roll(image, (rows, columns), (0, 1)))
        ]
        assert len(shifted) == 1
        found += shifted
    assert set(found[:8]) == set(range(8))  # each symmetry of the square before one comes twice


def test_copies_keep_channels_together():
    hi_map = np.random.default_rng(0).random((4, 4, 2))
    copies = symmetric_copies(hi_map, 5)
    for channel in range(2):
        np.testing.assert_array_equal(copies[..., channel], symmetric_copies(hi_map[..., channel], 5))


@pytest.mark.parametrize("method", TOLERANCE_SD)
def test_every_method_averages_over_the_copies(model, method):
    hi_map = np.random.default_rng(1).uniform(-0.3, 0.3, (4, 4))
    # A mean of parabolas of the same width is one about the mean of their centres.
    centre = hi_map.ravel()[symmetry_indices(4, COPIES)[:, :2]].mean(axis=0)
    posterior = infer(model, hi_map[None], method=method, num_symmetries=COPIES)
    expected = model.parameters.denormalize(centre)
    np.testing.assert_allclose(posterior.mean[0], expected, atol=TOLERANCE_SD[method] * 0.02)
    np.testing.assert_allclose(posterior.sd[0], 0.02, rtol=TOLERANCE_SD[method])
    plain = infer(model, hi_map[None])
    assert np.all(np.abs(plain.mean[0] - expected) > TOLERANCE_SD[method] * 0.02)


def test_a_stored_calibration_says_how_many_copies(model):
    hi_map = np.random.default_rng(1).uniform(-0.3, 0.3, (4, 4))
    model.calibration = Calibration(num_symmetries=COPIES).to_config()
    stored, asked = infer(model, hi_map[None]), infer(model, hi_map[None], num_symmetries=COPIES, calibration=None)
    np.testing.assert_array_equal(stored.log_posterior, asked.log_posterior)
    raw = infer(model, hi_map[None], calibration=None)
    assert np.abs(raw.log_posterior - stored.log_posterior).max() > 1.0


def test_a_kept_posterior_of_other_copies_is_not_taken(model, tmp_path):
    hi_map = np.random.default_rng(1).uniform(-0.3, 0.3, (4, 4))
    means = [infer(model, hi_map[None], num_symmetries=n, cache_dir=tmp_path).mean[0] for n in (1, 2, 1)]
    np.testing.assert_array_equal(means[0], means[2])
    assert np.abs(means[0] - means[1]).max() > 0.001


def test_a_calibration_file_without_the_key_means_the_map_alone():
    config = Calibration(tempering=0.5).to_config()
    del config["num_symmetries"]
    assert Calibration.from_config(config).num_symmetries == 1


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "4"])
def test_a_number_of_copies_is_checked(value):
    with pytest.raises(InputError, match=r"num_symmetries: expected a positive integer\. Received"):
        Calibration(num_symmetries=value)


def test_copies_need_square_maps(model):
    with pytest.raises(InputError, match="num_symmetries: expected square maps, or 1"):
        infer(model, np.zeros((1, 2, 3)), num_symmetries=2)
