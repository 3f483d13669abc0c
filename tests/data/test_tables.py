import numpy as np
import pytest

from higlow_tf.data import CAMELS_PARAMETERS, read_parameter_info
from higlow_tf.data.tables import read_parameter_table
from higlow_tf.errors import InputError

CAMELS = ("Omega_m", "sigma_8", "A_SN1", "A_AGN1", "A_SN2", "A_AGN2")


def write(tmp_path, text):
    path = tmp_path / "params.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("0.3 0.8\n0.4 0.9\n", ("Omega_m", "sigma_8")),
        ("0.3\t0.8\r\n\r\n4e-1 .9", ("Omega_m", "sigma_8")),
        ("# sigma_8 Omega_m\n0.3 0.8\n0.4 0.9\n", ("sigma_8", "Omega_m")),
        ("#sigma_8  x\n0.3 0.8\n0.4 0.9\n", ("sigma_8", "x")),
        ("sigma_8 Omega_m\n0.3 0.8\n0.4 0.9\n", ("sigma_8", "Omega_m")),
        ("# made on a Monday\n#\n# a b\n0.3 0.8 # good\n# comment\n0.4 0.9\n", ("a", "b")),
        ("# made on a Monday\n0.3 0.8\n0.4 0.9\n", ("Omega_m", "sigma_8")),
        ("\ufeff0.3 0.8\n0.4 0.9\n", ("Omega_m", "sigma_8")),
        ("\ufeffsigma_8,Omega_m\n0.3,0.8\n0.4,0.9\n", ("sigma_8", "Omega_m")),
    ],
)
def test_headers_and_comments(tmp_path, text, names):
    table = read_parameter_table(write(tmp_path, text))
    assert table.names == names
    assert len(table) == 2
    np.testing.assert_array_equal(table.values, [[0.3, 0.8], [0.4, 0.9]])
    np.testing.assert_array_equal(table.column(names[1]), [0.8, 0.9])


def test_six_columns_are_those_of_camels(tmp_path):
    assert read_parameter_table(write(tmp_path, "0.3 0.8 1 1 1 1\n")).names == CAMELS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Received: no row"),
        ("# Omega_m sigma_8\n", "Received: no row"),
        ("0.3 0.8\n0.4\n", "2 columns in every row.*1 in line 2"),
        ("0.3 0.8\n0.4 nan\n", "'nan' in line 2"),
        ("0.3 0.8\n0.4 -inf\n", "'-inf' in line 2"),
        ("0.3 0.8\nx 0.8\n", "'x' in line 2"),
        ("0.3 0.8 1.0\n", "header, or 6 or 2 columns.*3 columns without names"),
        ("# Omega_m sigma_8\n0.3 0.8 1.0\n", "each of its 3 columns once.*the header"),
        ("# Omega_m Omega_m\n0.3 0.8\n", "each of its 2 columns once"),
        (b"\x93NUMPY\xff\xfe", "could not be read as a text table"),
    ],
)
def test_wrong_tables_are_refused_with_the_file(tmp_path, text, words):
    with pytest.raises(InputError, match=rf"params\.txt .*{words}"):
        read_parameter_table(write(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "labels", "names"),
    [
        (
            "#Name Omega0 sigma8 x seed\nLH_0 0.3 0.8 1 5\nLH_1 0.4 0.9 2 6\n",
            ("LH_0", "LH_1"),
            (*CAMELS[:2], "x", "seed"),
        ),
        ("Name,,,seed\r\nLH_0,0.3,0.8,5\r\nLH_1,0.4,0.9,6", ("LH_0", "LH_1"), (*CAMELS[:2], "seed")),
        ("Omega_m, sigma_8\n0.3, 0.8\n0.4, 0.9\n", (), CAMELS[:2]),
    ],
)
def test_names_of_rows_and_commas(tmp_path, text, labels, names):
    table = read_parameter_table(write(tmp_path, text))
    assert (table.labels, table.names) == (labels, names)
    np.testing.assert_array_equal(table.values[:, :2], [[0.3, 0.8], [0.4, 0.9]])
    assert "seed" not in table.parameter_names


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("LH_0 0.3 0.8\n0.4 0.9\n", "name every row or none. Received: 1 names of 2"),
        ("Name,,,,seed\nLH_0,0.3,0.8,1,5\n", "3 columns without names"),
    ],
)
def test_wrong_names_are_refused(tmp_path, text, words):
    with pytest.raises(InputError, match=words):
        read_parameter_table(write(tmp_path, text))


