"""The scatter of log-densities over the symmetries: none for the exact one, the known one for a single pixel."""

import numpy as np
import pytest

from higlow_tf.data import lognormal
from higlow_tf.diagnostics.symmetry_defect import symmetry_defect
from higlow_tf.errors import InputError, InputWarning
from higlow_tf.symmetries import square_symmetry

THETA = np.tile([0.3, 0.8], (6, 1))


def noise_maps(num_maps=6, seed=0, num_pixels=8):
    return 10 ** (6.5 + 0.4 * np.random.default_rng(seed).normal(size=(num_maps, num_pixels, num_pixels)))


def one_pixel(maps, theta):
    return np.log10(maps)[:, 0, 0]


def test_the_exact_density_has_none():
    defect = symmetry_defect(lognormal.log_prob, lognormal.sample(THETA, 8, seed=0), THETA)
    # The maps are float32, whose log10 moves with them; the sum over modes rounds at 1e-13.
    assert defect.sd_nats_per_pixel < 1e-12
    assert defect.error < 1e-12


def test_a_density_of_one_pixel_scatters_as_the_pixels():
    maps = noise_maps()
    calls = []
    defect = symmetry_defect(one_pixel, maps, THETA, num_transforms=400, progress=lambda *call: calls.append(call))
    sd = np.log10(maps).std(axis=(1, 2)) / 64
    assert defect.per_map == pytest.approx(sd, rel=5 / np.sqrt(2 * 400))  # an sd of 400 draws, five of its errors
    assert defect.sd_nats_per_pixel == pytest.approx(np.sqrt(np.mean(defect.per_map**2)))
    assert 0 < defect.error < 0.2 * defect.sd_nats_per_pixel
    assert (defect.num_transforms, defect.num_simulations) == (400, 6)
    assert calls == [("symmetry", i + 1, 400) for i in range(400)]


def test_a_density_of_one_direction_is_seen_by_the_square_symmetries():
    def along_one_axis(maps, theta):
        fields = np.log10(maps)
        return np.sum(fields * np.roll(fields, 1, axis=1), axis=(1, 2))  # the same for every shift

    assert np.all(symmetry_defect(along_one_axis, noise_maps(), THETA).per_map > 1e-4)


def test_eight_symmetries():
    field = np.arange(9.0).reshape(1, 3, 3)
    turned = {square_symmetry(field, element).tobytes() for element in range(8)}
    assert len(turned) == 8
    assert np.array_equal(square_symmetry(field, 0), field)
    assert {np.rot90(field, quarters, axes=(1, 2)).tobytes() for quarters in range(4)} < turned


def test_channels_move_together():
    maps = np.repeat(noise_maps()[..., None], 2, axis=-1)
    defect = symmetry_defect(lambda x, _: np.log(x[..., 0] / x[..., 1]).sum(axis=(1, 2)), maps, THETA)
    assert defect.sd_nats_per_pixel == 0


def test_error_is_over_simulations():
    maps = np.repeat(noise_maps(), 3, axis=0)
    theta, simulation = np.repeat(THETA, 3, axis=0), np.repeat([0, 1, 2], 6)
    assert symmetry_defect(one_pixel, maps, theta, simulation=np.arange(18)).num_simulations == 18
    with pytest.warns(InputWarning, match=r"symmetry_defect: no error bar.*Received: 3"):
        assert symmetry_defect(one_pixel, maps, theta, simulation=simulation).error is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"maps": np.ones((6, 4, 5))}, r"maps: .*Received: \(6, 4, 5\)"),
        ({"theta": THETA[:2]}, r"theta: expected parameters \[N, P\] of 6 maps\. Received: \(2, 2\)"),
        ({"num_transforms": 1}, r"num_transforms: .*Received: 1"),
        ({"log_prob": lambda maps, theta: np.full(6, np.nan)}, r"log_prob: .*shape \(6,\), 6 not finite"),
        ({"log_prob": lambda maps, theta: np.ones(5)}, r"log_prob: expected 6 .*shape \(5,\)"),
    ],
)
def test_wrong_input(change, message):
    with pytest.raises(InputError, match=message):
        symmetry_defect(**({"log_prob": one_pixel, "maps": noise_maps(), "theta": THETA} | change))
