"""Which columns are conditions, and which of them one asks for."""

import numpy as np
import pytest

from higlow_tf.data import ParameterSpace, ParameterSpec, load_cmd
from higlow_tf.data.parameter_choice import condition_space, num_of_interest
from higlow_tf.data.tables import MissingColumnError, ParameterTable
from higlow_tf.errors import InputError, InputWarning

TABLE = ParameterTable("params.txt", ("sigma_8", "A_AGN1", "Omega_m", "A_SN1", "seed"), np.ones((2, 5)))
WIND = {"name": "wind", "low": 1.0, "high": 2.0}
WITH_WIND = ParameterTable("params.txt", (*TABLE.names, "wind"), np.ones((2, 6)))
INFO = "ParamName,LogFlag,MinVal,MaxVal\nOmega0,0,0.1,0.5\nwind,1,1,2\nA_SN1,1,0.25,4\n"
TWO = ("Omega_m", "sigma_8")


@pytest.mark.parametrize(
    ("parameters", "nuisance", "names"),
    [
        (TWO, (), TWO),
        (TWO, "all", (*TWO, "A_AGN1", "A_SN1")),
        (TWO, ["A_SN1", "A_AGN1"], (*TWO, "A_AGN1", "A_SN1")),
        (TWO, "A_SN1", (*TWO, "A_SN1")),
        (TWO, ParameterSpace.from_names(["A_SN1"]), (*TWO, "A_SN1")),
        ("Omega_m", "all", ("Omega_m", "sigma_8", "A_AGN1", "A_SN1")),
        ("all", "all", ("sigma_8", "A_AGN1", "Omega_m", "A_SN1")),
        (TWO, "known", (*TWO, "A_AGN1", "A_SN1")),
        ("all", "known", ("sigma_8", "A_AGN1", "Omega_m", "A_SN1")),
    ],
)
def test_what_is_asked_for_comes_first_and_the_others_in_the_order_of_the_table(parameters, nuisance, names):
    space = condition_space(parameters, nuisance, TABLE)
    assert space.names == names
    asked = names if parameters == "all" else np.atleast_1d(parameters).tolist()
    assert num_of_interest(parameters, space) == len(asked)


def test_columns_without_a_known_prior_get_theirs_from_a_mapping_or_a_file(tmp_path):
    file = tmp_path / "Info_Toy.txt"
    file.write_text(INFO)
    with pytest.raises(InputError, match=r"params\.txt has columns without a known prior.*Received: wind"):
        condition_space(TWO, "all", WITH_WIND)
    assert condition_space(TWO, [WIND], WITH_WIND).specs[2] == ParameterSpec("wind", "wind", 1.0, 2.0)
    # What one asks for is left out of a file, which lists everything.
    space = condition_space(TWO, file, WITH_WIND)
    assert space.names == (*TWO, "A_SN1", "wind")
    assert space.specs[3].transform == "log"
    assert num_of_interest(file, condition_space(file, (), WITH_WIND)) == 3


def test_known_columns_are_those_with_a_prior_unless_they_are_many():
    with pytest.warns(InputWarning, match=r"^params\.txt: the model is not told wind, which vary, too"):
        assert condition_space(TWO, "known", WITH_WIND).names == (*TWO, "A_AGN1", "A_SN1")
    known = ("A_SN1", "A_AGN1", "A_SN2", "A_AGN2")
    many = ParameterTable("params.txt", (*TWO, *known), np.ones((2, 6)))
    assert condition_space(TWO, "known", many).names == (*TWO, *known)
    with pytest.warns(InputWarning, match="is not told sigma_8, A_SN1, A_AGN1, A_SN2 and others, which vary"):
        assert condition_space("Omega_m", "known", many).names == ("Omega_m",)


def test_a_missing_column_and_one_that_is_both_are_refused():
    with pytest.raises(MissingColumnError, match=r"params\.txt has the columns .* Received: 'A_SN2'") as caught:
        condition_space(TWO, ["A_SN2"], TABLE)
    assert caught.value.column == "A_SN2"
    with pytest.raises(
        InputError, match="nuisance: expected other parameters than Omega_m, sigma_8.*Received: sigma_8"
    ):
        condition_space(TWO, ["sigma_8"], TABLE)


def test_the_nuisance_columns_of_a_file_are_columns_of_theta(tmp_path):
    maps = 10.0 ** np.random.default_rng(0).normal(6.5, 0.4, (12, 8, 8)).astype("f4")
    rows = np.random.default_rng(1).uniform([0.1, 0.6, 0.5], [0.5, 1.0, 3.0], (6, 3))
    np.save(tmp_path / "maps.npy", maps)
    np.savetxt(tmp_path / "params.txt", rows, header="Omega_m sigma_8 A_SN1")
    data = load_cmd(tmp_path / "maps.npy", tmp_path / "params.txt", nuisance="all")
    assert data.parameters.names == (*TWO, "A_SN1")
    np.testing.assert_array_equal(data.theta_by_simulation, np.loadtxt(tmp_path / "params.txt"))
    assert data.other_parameters == {}
