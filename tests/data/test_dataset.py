import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from higlow_tf.data import CAMELS_PARAMETERS, HIMapDataset, ParameterSpec, big_arrays
from higlow_tf.errors import InputError, InputWarning

THETA = np.array([[0.2, 0.7], [0.2, 0.7], [0.4, 0.9], [0.4, 0.9]])


def ramp_maps(num_maps=4, size=3):
    return 1.0 + np.arange(num_maps * size * size, dtype=np.float32).reshape(num_maps, size, size)


def broken(value, index=(2, 0, 1)):
    maps = ramp_maps()
    maps[index] = value
    return maps


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32", "uint8", ">f4", ">i8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_numeric_type_becomes_native_float32(dtype, order):
    data = HIMapDataset.from_arrays(np.array(ramp_maps(), dtype=dtype, order=order), THETA)
    assert data.maps.dtype == np.float32
    assert data.maps.dtype.isnative
    assert data.maps.flags.c_contiguous
    np.testing.assert_array_equal(data.maps, ramp_maps())


def test_arrays_are_read_only_and_the_callers_stay_writeable():
    maps, theta = ramp_maps(), THETA.copy()
    data = HIMapDataset.from_arrays(maps, theta, other_parameters={"A_SN1": np.arange(4.0)})
    for array in (data.maps, data.theta, data.simulation, data.other_parameters["A_SN1"], data.select([0, 1]).maps):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    maps[0, 0, 0] = 2.0
    theta[0, 0] = 0.3
    assert data.theta[0, 0] == 0.2


def test_distinct_rows_are_simulations_in_order_of_appearance():
    data = HIMapDataset.from_arrays(ramp_maps(), THETA[::-1])
    np.testing.assert_array_equal(data.simulation, [0, 0, 1, 1])
    np.testing.assert_array_equal(data.theta_by_simulation, [[0.4, 0.9], [0.2, 0.7]])
    mixed = HIMapDataset.from_arrays(ramp_maps(), THETA[[2, 0, 3, 1]])
    np.testing.assert_array_equal(mixed.simulation, [0, 1, 0, 1])


def test_properties():
    data = HIMapDataset.from_arrays(ramp_maps(), THETA, simulation=[7, 7, 3, 3], redshift=6, suite="mock")
    assert (data.num_maps, len(data), data.num_simulations, data.map_size, data.num_channels) == (4, 4, 2, 3, 1)
    assert (data.redshift, data.suite, data.box_size_mpc_h, data.units) == (6, "mock", 25.0, "(Msun/h)/(Mpc/h)^2")
    np.testing.assert_array_equal(data.simulation_indices, [3, 7])
    np.testing.assert_array_equal(data.theta_by_simulation, [[0.4, 0.9], [0.2, 0.7]])
    assert data.parameters.names == ("Omega_m", "sigma_8")
    assert "4 maps" in repr(data)
    assert HIMapDataset.from_arrays(np.stack([ramp_maps()] * 2, axis=-1), THETA).num_channels == 2


def test_zeros_are_allowed_and_counted():
    maps = broken(0.0)
    maps[0, 1] = 0.0
    data = HIMapDataset.from_arrays(maps, THETA)
    assert data.zero_pixels == 4
    assert data.select([2, 3]).zero_pixels == 1


@pytest.mark.parametrize(
    ("maps", "words"),
    [
        (broken(np.nan), r"1 NaN or infinite pixels \(as float32\), the first in map 2 at pixel \(0, 1\)"),
        (broken(np.inf), r"1 NaN or infinite .* map 2"),
        (broken(-np.inf), r"1 NaN or infinite .* map 2"),
        (ramp_maps().astype(np.float64) * 1e38, r"NaN or infinite pixels \(as float32\), the first in map 0"),
        (broken(-1.0), r"1 negative pixels, the first in map 2 at pixel \(0, 1\)"),
        (broken(5.0, index=[1, 3]), r"2 maps whose pixels are all equal, the first is map 1"),
        (broken(0.0, index=1), r"1 maps whose pixels are all equal, the first is map 1"),
        (ramp_maps().astype(complex), "dtype complex128"),
        (ramp_maps() > 3, "dtype bool"),
        (ramp_maps().astype(object), "dtype object"),
        (np.ma.masked_less(ramp_maps(), 3), "masked array"),
        ([[1.0, 2.0], [3.0]], "rows of equal length"),
        (ramp_maps()[0], r"\[N, H, H\].*Received: shape \(3, 3\)"),
        (ramp_maps()[:, :2], r"square.*Received: shape \(4, 2, 3\)"),
        (ramp_maps()[:0], r"at least one map\. Received: shape \(0, 3, 3\)"),
    ],
)
def test_unusable_maps_are_refused_in_one_sentence(maps, words):
    with pytest.raises(InputError, match=f"^maps .*{words}"):
        HIMapDataset.from_arrays(maps, THETA)


