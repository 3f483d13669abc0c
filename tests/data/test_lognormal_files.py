"""The files of the lognormal suite: layout, contents, and that they appear whole or not at all."""

import resource

import numpy as np
import pytest

from higlow_tf.data import lognormal
from higlow_tf.data.lognormal import write_lognormal
from higlow_tf.errors import InputError

SMALL = {"simulations": 4, "map_size": 8, "maps_per_simulation": 3}


def test_files_hold_the_maps_of_the_table(tmp_path):
    maps_path, params_path = write_lognormal(tmp_path / "new" / "folder", **SMALL, seed=1)
    assert maps_path.name == "Maps_HI_Lognormal_LH_z=6.00.npy"
    assert params_path.name == "params_LH_Lognormal.txt"
    assert params_path.read_text().splitlines()[0] == "# Omega_m sigma_8"
    maps, theta = np.load(maps_path, allow_pickle=False), np.loadtxt(params_path)
    assert maps.dtype == np.float32
    assert maps.shape == (12, 8, 8)
    assert theta.shape == (4, 2)
    np.testing.assert_array_equal(maps, lognormal.sample(np.repeat(theta, 3, axis=0), 8, seed=1))
    assert sorted(path.name for path in maps_path.parent.iterdir() if path.is_file()) == [
        maps_path.name,
        params_path.name,
    ]


def test_parameters_are_a_latin_hypercube_over_the_prior(tmp_path):
    _, params_path = write_lognormal(tmp_path, simulations=20, map_size=4, maps_per_simulation=1)
    theta = np.loadtxt(params_path)
    slices = (theta - (0.1, 0.6)) / 0.4 * 20
    # Rounding to five decimals moves a value by at most 5e-6 / 0.4 * 20 = 2.5e-4 slices.
    np.testing.assert_allclose(np.sort(slices, axis=0) - np.arange(20)[:, None], 0.5, atol=0.5 + 2.5e-4)


def test_seeds_change_parameters_and_fields(tmp_path):
    tables, fields = [], []
    for seed in (0, 1):
        maps_path, params_path = write_lognormal(tmp_path / str(seed), **SMALL, seed=seed)
        tables.append(np.loadtxt(params_path))
        fields.append(np.load(maps_path))
    assert not np.any(tables[0] == tables[1])
    assert not np.any(fields[0] == fields[1])


def test_progress_counts_simulations(tmp_path):
    seen = []
    write_lognormal(tmp_path, **SMALL, progress=lambda stage, done, total: seen.append((stage, done, total)))
    assert seen == [("simulations", done, 4) for done in range(1, 5)]


def test_existing_files_are_kept_unless_overwrite_is_asked_for(tmp_path):
    maps_path, params_path = write_lognormal(tmp_path, **SMALL)
    before = maps_path.read_bytes(), params_path.read_bytes()
    with pytest.raises(InputError, match=r"Maps_HI_Lognormal.*overwrite.*Received"):
        write_lognormal(tmp_path, **SMALL, seed=1)
    maps_path.rename(tmp_path / "away.npy")
    with pytest.raises(InputError, match=r"params_LH_Lognormal.*overwrite.*Received"):
        write_lognormal(tmp_path, **SMALL, seed=1)
    (tmp_path / "away.npy").rename(maps_path)
    assert (maps_path.read_bytes(), params_path.read_bytes()) == before
    write_lognormal(tmp_path, **SMALL, seed=1, overwrite=True)
    assert maps_path.read_bytes() != before[0]
    assert params_path.read_bytes() != before[1]


def test_an_interrupted_run_leaves_the_old_files_and_nothing_else(tmp_path):
    maps_path, params_path = write_lognormal(tmp_path, **SMALL)
    before = maps_path.read_bytes(), params_path.read_bytes()

    def interrupt(stage, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_lognormal(tmp_path, **SMALL, seed=1, overwrite=True, progress=interrupt)
    assert (maps_path.read_bytes(), params_path.read_bytes()) == before
    assert len([path for path in tmp_path.iterdir() if path.is_file()]) == 2


def test_a_file_that_does_not_fit_is_named_and_removed(tmp_path):
    """A limit on file sizes stands in for a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, limits[1]))
    try:
        with pytest.raises(InputError, match=r"Maps_HI_Lognormal.*able to write.*Received: File too large"):
            write_lognormal(tmp_path, simulations=2, map_size=64, maps_per_simulation=40)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(InputError, match="out: expected to be able to write it. Received: Not a directory"):
        write_lognormal(tmp_path / "file" / "out", **SMALL)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"simulations": 0}, r"simulations.*Received: 0"),
        ({"maps_per_simulation": 1.5}, r"maps_per_simulation.*Received: 1.5"),
        ({"map_size": 0}, r"map_size.*Received: 0"),
        ({"seed": -3}, r"seed.*Received: -3"),
    ],
)
def test_wrong_input_writes_nothing(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        write_lognormal(tmp_path / "out", **(SMALL | change))
    assert not (tmp_path / "out").exists()
