import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from higlow_tf.data import ParameterSpec, load_cmd
from higlow_tf.data.file_names import (
    CAMELS_SUITES,
    CMD_FIELDS,
    FileName,
    check_same_origin,
    parse_maps_name,
    parse_table_name,
)
from higlow_tf.errors import InputError, InputWarning

MAPS_NAME = "Maps_HI_IllustrisTNG_LH_z=5.99.npy"
TABLE_NAME = "params_LH_IllustrisTNG.txt"
ROWS = np.array([[0.3, 0.8, 1.0, 2.0, 1.5, 0.7], [0.2, 0.9, 3.0, 0.5, 0.6, 1.1]])
MAPS = 1.0 + np.arange(30 * 4 * 4, dtype=np.float32).reshape(30, 4, 4)
# Two simulations of 15 maps.
SIMULATION = np.repeat([0, 1], 15)


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
    np.testing.assert_array_equal(data.simulation, SIMULATION)
    np.testing.assert_array_equal(data.theta, ROWS[SIMULATION, :2])
    assert list(data.other_parameters) == ["A_SN1", "A_AGN1", "A_SN2", "A_AGN2"]
    np.testing.assert_array_equal(data.other_parameters["A_SN2"], [1.5] * 15 + [0.6] * 15)
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
    mapping = {"name": "x_HI", "low": 0.0, "high": 5.0, "transform": "linear"}
    assert load_cmd(*files, parameters=[mapping]).parameters.specs == (ParameterSpec("x_HI", r"x\_HI", 0.0, 5.0),)
    with pytest.raises(InputError, match="needs name, low, high"):
        load_cmd(*files, parameters=[{"name": "x_HI", "low": 0.0}])
    with pytest.raises(InputError, match="without a known prior.*Received: x_HI"):
        load_cmd(*files, parameters="all")


def test_all_parameters_of_a_table_without_its_seed(tmp_path, write):
    maps_file, _ = write()
    table = tmp_path / "CosmoAstroSeed_IllustrisTNG_L25n256_LH.txt"
    lines = [f"LH_{i} {' '.join(map(str, row))} {i + 7}" for i, row in enumerate(ROWS)]
    table.write_text("\n".join(["#Name  Omega_m  sigma_8  A_SN1     A_AGN1  A_SN2  A_AGN2  seed", *lines]))
    data = load_cmd(maps_file, table, "all")
    np.testing.assert_array_equal(data.theta_by_simulation, ROWS)
    np.testing.assert_array_equal(data.other_parameters["seed"], SIMULATION + 7)
    table.write_text(table.read_text().replace("LH_", "CV_"))
    with pytest.raises(InputError, match="own set, LH.*named after CV"):
        load_cmd(maps_file, table)


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


def test_units_are_those_of_the_field(write):
    assert load_cmd(*write(maps_name="Maps_T_SIMBA_LH_z=0.00.npy", table_name="t.txt")).units == "Kelvin"


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
        (MAPS[0], r"square maps \[N, H, H\], at least one map. Received: shape \(4, 4\)"),
        (MAPS[..., None], r"Received: shape \(30, 4, 4, 1\)"),
        (MAPS[:, :3], r"Received: shape \(30, 3, 4\)"),
        (MAPS[:5], r"the same number of maps for each of the 2 simulations of .*params.*Received: 5 maps"),
        (MAPS[:, :1, :1][:, :0], r"Received: shape \(30, 0, 1\)"),
        (np.where(MAPS == 20, np.nan, MAPS), "finite pixels only.*1 NaN"),
        (-MAPS, "negative pixels"),
        (MAPS[:0], "at least one map"),
    ],
)
def test_wrong_maps_are_refused_with_the_file(write, maps, words):
    with pytest.raises(InputError, match=rf"z=5\.99\.npy .*{words}"):
        load_cmd(*write(maps=maps))


def test_another_number_of_maps_a_simulation_than_in_camels_is_warned_of(write):
    with pytest.warns(InputWarning, match=r"z=5\.99\.npy: files of CAMELS hold 15 maps a simulation. Received: 6 maps"):
        load_cmd(*write(maps=MAPS[:6]))
    load_cmd(*write(maps=MAPS[:6], maps_name="Maps_HI_Toy_LH_z=6.00.npy", table_name="params_LH_Toy.txt"))