@pytest.mark.parametrize(("low", "high", "is_said"), [(5.6, 11.0, True), (5.6, 21.0, False), (0.1, 11.0, False)])
def test_what_looks_like_logarithms_is_warned_of(low, high, is_said, recwarn):
    maps = np.linspace(low, high, 36, dtype=np.float32).reshape(4, 3, 3)
    HIMapDataset.from_arrays(maps, THETA)
    assert ["looks like log10" in str(warning.message) for warning in recwarn] == [True] * is_said
    HIMapDataset.from_arrays(maps, THETA, map_transform="identity")
    assert len(recwarn) == is_said


def test_nan_does_not_hide_other_chunks(monkeypatch):
    monkeypatch.setattr(big_arrays, "_CHUNK_PIXELS", 9)
    maps = broken(np.nan)
    maps[3, 2, 2] = np.nan
    with pytest.raises(InputError, match=r"Received: 2 NaN .* first in map 2 at pixel \(0, 1\)"):
        HIMapDataset.from_arrays(maps, THETA)
    with pytest.raises(InputError, match=r"Received: 1 negative pixels, the first in map 2"):
        HIMapDataset.from_arrays(broken(-2.0), THETA)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"theta": THETA[:3]}, r"theta must hold one row a map.*Received: shape \(3, 2\)"),
        ({"theta": THETA[:, 0]}, r"theta must hold one row a map.*Received: shape \(4,\)"),
        ({"theta": np.where(THETA == 0.4, np.nan, THETA)}, "theta must be finite.*2 rows.*the first is 2"),
        ({"theta": THETA[:, [0, 1, 1]]}, "parameters must name the columns.*Received: 3 columns"),
        ({"parameters": ["Omega_m"]}, r"one column for each of \['Omega_m'\].*Received: shape \(4, 2\)"),
        ({"simulation": [0, 0, 1]}, r"simulation must hold one number .*4 maps\. Received: shape \(3,\)"),
        ({"simulation": [0.0, 0.0, 1.0, 1.0]}, "simulation must hold integers"),
        ({"simulation": [0, 0, 0, 1]}, "constant within a simulation.*1 simulations.*simulation 0 at map 2"),
        ({"box_size_mpc_h": 0.0}, "box_size_mpc_h must be positive"),
        ({"redshift": -1.0}, "redshift must be"),
        ({"other_parameters": {"A_SN1": [1.0]}}, "A_SN1 must hold one number"),
    ],
)
def test_inconsistent_arguments_are_refused(changes, words):
    with pytest.raises(InputError, match=words):
        HIMapDataset.from_arrays(**{"maps": ramp_maps(), "theta": THETA, **changes})


def test_copies_of_a_simulation_are_warned_of_but_not_in_the_cosmic_variance_set():
    theta = THETA[[0, 0, 0, 2]]
    with pytest.warns(InputWarning, match="share all their parameters with another: 5, 6;"):
        HIMapDataset.from_arrays(ramp_maps(), theta, simulation=[5, 5, 6, 7])
    HIMapDataset.from_arrays(ramp_maps(), theta, simulation=[5, 5, 6, 7], set_name="CV")
    # Another parameter tells them apart.
    HIMapDataset.from_arrays(
        ramp_maps(), theta, simulation=[5, 5, 6, 7], other_parameters={"A_SN1": [1.0, 1.0, 2.0, 1.0]}
    )


def test_parameters_by_name_and_spec():
    own = ParameterSpec("x_HI", "x", 0.0, 1.0)
    theta = np.column_stack([THETA, [0.5, 0.5, 0.6, 0.6]])
    data = HIMapDataset.from_arrays(ramp_maps(), theta, parameters=["sigma_8", "Omega_m", own])
    assert data.parameters.specs == (CAMELS_PARAMETERS["sigma_8"], CAMELS_PARAMETERS["Omega_m"], own)
    np.testing.assert_array_equal(data.outside_prior(), [True] * 4)
    assert not HIMapDataset.from_arrays(ramp_maps(), THETA).outside_prior().any()


def test_float32_maps_stay_memory_mapped(tmp_path):
    np.save(tmp_path / "maps.npy", ramp_maps())
    data = HIMapDataset.from_arrays(np.load(tmp_path / "maps.npy", mmap_mode="r"), THETA)
    assert isinstance(data.maps, np.memmap)
    assert not isinstance(data.select([0]).maps.base, np.memmap)
    np.testing.assert_array_equal(data.select([3, 0]).maps, ramp_maps()[[3, 0]])


