"""The last two checkpoints: damaged, swapped, of an older format; and a run that is continued from what is left."""

import contextlib
import json

import keras
import numpy as np
import pytest
from toy_records import CALIBRATION
from toy_run import stop, with_warnings

from benchmarks.soak.damage import KINDS, damaged
from higlow_tf.errors import InputError
from higlow_tf.files import write_json
from higlow_tf.models import load_model
from higlow_tf.ownership import owned_folder
from higlow_tf.runs import RunDirectory, train
from higlow_tf.runs.checkpoint import read_checkpoint

NUM_COPIES = 60


def checkpoints_of(run):
    return RunDirectory(run).checkpoints


def damage(path):
    """Changes one digit of one weight, with the checksum of the zip file: as a tool that does not know ours would."""
    with np.load(path) as file:
        arrays = dict(file)
    arrays["weight_0000"] = arrays["weight_0000"] + np.float32(1e-3)
    np.savez(path, **arrays)


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
    again, texts = with_warnings(lambda: train(out=run, resume=True, epochs=3))
    assert texts == []
    assert list(again.history["epoch"]) == [1, 2, 3]
    assert read_checkpoint(checkpoints.last).state["config"]["training"]["epochs"] == 3


@pytest.mark.parametrize("damage_model", [lambda path: path.unlink(), lambda path: path.write_bytes(b"PK")])
def test_an_older_checkpoint_beside_a_damaged_model_is_refused(run, damage_model):
    as_older_version(checkpoints_of(run).last)
    damage_model(run / "model.keras")
    with pytest.raises(InputError, match=r"model\.keras: expected a whole model file"):
        train(out=run, resume=True, epochs=3)


def calibrate(run):
    """Leaves the file that `higlow calibrate` would."""
    with owned_folder(run, "run"):
        write_json(CALIBRATION, run / "calibration.json")


@pytest.mark.parametrize("damage_model", [lambda path: path.unlink(), lambda path: path.write_bytes(b"PK")])
def test_a_damaged_model_is_written_again(trained, run, damage_model):
    damage_model(run / "model.keras")
    calibrate(run)
    (text,) = stop(run, 2)
    assert f"{run / 'model.keras'}: was missing, damaged or of a later epoch than" in text
    pairs = zip(load_model(run).weights, load_model(trained).weights, strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert not (run / "calibration.json").exists()


def test_a_model_that_is_whole_keeps_its_calibration(run):
    calibrate(run)
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
