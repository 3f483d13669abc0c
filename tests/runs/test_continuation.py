"""A run is continued as it was: what was changed between two calls, and what a kill before the first checkpoint leaves."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
import yaml
from toy_run import SMALL, StopIn

from higlow_tf.errors import InputError, InputWarning
from higlow_tf.runs import RunDirectory, continuation, train


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


def test_an_empty_folder_of_checkpoints_does_not_stand_in_the_way(run, files):
    """A full disk, or a kill, in the first checkpoint: the folder is there, and on no list."""
    listing = run / ".higlow" / "folder.json"
    content = json.loads(listing.read_text())
    content["files"] = [name for name in content["files"] if not name.startswith("checkpoints")]
    listing.write_text(json.dumps(content))
    shutil.rmtree(run / "checkpoints")
    (run / "checkpoints").mkdir()
    train(**SMALL, **files, out=run, overwrite=True)
    assert RunDirectory(run).checkpoints.exist()


@pytest.mark.slow
def test_a_run_on_two_devices_is_continued(files, tmp_path, two_replicas):
    with pytest.raises(KeyboardInterrupt):
        train(**SMALL, **files, out=tmp_path / "run", strategy=two_replicas, callbacks=[StopIn(1)])
    train(out=tmp_path / "run", resume=True, strategy=two_replicas)
    losses = RunDirectory(tmp_path / "run").read_history()["val_loss"]
    train(**SMALL, **files, out=tmp_path / "alone", strategy=tf.distribute.get_strategy())
    # Float32 sums in another order.
    np.testing.assert_allclose(losses, RunDirectory(tmp_path / "alone").read_history()["val_loss"], atol=1e-5)
