import numpy as np
import pytest

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


def test_missing_file_and_column(tmp_path):
    with pytest.raises(InputError, match=r"absent\.txt could not be read.*No such file"):
        read_parameter_table(tmp_path / "absent.txt")
    with pytest.raises(InputError, match=r"did you mean 'A_SN1'.*Received: 'ASN1'"):
        read_parameter_table(write(tmp_path, "0.3 0.8 1 1 1 1\n")).column("ASN1")
