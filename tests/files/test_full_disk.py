"""HDF5 that meets a full disk: one error, no word of the library on stderr, and what was there stays."""

import contextlib
import resource

import numpy as np
import pytest
from toy_models import TINY_8

from higlow_tf.data.parameters import CAMELS_PARAMETERS, ParameterSpace
from higlow_tf.errors import InputError
from higlow_tf.inference.posterior_file import DERIVED, write_posterior_file
from higlow_tf.models import ConditionalGlow
from higlow_tf.models.sample_files import write_samples

REFUSAL = r"\.h5: expected to be able to write it. Received: File too large\.$"
# From nothing to more than the first pages of a file.
ROOMS = (0, 100, 1000, 2500, 5000)


@contextlib.contextmanager
def disk_with_room(num_bytes):
    """A limit on file sizes stands in for a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def write_posterior(path):
    """A posterior of 500 points that no compression makes small."""
    numbers = np.random.default_rng(0).normal(size=(1, 500, 2))
    fields = dict.fromkeys(("theta_grid", "log_posterior", "map_estimate", "boxes", *DERIVED), numbers)
    fields |= {
        "simulation": None,
        "diagnostics": {},
        "calibration": None,
        "method": "grid",
        "combine": "none",
        "shape": (),
    }
    space = ParameterSpace([CAMELS_PARAMETERS["Omega_m"]])
    write_posterior_file(path, fields | {"parameters": space, "prior": {}, "notes": ()}, overwrite=True)


def write_maps(path):
    write_samples(ConditionalGlow(**TINY_8), np.full((40, 2), (0.3, 0.8)), path)


@pytest.mark.parametrize("write", [write_posterior, write_maps])
def test_a_full_disk_is_one_sentence(write, tmp_path, capfd):
    path = tmp_path / "result.h5"
    path.write_text("an earlier result")
    for room in ROOMS:
        with disk_with_room(room), pytest.raises(InputError, match=REFUSAL):
            write(path)
    assert capfd.readouterr().err == ""
    assert path.read_text() == "an earlier result"
    assert list(tmp_path.iterdir()) == [path]


def test_maps_that_will_not_fit_are_not_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(ConditionalGlow, "sample", lambda *_, **__: pytest.fail("drawn for nothing"))
    with disk_with_room(4 * 40 * 8 * 8), pytest.raises(InputError, match=REFUSAL):
        write_maps(tmp_path / "result.h5")
