"""The true parameters of posteriors, from a table or from the file of the maps."""

import h5py
import numpy as np
import pytest

from higlow_tf.errors import InputError
from higlow_tf.runs import load_maps_like, true_parameters

NAMES = ("Omega_m", "sigma_8")
THETA = np.array([[0.2, 0.7], [0.3, 0.8], [0.4, 0.9]])


@pytest.fixture
def files(tmp_path, rng):
    """Six maps of three simulations, without parameters, and the table of these."""
    np.save(tmp_path / "maps.npy", rng.lognormal(size=(6, 8, 8)).astype(np.float32))
    np.savetxt(tmp_path / "params.txt", THETA, header="Omega_m sigma_8")
    return load_maps_like(None, tmp_path / "maps.npy"), tmp_path / "params.txt"


@pytest.mark.parametrize(
    ("combine", "expected"),
    [(None, THETA[[0, 0, 1, 1]]), ([0, 0, 1, 1], THETA[[0, 1]]), ([7, 7, 2, 2], THETA[[1, 0]])],
)
def test_a_row_a_posterior(files, combine, expected):
    np.testing.assert_array_equal(true_parameters(*files, NAMES, slice(0, 4), combine), expected)


def test_maps_of_different_parameters_have_no_truth_together(files):
    np.testing.assert_array_equal(true_parameters(*files, NAMES, slice(4, 6), "independent"), THETA[[2]])
    with pytest.raises(InputError, match=r"params.txt: expected equal parameters .* Received: different ones"):
        true_parameters(*files, NAMES, slice(0, 4), "independent")


def test_only_a_file_that_holds_them_tells_them_without_a_table(files, tmp_path):
    assert true_parameters(files[0], None, NAMES, slice(0, 6), None) is None
    with h5py.File(tmp_path / "maps.h5", "w") as file:
        file["maps"], file["theta"] = files[0].maps, THETA
        file.attrs["parameters"] = ["Omega_m", "A_SN1"]
    found = load_maps_like(None, tmp_path / "maps.h5")
    np.testing.assert_array_equal(true_parameters(found, None, ("A_SN1",), slice(1, 3), None), THETA[[0, 1], 1:])
    assert true_parameters(found, None, NAMES, slice(0, 6), None) is None
