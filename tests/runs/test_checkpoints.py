"""The last two checkpoints: damaged, swapped, of an older format; and a run that is continued from what is left."""

import contextlib
import json
import shutil
import warnings

import keras
import numpy as np
import pytest
import yaml
from damage import KINDS, damaged
from toy_models import make_maps
from toy_records import CALIBRATION

from higlow_tf.errors import InputError, InputWarning
from higlow_tf.files import write_json
from higlow_tf.models import load_model
from higlow_tf.runs import RunDirectory, continuation, train
from higlow_tf.runs.checkpoint import read_checkpoint

NUM_COPIES = 60
SMALL = {
    "preset": "tiny",
    "epochs": 2,
    "batch_size": 16,
    "settings": {"model.width": 4, "model.map_size": 8, "training.jit_compile": False},
}


class StopIn(keras.callbacks.Callback):
    """Ends the process in an epoch, as far as the files can tell."""

    def __init__(self, epoch):
        super().__init__()
        self._epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self._epoch:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    maps, theta = make_maps(20, 4)
    np.save(folder / "Maps_HI_Toy_LH_z=6.00.npy", maps.astype("f4"))
    np.savetxt(folder / "params_LH_Toy.txt", theta[::4], header="Omega_m sigma_8")
    return {"maps": folder / "Maps_HI_Toy_LH_z=6.00.npy", "params": folder / "params_LH_Toy.txt"}


@pytest.fixture(scope="module")
def trained(files, tmp_path_factory):
    """A run of two epochs."""
    return train(**SMALL, **files, out=tmp_path_factory.mktemp("runs") / "run").path


@pytest.fixture
def run(trained, tmp_path):
    """A copy of it."""
    return shutil.copytree(trained, tmp_path / "run")


def checkpoints_of(run):
    return RunDirectory(run).checkpoints


def damage(path):
    """Changes one digit of one weight, with the checksum of the zip file: as a tool that does not know ours would."""
    with np.load(path) as file:
        arrays = dict(file)
    arrays["weight_0000"] = arrays["weight_0000"] + np.float32(1e-3)
    np.savez(path, **arrays)