def test_rows_that_are_not_in_the_order_of_their_names_are_warned_of(write, tmp_path):
    maps_file, _ = write()
    table = tmp_path / "table.txt"
    table.write_text("LH_10 0.3 0.8\nLH_9 0.2 0.9\n")
    with pytest.warns(InputWarning, match=r"table\.txt: the rows are not in the order of their names"):
        data = load_cmd(maps_file, table)
    np.testing.assert_array_equal(data.theta[[0, 15]], [[0.3, 0.8], [0.2, 0.9]])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"map_size": 0}, "map_size must be an integer from 1 up. Received: 0"),
        ({"map_size": 2.0}, "map_size must be an integer from 1 up. Received: 2.0"),
        ({"slab_thickness_mpc_h": 0.0}, "a positive slab_thickness_mpc_h. Received: 0"),
        ({"slab_thickness_mpc_h": np.nan}, "a positive slab_thickness_mpc_h. Received: nan"),
        ({"box_size_mpc_h": np.inf}, "a positive box_size_mpc_h. Received: inf"),
    ],
)
def test_sizes_that_are_none_are_refused(write, arguments, words):
    grids = 1.0 + np.arange(2 * 5**3, dtype=np.float32).reshape(2, 5, 5, 5)
    with pytest.raises(InputError, match=words):
        load_cmd(*write(maps=grids, maps_name="Grids_HI_IllustrisTNG_LH_5_z=0.0.npy"), **arguments)


@pytest.mark.parametrize(
    ("maps_name", "table_name", "words"),
    [
        ("Maps_HII_IllustrisTNG_LH_z=0.00.npy", TABLE_NAME, r"did you mean 'HI'.*Received: 'HII'"),
        ("Maps_HI_IllustrisTNG_HL_z=0.00.npy", TABLE_NAME, "must name a set of CAMELS.*Received: 'HL'"),
        ("Images_HI_SIMBA_L_z=5.99.npy", "t.txt", "must name a set of CAMELS.*Received: 'L'"),
        (MAPS_NAME, "params_HL_IllustrisTNG.txt", "must name a set of CAMELS.*Received: 'HL'"),
    ],
)
def test_unknown_fields_and_sets_are_refused(write, maps_name, table_name, words):
    with pytest.raises(InputError, match=words):
        load_cmd(*write(maps_name=maps_name, table_name=table_name))


def test_what_contradicts_a_name_is_refused(write):
    raw = "CosmoAstroSeed_IllustrisTNG_L25n256_LH.txt"
    assert load_cmd(*write(table_name=raw), box_size_mpc_h=25.0, redshift=5.992).redshift == 5.992
    with pytest.raises(InputError, match=r"argument and .*z=5\.99\.npy must agree on redshift. Received: 0 and 5.99"):
        load_cmd(*write(), redshift=0.0)
    with pytest.raises(InputError, match=r"argument and .*CosmoAstro.* agree on box_size_mpc_h. Received: 50 and 25"):
        load_cmd(*write(table_name=raw), box_size_mpc_h=50.0)


@settings(deadline=None, max_examples=15)
@given(
    kind=st.sampled_from(["Maps", "Images", "Grids"]),
    field=st.sampled_from(sorted(CMD_FIELDS)),
    suite=st.sampled_from([*CAMELS_SUITES, "Nbody_SIMBA", "MockBubbles", "PM_two_words"]),
    set_name=st.sampled_from(["LH", "CV", "1P", "EX", "BE", "SB28", "SB35"]),
    redshift=st.floats(0.0, 20.0),
)
def test_every_name_is_read_back(kind, field, suite, set_name, redshift):
    size = "_128" if kind == "Grids" else ""
    found = parse_maps_name(f"folder/{kind}_{field}_{suite}_{set_name}{size}_z={redshift:.2f}.npy")
    expected = FileName(kind, field, suite, set_name, float(f"{redshift:.2f}"), 128 if size else None)
    assert found == expected
    for table in (f"params_{set_name}_{suite}.txt", f"CosmoAstroSeed_{suite}_L25n256_{set_name}.txt"):
        of_table = parse_table_name(table)
        assert (of_table.suite, of_table.set_name) == (suite, set_name)
        check_same_origin("maps", found, "table", of_table, "the parameter table")


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
