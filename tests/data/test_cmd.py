import numpy as np
import pytest

from higlow_tf.data import ParameterSpec, load_cmd
from higlow_tf.errors import InputError

MAPS_NAME = "Maps_HI_IllustrisTNG_LH_z=5.99.npy"
TABLE_NAME = "params_LH_IllustrisTNG.txt"
ROWS = np.array([[0.3, 0.8, 1.0, 2.0, 1.5, 0.7], [0.2, 0.9, 3.0, 0.5, 0.6, 1.1]])
MAPS = 1.0 + np.arange(6 * 4 * 4, dtype=np.float32).reshape(6, 4, 4)


@pytest.fixture
def write(tmp_path):
    def write_files(maps=MAPS, rows=ROWS, maps_name=MAPS_NAME, table_name=TABLE_NAME, header=""):
        np.save(tmp_path / maps_name, maps)
        np.savetxt(tmp_path / table_name, rows, header=header)
        return tmp_path / maps_name, tmp_path / table_name

    return write_files


def test_reads_maps_parameters_and_names(write):
    maps_file, table_file = write()
    data = load_cmd(maps_file, str(table_file))
    np.testing.assert_array_equal(data.maps, MAPS)
    assert isinstance(data.maps, np.memmap)
    np.testing.assert_array_equal(data.simulation, [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(data.theta, ROWS[[0, 0, 0, 1, 1, 1], :2])
    assert list(data.other_parameters) == ["A_SN1", "A_AGN1", "A_SN2", "A_AGN2"]
    np.testing.assert_array_equal(data.other_parameters["A_SN2"], [1.5] * 3 + [0.6] * 3)
    assert (data.suite, data.set_name, data.field, data.redshift) == ("IllustrisTNG", "LH", "HI", 5.99)
    assert (data.box_size_mpc_h, data.units) == (25.0, "(Msun/h)/(Mpc/h)^2")
    assert data.source == (str(maps_file), str(table_file))


def test_parameters_are_chosen_by_name_in_their_order(write):
    files = write(header="sigma_8 Omega_m x_HI A_AGN1 A_SN2 A_AGN2")
    own = ParameterSpec("x_HI", "x", 0.0, 5.0)
    data = load_cmd(*files, parameters=("Omega_m", own))
    np.testing.assert_array_equal(data.theta_by_simulation, ROWS[:, [1, 2]])
    assert set(data.other_parameters) == {"sigma_8", "A_AGN1", "A_SN2", "A_AGN2"}
    assert load_cmd(*files, parameters="A_SN2").parameters.names == ("A_SN2",)
    with pytest.raises(InputError, match=r"params_LH.*did you mean 'sigma_8'.*Received: 'sigma8'"):
        load_cmd(*files, parameters=("sigma8",))
    with pytest.raises(InputError, match="must be a ParameterSpec or one of"):
        load_cmd(*files, parameters=("x_HI",))


@pytest.mark.parametrize(
    ("maps_name", "table_name", "expected"),
    [
        ("Images_HI_SIMBA_z=5.99.npy", "params_SIMBA.txt", ("SIMBA", None, "HI", 5.99)),
        ("Images_HI_SIMBA_LH_z=0.00.npy", "params_SIMBA.txt", ("SIMBA", "LH", "HI", 0.0)),
        ("Maps_Mtot_Nbody_SIMBA_LH_z=0.00.npy", "params_LH_SIMBA.txt", ("Nbody_SIMBA", "LH", "Mtot", 0.0)),
        ("Maps_Mtot_Nbody_SIMBA_LH_z=0.00.npy", "params_Nbody.txt", ("Nbody_SIMBA", "LH", "Mtot", 0.0)),
        ("Maps_HI_Astrid_SB28_z=2.npy", "table.txt", ("Astrid", "SB28", "HI", 2.0)),
        ("my_maps.npy", TABLE_NAME, (None, None, None, None)),
    ],
)
def test_file_names(write, maps_name, table_name, expected):
    data = load_cmd(*write(maps_name=maps_name, table_name=table_name))
    assert (data.suite, data.set_name, data.field, data.redshift) == expected


def test_units_of_other_fields_are_not_invented(write):
    assert (
        load_cmd(*write(maps_name="Maps_T_SIMBA_LH_z=0.00.npy", table_name="t.txt")).units == "not stated by the file"
    )


@pytest.mark.parametrize(
    ("maps_name", "table_name", "words"),
    [
        ("Maps_HI_SIMBA_LH_z=0.00.npy", TABLE_NAME, "own suite, SIMBA.*named after IllustrisTNG"),
        ("Maps_HI_Nbody_SIMBA_LH_z=0.00.npy", "params_IllustrisTNG.txt", "own suite, SIMBA"),
        ("Images_HI_SIMBA_z=5.99.npy", "params_Nbody_IllustrisTNG.txt", "own suite, SIMBA"),
        ("hi_simba_64.npy", TABLE_NAME, "own suite, SIMBA"),
        (MAPS_NAME, "params_CV_IllustrisTNG.txt", "own set, LH.*named after CV"),
    ],
)
def test_the_table_of_another_suite_or_set_is_refused(write, maps_name, table_name, words):
    with pytest.raises(InputError, match=rf"{maps_name} needs .*{words}"):
        load_cmd(*write(maps_name=maps_name, table_name=table_name))


@pytest.mark.parametrize(
    "maps",
    [MAPS.astype(">f4"), np.asfortranarray(MAPS), MAPS.astype(np.float64), np.asfortranarray(MAPS.astype(">f8"))],
)
def test_byte_order_memory_order_and_precision_do_not_matter(write, maps):
    data = load_cmd(*write(maps=maps))
    np.testing.assert_array_equal(data.maps, MAPS)
    assert data.maps.dtype == np.dtype("=f4")


@pytest.mark.parametrize(
    ("maps", "words"),
    [
        (MAPS.astype(int), "floating-point maps.*dtype int64"),
        (MAPS[0], r"square maps \[N, H, H\]. Received: shape \(4, 4\)"),
        (MAPS[..., None], r"Received: shape \(6, 4, 4, 1\)"),
        (MAPS[:, :3], r"Received: shape \(6, 3, 4\)"),
        (MAPS[:5], r"the same number of maps for each of the 2 simulations of .*params.*Received: 5 maps"),
        (np.where(MAPS == 20, np.nan, MAPS), "finite pixels only.*1 NaN"),
        (-MAPS, "negative pixels"),
        (MAPS[:0], "at least one map"),
    ],
)
def test_wrong_maps_are_refused_with_the_file(write, maps, words):
    with pytest.raises(InputError, match=rf"z=5\.99\.npy .*{words}"):
        load_cmd(*write(maps=maps))


def test_damaged_files_are_refused(write, tmp_path):
    maps_file, table_file = write()
    content = maps_file.read_bytes()
    for damaged, words in [
        (b"", "Received: an empty file"),
        (b"PK\x03\x04" + content, "Received: a file of another format"),
        (content[:-8], "not truncated"),
        (content[:20], "not truncated"),
    ]:
        maps_file.write_bytes(damaged)
        with pytest.raises(InputError, match=rf"z=5\.99\.npy .*{words}"):
            load_cmd(maps_file, table_file)
    np.save(maps_file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="without pickled objects"):
        load_cmd(maps_file, table_file)
    with pytest.raises(InputError, match=r"absent\.npy .*No such file"):
        load_cmd(tmp_path / "absent.npy", table_file)


def test_the_mock_maps(shared_data):
    folder = shared_data / "pm_mock"
    data = load_cmd(folder / "Maps_HI_PMRahmati_LH_z=6.00.npy", folder / "params_LH_PMRahmati.txt")
    assert (data.num_maps, data.num_simulations, data.map_size) == (4500, 300, 64)
    assert (data.suite, data.set_name, data.redshift, data.zero_pixels) == ("PMRahmati", "LH", 6.0, 0)
    assert not data.outside_prior().any()
    assert len(set(data.map_hashes())) == 4500
