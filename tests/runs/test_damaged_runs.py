"""Whatever happened to a file of a run, its readers say so in one sentence, or read what was written."""

import shutil
import warnings
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from toy_models import make_maps
from toy_records import CALIBRATION, TYPICALITY

from benchmarks.soak.damage import KINDS, damaged
from higlow_tf.data import load_cmd
from higlow_tf.errors import InputError, InputWarning
from higlow_tf.files import write_json
from higlow_tf.models import load_model
from higlow_tf.runs import audit_run, open_run, train

MAPS, TABLE, HDF5 = "Maps_HI_Toy_LH_z=6.00.npy", "params_LH_Toy.txt", "maps.h5"
FILES = (
    "config.yaml", "model.keras", "split.json", "history.csv", "format_version", "calibration.json", "typicality.json",
    MAPS, TABLE, HDF5,
)  # fmt: skip
KEPT = ("content_hash", "simulations", "map_hashes", "zero_floor")
NUM_COPIES = 60
SETTINGS = {"model.num_levels": 1, "model.width": 4, "model.map_size": 8, "training.jit_compile": False}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run in a folder with its data, and what its readers find there."""
    folder = tmp_path_factory.mktemp("whole")
    maps, theta = make_maps(20, 2)
    np.save(folder / MAPS, maps.astype("f4"))
    np.savetxt(folder / TABLE, theta[::2], header="Omega_m sigma_8")
    with h5py.File(folder / HDF5, "w") as file:
        file.update({"maps": maps.astype("f4"), "theta": theta})
        file.attrs["parameters"] = ["Omega_m", "sigma_8"]
    run = train(
        preset="tiny", maps=folder / MAPS, params=folder / TABLE, out=folder / "run", epochs=1, batch_size=16,
        end_layers=False, settings=SETTINGS,
    )  # fmt: skip
    write_json(CALIBRATION, run.path / "calibration.json")
    write_json(TYPICALITY, run.path / "typicality.json")
    return folder


def read_all(folder):
    """What each reader gives, or the `InputError` it raises; anything else that is raised ends the test."""
    run, data = folder / "run", (folder / MAPS, folder / TABLE)
    readers = {
        "model": lambda: load_model(run),
        "run": lambda: (open_run(run), open_run(run).history),
        "audit": lambda: audit_run(run, *data),
        "data": lambda: load_cmd(*data),
        "hdf5": lambda: load_cmd(folder / HDF5),
    }
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        for name, reader in readers.items():
            try:
                found[name] = reader()
            except InputError as error:
                found[name] = error
    return SimpleNamespace(**found)


def path_in(folder, name):
    return folder / name if name in (MAPS, TABLE, HDF5) else folder / "run" / name


def test_the_whole_run_is_read(whole):
    found = read_all(whole)
    assert not [name for name, value in vars(found).items() if isinstance(value, InputError)]
    assert found.model.calibration == CALIBRATION
    assert found.audit.is_usable


@pytest.mark.parametrize("seed", range(NUM_COPIES))
def test_a_damaged_file_is_a_sentence_or_read_as_it_was(whole, tmp_path, seed):
    folder = shutil.copytree(whole, tmp_path / "copy")
    # Each file meets each kind of damage.
    name = FILES[seed // len(KINDS)]
    path = path_in(folder, name)
    path.write_bytes(damaged(path.read_bytes(), seed))
    found = read_all(folder)
    errors = [str(value) for value in vars(found).values() if isinstance(value, InputError)]
    for text in errors:
        assert name in text
        assert "Received: " in text
        assert len(text) < 1000
    if KINDS[seed % len(KINDS)] == "emptied":
        assert errors
    if not isinstance(found.model, InputError):
        original = load_model(whole / "run")
        pairs = zip(found.model.weights, original.weights, strict=True)
        assert all(np.array_equal(weight, other) for weight, other in pairs)
        assert all(found.model.split[key] == original.split[key] for key in KEPT)
