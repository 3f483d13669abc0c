"""Which parameters the records of a model's posteriors may have."""

import json

import pytest

from higlow_tf.data import ParameterSpace
from higlow_tf.errors import InputError
from higlow_tf.models.posterior_record import CALIBRATION_FILE, read_posterior_records

SPACE = ParameterSpace.from_names(["Omega_m", "sigma_8", "A_SN1"])
RECORD = {"tempering": 0.5, "widening": [0.0, 0.1], "parameters": ["Omega_m", "sigma_8"]}


def write(directory, **changes):
    (directory / CALIBRATION_FILE).write_text(json.dumps(RECORD | changes))


def test_a_record_belongs_to_the_parameters_of_interest(tmp_path):
    write(tmp_path)
    calibration, typicality = read_posterior_records(tmp_path, SPACE, nuisance=("A_SN1",))
    assert calibration == RECORD
    assert typicality is None


@pytest.mark.parametrize(
    ("nuisance", "changes", "message"),
    [
        ((), {}, "expected a widening of one or 3 numbers. Received: 2"),
        (
            (),
            {"widening": 0.1},
            "expected the parameters of the model, Omega_m, sigma_8, A_SN1. Received: Omega_m, sigma_8",
        ),
        (("sigma_8",), {}, "expected the parameters of the model, Omega_m, A_SN1. Received: Omega_m, sigma_8"),
    ],
)
def test_a_record_of_other_parameters_is_refused(tmp_path, nuisance, changes, message):
    write(tmp_path, **changes)
    with pytest.raises(InputError, match=message):
        read_posterior_records(tmp_path, SPACE, nuisance)


def test_an_older_record_does_not_name_them(tmp_path):
    write(tmp_path, parameters=None, widening=0.1)
    assert read_posterior_records(tmp_path, SPACE)[0]["tempering"] == 0.5