def with_warnings(call):
    """What a call returns, and the texts of its warnings, each once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InputWarning)
        result = call()
    return result, sorted({str(warning.message) for warning in caught if warning.category is InputWarning})


def stop(run, epoch):
    """Continues a run and ends before an epoch; the texts of the warnings."""

    def call():
        with pytest.raises(KeyboardInterrupt):
            train(out=run, resume=True, epochs=3, callbacks=[StopIn(epoch)])

    return with_warnings(call)[1]


def same_content(first, second):
    kinds = ("weights", "optimizer", "average")
    pairs = [pair for kind in kinds for pair in zip(getattr(first, kind), getattr(second, kind), strict=True)]
    return all(np.array_equal(a, b) for a, b in pairs) and (first.state, first.best_model) == (
        second.state,
        second.best_model,
    )


def test_the_last_two_checkpoints_are_kept(run):
    last, previous = (read_checkpoint(path) for path in (checkpoints_of(run).last, checkpoints_of(run).previous))
    assert (last.state["epoch"], previous.state["epoch"]) == (2, 1)
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["last.npz", "previous.npz"]
    assert last.best_model == (run / "model.keras").read_bytes()


@pytest.mark.parametrize("seed", range(NUM_COPIES))
def test_a_damaged_checkpoint_is_never_used_and_never_a_traceback(trained, run, seed):
    checkpoints = checkpoints_of(run)
    whole = [read_checkpoint(checkpoints_of(trained).last), read_checkpoint(checkpoints_of(trained).previous)]
    checkpoints.last.write_bytes(damaged(checkpoints.last.read_bytes(), seed))
    found = checkpoints.read()
    # Some damage is to nothing that counts: a date in the zip file, or a copy behind it.
    assert same_content(found, whole[1] if found.problem else whole[0])
    if KINDS[seed % len(KINDS)] in ("truncated", "emptied", "swapped"):
        assert found.problem
    checkpoints.previous.unlink()
    with (
        contextlib.nullcontext()
        if not found.problem
        else pytest.raises(InputError, match="a whole checkpoint") as error
    ):
        checkpoints.read()
    if error is not None:
        assert str(checkpoints.last) in str(error.value)
        assert str(checkpoints.previous) in str(error.value)
        assert len(str(error.value)) < 1500


def test_a_changed_digit_is_noticed_and_the_checkpoint_before_is_used(run):
    checkpoints = checkpoints_of(run)
    damage(checkpoints.last)
    (run / "history.csv").write_text("damaged")
    again, texts = with_warnings(lambda: train(out=run, resume=True, epochs=3))
    (text,) = [text for text in texts if "cannot be used" in text]
    assert f"{checkpoints.last}: cannot be used (content with the checksum" in text
    assert f"continues from {checkpoints.previous}, after epoch 1" in text
    assert list(again.history["epoch"]) == [1, 2, 3]
    assert [read_checkpoint(path).state["epoch"] for path in (checkpoints.last, checkpoints.previous)] == [3, 2]


def test_a_kill_between_the_two_renames_leaves_a_whole_checkpoint(run, monkeypatch):
    """The new one has no name yet, and the last one is already the one before."""
    checkpoints = checkpoints_of(run)

    def rename_and_end(source, target):
        source.rename(target)
        raise KeyboardInterrupt

    monkeypatch.setattr("higlow_tf.runs.checkpoint.rename_own", rename_and_end)
    with pytest.raises(KeyboardInterrupt):
        train(out=run, resume=True, epochs=3)
    assert not checkpoints.last.exists()
    assert checkpoints.exist()
    found = checkpoints.read()
    assert (found.path, found.problem, found.state["epoch"]) == (checkpoints.previous, "no such file", 2)


def test_a_damaged_checkpoint_does_not_replace_the_whole_one_before(run):
    """A second kill, before the epoch that is repeated has ended."""
    checkpoints = checkpoints_of(run)
    checkpoints.last.write_bytes(b"PK")
    assert any("cannot be used" in text for text in stop(run, 1))
    found = checkpoints.read()
    assert (found.path, found.state["epoch"]) == (checkpoints.last, 1)


def test_where_both_are_damaged_the_sentence_names_both(run):
    checkpoints = checkpoints_of(run)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and ".higlow" not in path.parts}
    for path in (checkpoints.last, checkpoints.previous):
        path.write_bytes(path.read_bytes()[:1000])
        before[path] = path.read_bytes()
    with pytest.raises(
        InputError, match=r"last\.npz: expected .*, here or in .*previous\.npz; .*--overwrite. Received: "
    ):
        train(out=run, resume=True, epochs=3)
    assert {path: path.read_bytes() for path in before} == before


def as_older_version(path):
    """Writes a checkpoint as version 0.1 did: no checksum, no model, and a state that does not say what made it."""
    with np.load(path) as file:
        arrays = {name: array for name, array in file.items() if name not in ("sha256", "best_model")}
    state = json.loads(arrays["state"].item())
    arrays["state"] = json.dumps({k: v for k, v in state.items() if k not in ("config", "split", "versions")})
    np.savez(path, **arrays)


def test_a_checkpoint_of_an_older_version_is_continued(run):
    checkpoints = checkpoints_of(run)
    checkpoints.previous.unlink()
    as_older_version(checkpoints.last)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = train(out=run, resume=True, epochs=3)
    assert list(again.history["epoch"]) == [1, 2, 3]
    assert read_checkpoint(checkpoints.last).state["config"]["training"]["epochs"] == 3


@pytest.mark.parametrize("damage_model", [lambda path: path.unlink(), lambda path: path.write_bytes(b"PK")])
def test_an_older_checkpoint_beside_a_damaged_model_is_refused(run, damage_model):
    as_older_version(checkpoints_of(run).last)
    damage_model(run / "model.keras")
    with pytest.raises(InputError, match=r"model\.keras: expected a whole model file"):
        train(out=run, resume=True, epochs=3)


@pytest.mark.parametrize("damage_model", [lambda path: path.unlink(), lambda path: path.write_bytes(b"PK")])
def test_a_damaged_model_is_written_again(trained, run, damage_model):
    damage_model(run / "model.keras")
    write_json(CALIBRATION, run / "calibration.json")
    (text,) = stop(run, 2)
    assert f"{run / 'model.keras'}: was missing, damaged or of a later epoch than" in text
    pairs = zip(load_model(run).weights, load_model(trained).weights, strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert not (run / "calibration.json").exists()


def test_a_model_that_is_whole_keeps_its_calibration(run):
    write_json(CALIBRATION, run / "calibration.json")
    assert stop(run, 2) == []
    assert load_model(run).calibration == CALIBRATION


def test_a_checkpoint_of_another_model_changes_nothing(run):
    found = checkpoints_of(run).read()
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])
    model.compile("adam")
    before = [weight.numpy() for weight in model.weights]

    class NoAverage:
        def get_state(self):
            return []

    with pytest.raises(InputError, match=r"last\.npz: expected a checkpoint of this model"):
        found.assign(model, NoAverage())
    assert all(np.array_equal(a, b) for a, b in zip(before, model.weights, strict=True))


@pytest.mark.parametrize(
    ("section", "key", "value", "is_noticed"),
    [
        ("training", "batch_size", 8, True),
        ("training", "learning_rate", 0.5, True),
        ("model", "width", 8, True),
        ("data", "split_seed", 7, True),
        ("training", "epochs", 5, False),
        ("training", "max_minutes", 50.0, False),
        ("data", "maps", "elsewhere.npy", False),
    ],
)
def test_an_edited_configuration_is_noticed(run, section, key, value, is_noticed):
    path = run / "config.yaml"
    content = yaml.safe_load(path.read_text())
    content[section][key] = value
    path.write_text(yaml.safe_dump(content))
    if not is_noticed:
        assert continuation.open_to_continue(RunDirectory(run))[2].state["epoch"] == 2
        return
    with pytest.raises(
        InputError, match=rf"config\.yaml: expected {section}\.{key}: .*Received: {section}\.{key}: {value}"
    ):
        train(out=run, resume=True, epochs=9)


def test_the_split_of_another_run_is_noticed(run, files, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(**SMALL, **files, split_seed=5, out=tmp_path / "other", callbacks=[StopIn(0)])
    shutil.copy(tmp_path / "other" / "split.json", run / "split.json")
    with pytest.raises(InputError, match=r"split\.json: expected the record with which .*last\.npz was made"):
        train(out=run, resume=True, epochs=3)


def test_other_versions_are_said(run, monkeypatch):
    now = continuation.versions() | {"tensorflow": "99.0"}
    monkeypatch.setattr(continuation, "versions", lambda: now)
    with pytest.warns(InputWarning, match=r"last\.npz: was made with tensorflow .*\(now 99\.0\)\. .* bit by bit"):
        continuation.open_to_continue(RunDirectory(run))


def test_a_run_that_was_killed_before_its_first_checkpoint_says_how_to_start_again(run, files):
    def start(epoch):
        with pytest.raises(KeyboardInterrupt):
            train(**SMALL, **files, out=run, overwrite=True, callbacks=[StopIn(epoch)])

    # It replaces a run with two checkpoints, and neither is left.
    start(0)
    assert not (run / "checkpoints").exists()
    with pytest.raises(InputError, match="to start again, give the same command with --overwrite"):
        train(out=run, resume=True)
    with pytest.raises(InputError, match="or --overwrite to start again. Received: a run that ended before its first"):
        train(**SMALL, **files, out=run)
    start(1)
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["last.npz"]