def test_changes_of_a_private_memory_map_stay(tmp_path):
    np.save(tmp_path / "maps.npy", ramp_maps())
    maps = np.load(tmp_path / "maps.npy", mmap_mode="c")
    maps *= 2
    data = HIMapDataset.from_arrays(maps, THETA)
    np.testing.assert_array_equal(data.maps, 2 * ramp_maps())
    np.testing.assert_array_equal(maps, 2 * ramp_maps())


def test_a_channel_without_structure_is_refused():
    maps = np.stack([ramp_maps(), broken(5.0, index=1)], axis=-1)
    with pytest.raises(InputError, match=r"Received: 1 maps whose pixels are all equal, the first is map 1"):
        HIMapDataset.from_arrays(maps, THETA)


def test_large_maps_of_another_type_are_converted_on_disk(monkeypatch):
    monkeypatch.setattr(big_arrays, "IN_MEMORY_BYTES", 100)
    monkeypatch.setattr(big_arrays, "_CHUNK_PIXELS", 9)
    maps = HIMapDataset.from_arrays(ramp_maps().astype(">f8"), THETA).maps
    assert isinstance(maps, np.memmap)
    np.testing.assert_array_equal(maps, ramp_maps())


def test_select_takes_everything_along(make_dataset):
    data = make_dataset(other_parameters={"A_SN1": np.arange(36.0)}, redshift=6.0)
    index = np.array([30, 2, 17])
    picked = data.select(index)
    np.testing.assert_array_equal(picked.maps, data.maps[index])
    np.testing.assert_array_equal(picked.theta, data.theta[index])
    np.testing.assert_array_equal(picked.simulation, [10, 0, 5])
    np.testing.assert_array_equal(picked.other_parameters["A_SN1"], index)
    assert picked.redshift == 6.0
    np.testing.assert_array_equal(data.select(data.simulation == 3).maps, data.select_simulations([3]).maps)


@pytest.mark.parametrize("index", [[], [36], [-37], [0.5], 3, np.zeros(36, bool), np.ones(3, bool)])
def test_select_refuses_what_is_no_choice(make_dataset, index):
    with pytest.raises(InputError, match="Received"):
        make_dataset().select(index)


def test_unknown_simulations_are_refused(make_dataset):
    with pytest.raises(InputError, match=r"12 of this dataset.*2 others, the first is 40"):
        make_dataset().select_simulations([0, 40, 41])


@settings(deadline=None, max_examples=15)
@given(num_simulations=st.integers(10, 40), maps_per_simulation=st.integers(1, 3), seed=st.integers(0, 1000))
def test_splits_share_no_simulation_and_lose_no_map(make_dataset, num_simulations, maps_per_simulation, seed):
    data = make_dataset(num_simulations, maps_per_simulation, size=2)
    subsets = data.split_by_simulation((0.6, 0.2, 0.2), seed=seed)
    simulations = np.concatenate([subset.simulation_indices for subset in subsets])
    np.testing.assert_array_equal(np.sort(simulations), np.arange(num_simulations))
    assert sorted(h for subset in subsets for h in subset.map_hashes()) == sorted(data.map_hashes())


def test_split_keeps_labels_with_maps_and_needs_ten_simulations(make_dataset):
    data = make_dataset(20)
    train, validation, test = data.split_by_simulation(seed=3)
    assert [subset.num_simulations for subset in (train, validation, test)] == [14, 2, 4]
    lookup = dict(zip(data.map_hashes(), data.simulation, strict=True))
    assert [lookup[h] for h in test.map_hashes()] == test.simulation.tolist()
    np.testing.assert_array_equal(test.theta, data.theta_by_simulation[test.simulation])
    with pytest.raises(InputError, match=r"at least 10 simulations\. Received: 9"):
        make_dataset(9).split_by_simulation()


def test_hashes_are_of_the_pixels(make_dataset):
    data = make_dataset()
    expected = hashlib.blake2b(data.maps[4].astype("<f4").tobytes(), digest_size=8).hexdigest()
    assert data.map_hashes()[4] == expected
    assert len(set(data.map_hashes())) == data.num_maps
    assert data.content_hash() == make_dataset(suite="another name").content_hash()
    theta = data.theta.copy()
    theta[theta == theta[0, 0]] += 1e-9
    others = [
        data.select(np.arange(35, -1, -1)),
        HIMapDataset.from_arrays(data.maps, theta),
        make_dataset(seed=1),
    ]
    assert len({data.content_hash(), *(other.content_hash() for other in others)}) == 4
