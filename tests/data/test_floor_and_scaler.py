import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from higlow_tf.data import HIMapDataset, MapScaler, ZeroFloor, big_arrays, fit_map_scaler
from higlow_tf.errors import InputError

# float64 sums over some hundred pixels in another order.
FLOAT64_SUMS = 1e-12
# One rounding to float32, in dex.
FLOAT32_DEX = 1e-7


def with_zeros(data, num_zeros=20, seed=0):
    maps = np.array(data.maps)
    maps.ravel()[np.random.default_rng(seed).choice(maps.size, num_zeros, replace=False)] = 0.0
    return HIMapDataset.from_arrays(maps, data.theta)


def test_floor_is_the_smallest_positive_pixel(make_dataset, monkeypatch):
    monkeypatch.setattr(big_arrays, "_CHUNK_PIXELS", 100)
    data = with_zeros(make_dataset())
    assert ZeroFloor.fit(data, seed=4) == ZeroFloor(float(data.maps[data.maps > 0].min()), 4)


def test_only_zeros_are_replaced_and_counted(make_dataset):
    data = with_zeros(make_dataset())
    floor = ZeroFloor.fit(data)
    floored = floor.apply(data)
    zeros = data.maps == 0
    np.testing.assert_array_equal(floored.maps[~zeros], data.maps[~zeros])
    dex = np.log10(floored.maps[zeros].astype(np.float64)) - np.log10(floor.floor)
    assert np.all((dex >= -0.1 - FLOAT32_DEX) & (dex <= FLOAT32_DEX))
    assert len(np.unique(dex)) == 20
    assert (floored.zero_floor, floored.floored_pixels, floored.zero_pixels) == (floor.floor, 20, 0)
    assert (data.zero_floor, data.floored_pixels, data.zero_pixels) == (None, 0, 20)
    per_map = zeros.sum(axis=(1, 2))
    assert floored.select([3, 5]).floored_pixels == per_map[3] + per_map[5]


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**40), index=st.permutations(range(36)))
def test_a_map_is_floored_alike_in_any_company(make_dataset, seed, index):
    data = with_zeros(make_dataset(), num_zeros=200)
    floor = ZeroFloor(1e5, seed)
    together = floor.apply(data).maps
    np.testing.assert_array_equal(floor.apply(data.select(index[:7])).maps, together[index[:7]])


def test_seeds_and_maps_draw_differently(make_dataset):
    data = with_zeros(make_dataset())
    zeros = data.maps == 0
    assert not np.any(ZeroFloor(1e5, 0).apply(data).maps[zeros] == ZeroFloor(1e5, 1).apply(data).maps[zeros])


def test_maps_without_zeros_pass_through(make_dataset):
    data = make_dataset()
    assert ZeroFloor.fit(data).apply(data) is data


def test_floor_config_and_validation():
    floor = ZeroFloor(1.5, 3)
    assert ZeroFloor.from_config(json.loads(json.dumps(floor.to_config()))) == floor
    for wrong in [(0.0, 0), (np.nan, 0), (np.inf, 0), (1.0, -1), (1.0, 0.5)]:
        with pytest.raises(InputError, match="Received"):
            ZeroFloor(*wrong)


@pytest.mark.parametrize("channels", [None, 1, 3])
def test_scaler_is_mean_and_sd_of_log10_maps(make_dataset, channels, monkeypatch):
    monkeypatch.setattr(big_arrays, "_CHUNK_PIXELS", 200)
    data = make_dataset(channels=channels)
    scaler = fit_map_scaler(data)
    log10_maps = np.log10(data.maps.astype(np.float64)).reshape(-1, channels or 1)
    np.testing.assert_allclose(scaler.shift, log10_maps.mean(axis=0), rtol=FLOAT64_SUMS)
    np.testing.assert_allclose(scaler.scale, log10_maps.std(axis=0), rtol=FLOAT64_SUMS)
    restored = MapScaler.from_config(json.loads(json.dumps(scaler.to_config())))
    np.testing.assert_array_equal([restored.shift, restored.scale], [scaler.shift, scaler.scale])


def test_small_contrast_on_a_large_mean_keeps_its_digits():
    maps = 1e9 * (1 + 1e-6 * np.random.default_rng(0).random((4, 8, 8)))
    data = HIMapDataset.from_arrays(maps, [[0.2, 0.7]] * 4)
    expected = np.log10(data.maps.astype(np.float64)).std()
    # The pixels differ in the seventh digit; rounding of log10 itself (2e-15) remains.
    np.testing.assert_allclose(fit_map_scaler(data).scale, expected, rtol=1e-8)


def test_zeros_and_constant_channels_are_refused(make_dataset):
    with pytest.raises(InputError, match=r"apply a ZeroFloor.*Received: 20 pixels"):
        fit_map_scaler(with_zeros(make_dataset()))
    maps = np.array(make_dataset(channels=2).maps)
    maps[..., 1] = 3.3
    with pytest.raises(InputError, match="whose pixels are all equal, the first is map 0"):
        HIMapDataset.from_arrays(maps, make_dataset().theta)
    for shift, scale in [([0.0], [0.0]), ([np.nan], [1.0]), ([0.0, 1.0], [1.0]), (0.0, 1.0)]:
        with pytest.raises(InputError, match="Received"):
            MapScaler(shift, scale)
