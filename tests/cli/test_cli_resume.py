"""What `higlow train --resume` says of a run that is not as its checkpoint left it."""

import pytest
from toy_records import SPLIT

from higlow_tf.runs import RunDirectory, new_config
from higlow_tf.runs.continuation import made_with

STATE = {
    "epoch": 1,
    "elapsed_seconds": 1.0,
    "best": None,
    "best_epoch": 0,
    "history": [{"epoch": 1, "wall_minutes": 0.1, "loss": 1.0, "val_loss": 1.0}],
}


@pytest.fixture
def run(suite, tmp_path):
    """A run of one epoch, as far as its files tell."""
    folder = tmp_path / "run"
    config = new_config(preset="tiny", maps=suite.maps, params=suite.params, epochs=1)
    directory = RunDirectory(folder)
    directory.create(config, SPLIT)
    for _ in range(2):
        directory.checkpoints.write(NO_MODEL, NO_AVERAGE, STATE | made_with(config, SPLIT), None)
    return folder


class _Empty:
    weights, variables = (), ()

    @property
    def optimizer(self):
        return self

    def get_state(self):
        return []


NO_MODEL = NO_AVERAGE = _Empty()


def refused(higlow, run):
    result = higlow("train", "--resume", "--out", run)
    assert result.exit_code == 2, result.stdout
    assert "Traceback" not in result.stderr
    return result.stderr


def test_a_damaged_checkpoint_is_said_aloud(higlow, run):
    (run / "checkpoints" / "last.npz").write_bytes(b"PK")
    found = refused(higlow, run)
    assert found.count("Warning:") == 1
    assert f"Warning: {run}/checkpoints/last.npz: cannot be used (File is not a zip file)" in found
    assert f"continues from {run}/checkpoints/previous.npz, after epoch 1." in found
    # What ends this call: nothing is left to do.
    assert "time and epochs left" in found


def test_two_damaged_checkpoints_are_one_sentence(higlow, run):
    for name in ("last.npz", "previous.npz"):
        (run / "checkpoints" / name).write_bytes(b"PK")
    found = refused(higlow, run)
    assert found.startswith(
        f"{run}/checkpoints/last.npz: expected a whole checkpoint, here or in {run}/checkpoints/previous.npz"
    )
    assert "Warning" not in found


def test_an_edited_configuration_is_one_sentence(higlow, run):
    path = run / "config.yaml"
    path.write_text(path.read_text().replace("batch_size: 8", "batch_size: 9"))
    found = refused(higlow, run)
    assert f"{path}: expected training.batch_size: 8, with which" in found
    assert "Received: training.batch_size: 9." in found


def test_a_run_without_checkpoint_says_how_to_start_again(higlow, suite, run):
    for name in ("last.npz", "previous.npz"):
        (run / "checkpoints" / name).unlink()
    assert "to start again, give the same command with --overwrite" in refused(higlow, run)
    result = higlow("train", "--preset", "tiny", "--maps", suite.maps, "--params", suite.params, "--out", run)
    assert result.exit_code == 2
    assert "or --overwrite to start again. Received: a run that ended before its first checkpoint." in result.stderr