@pytest.mark.parametrize("set_name", ["LH", "CV", "1P"])
def test_the_raw_tables_of_camels(shared_data, set_name):
    path = shared_data / "camels_tables" / f"CosmoAstroSeed_IllustrisTNG_L25n256_{set_name}.txt"
    table = read_parameter_table(path)
    columns = range(1, len(table.names) + 1)
    np.testing.assert_array_equal(table.values, np.loadtxt(path, usecols=columns, skiprows=1))
    assert list(table.labels) == np.loadtxt(path, dtype=str, usecols=0, skiprows=1).tolist()
    assert table.names[:2] == CAMELS[:2]
    assert len(table.parameter_names) == (28 if set_name == "1P" else 6)


def test_the_table_of_the_published_code_is_that_of_camels(shared_data):
    folder = shared_data / "camels_tables"
    published = read_parameter_table(folder / "CAMELs_params.csv")
    raw = read_parameter_table(folder / "CosmoAstroSeed_IllustrisTNG_L25n256_LH.txt")
    np.testing.assert_array_equal(
        published.values, np.loadtxt(folder / "CAMELs_params.csv", delimiter=",", skiprows=1, usecols=range(1, 8))
    )
    assert (published.labels, published.names) == (raw.labels, raw.names)
    np.testing.assert_array_equal(published.values, raw.values)
    simba = read_parameter_table(folder / "CosmoAstroSeed_SIMBA_L25n256_LH.txt")
    assert not np.any(np.all(simba.values[:, :2] == raw.values[:, :2], axis=1))


def test_the_published_priors(shared_data):
    specs = read_parameter_info(shared_data / "camels_tables" / "Info_IllustrisTNG_L25n256_6params.txt")
    assert specs == tuple(CAMELS_PARAMETERS.values())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Received: no row"),
        ("ParamName,MinVal\nA,1\n", "columns ParamName, LogFlag, MinVal, MaxVal. Received: ParamName, MinVal"),
        ("ParamName,LogFlag,MinVal,MaxVal\nA,2,1,2\n", "LogFlag of 0 or 1 for A. Received: '2'"),
        ("ParamName,LogFlag,MinVal,MaxVal\nA,0,2,1\n", r"params.txt: The prior edges of A.*Received: 2.0, 1.0"),
    ],
)
def test_wrong_lists_of_priors_are_refused(tmp_path, text, words):
    with pytest.raises(InputError, match=words):
        read_parameter_info(write(tmp_path, text))


def test_missing_file_and_column(tmp_path):
    with pytest.raises(InputError, match=r"absent\.txt could not be read.*No such file"):
        read_parameter_table(tmp_path / "absent.txt")
    with pytest.raises(InputError, match=r"did you mean 'A_SN1'.*Received: 'ASN1'"):
        read_parameter_table(write(tmp_path, "0.3 0.8 1 1 1 1\n")).column("ASN1")


@pytest.mark.parametrize(
    "header",
    [
        "Om sigma8 SN1 AGN1 SN2 AGN2",
        "Omega0 sigma_8 ASN1 AAGN1 ASN2 AAGN2",
        "Omega_0,sigma8,A_SN1,A_AGN1,A_SN2,A_AGN2",
        "OmegaM Sigma8 sn1 agn1 sn2 agn2",
        "# made of Om and sigma8, on a Monday\n# Om0 sigma8 SN1 A_AGN1 SN2 AGN2",
    ],
)
def test_short_names_of_the_parameters_are_known(tmp_path, header):
    table = read_parameter_table(write(tmp_path, f"{header}\n0.3 0.8 1 2 1.5 0.7\n".replace(",", " ")))
    assert table.names == CAMELS
    assert table.column("A_AGN1") == 2.0


@pytest.mark.parametrize(
    ("header", "names"), [("Om S8", ("Omega_m", "S8")), ("Ob sigma8", ("Ob", "sigma_8")), ("SN3 SN", ("SN3", "SN"))]
)
def test_names_of_other_quantities_stay_as_they_are(tmp_path, header, names):
    assert read_parameter_table(write(tmp_path, f"# {header}\n0.3 0.8\n")).names == names


@pytest.mark.parametrize("header", ["Om Omega_m", "SN1 A_SN1", "sigma8 sigma_8"])
def test_two_columns_of_one_meaning_are_refused(tmp_path, header):
    with pytest.raises(InputError, match=r"params\.txt must name each of its 2 columns once"):
        read_parameter_table(write(tmp_path, f"{header}\n0.3 0.8\n"))
