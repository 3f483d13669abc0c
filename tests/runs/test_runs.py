"""Runs: split record, checkpoints, a kill in mid-epoch, what load_model finds."""

import csv
import itertools
import os
import shutil
import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from toy_models import make_maps
from toy_records import SPLIT

from higlow_tf.data import HIMapDataset, load_cmd
from higlow_tf.errors import InputError
from higlow_tf.models import load_model, save_model
from higlow_tf.runs import RunConfig, callbacks, maps_for_testing, read_run_config, train_run, trainer
from higlow_tf.runs.callbacks import Clock
from higlow_tf.runs.checkpoint import read_checkpoint
from higlow_tf.runs.directory import RunDirectory
from higlow_tf.runs.split_record import make_split_record, subset_of

RECIPE = {"epochs": 4, "batch_size": 16, "warmup_steps": 2, "jit_compile": False}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Maps and table in the CMD layout: 20 simulations of 4 maps, one pixel exactly zero."""
    folder = tmp_path_factory.mktemp("data")
    maps, theta = make_maps(20, 4)
    maps[5, 2, 3] = 0.0
    maps_file, params_file = folder / "Maps_HI_Toy_LH_z=6.00.npy", folder / "params_LH_Toy.txt"
    np.save(maps_file, maps.astype("f4"))
    np.savetxt(params_file, theta[::4], header="Omega_m sigma_8")
    return {"maps": str(maps_file), "params": str(params_file)}


def make_config(files, *, num_levels=1, **training):
    return RunConfig(
        data={**files, "split_fractions": (0.6, 0.2, 0.2)},
        preset="tiny",
        model={"num_levels": num_levels, "width": 4, "map_size": 8},
        training={**RECIPE, **training},
    )


def test_a_run_can_be_loaded_audited_and_judged(files, tmp_path):
    run = tmp_path / "run"
    config = make_config(files)
    train_run(config, run)
    assert {path.name for path in run.iterdir()} == {
        "config.yaml", "model.keras", "split.json", "versions.json", "history.csv", "checkpoints", "format_version",
    }  # fmt: skip
    assert read_run_config(run / "config.yaml") == config
    rows = list(csv.DictReader((run / "history.csv").read_text().splitlines()))
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4]
    assert float(rows[-1]["learning_rate"]) < float(rows[1]["learning_rate"])

    model = load_model(run)
    data = load_cmd(files["maps"], files["params"])
    simulations = model.split["simulations"]
    assert sorted(sum(simulations.values(), [])) == list(range(20))
    test_maps, label = maps_for_testing(model.split, data)
    assert test_maps.simulation_indices.tolist() == simulations["test"]
    assert "4 test simulations" in label
    best = min(float(row["val_loss"]) for row in rows)
    validation = data.select_simulations(simulations["validation"])
    # The stored model is the averaged one of the best epoch: it gives the validation loss of the history.
    assert np.isclose(-np.mean(model.log_prob(validation.maps, validation.theta)) / 64, best, atol=2e-5)

    shuffled = HIMapDataset.from_arrays(data.maps[::-1], data.theta[::-1])
    with pytest.raises(InputError, match="expected maps that the run was not trained on. Received: 64 of 80"):
        maps_for_testing(model.split, shuffled)
    assert maps_for_testing(model.split, shuffled, allow_training_maps=True)[1].startswith("ON TRAINING MAPS")
    other = HIMapDataset.from_arrays(*make_maps(3, 2, seed=9))
    assert maps_for_testing(model.split, other)[1] == "all 3 simulations of another file"


def test_the_test_split_is_known_by_pixels_where_another_file_numbers_the_simulations_otherwise():
    maps, theta = make_maps(20, 4)
    numbers = np.repeat(np.random.default_rng(0).permutation(20), 4)
    data = HIMapDataset.from_arrays(maps, theta, simulation=numbers)
    subsets = data.split_by_simulation((0.6, 0.2, 0.2))
    record = make_split_record(data, subsets, fractions=(0.6, 0.2, 0.2), seed=0, zero_floor=None)
    again = HIMapDataset.from_arrays(maps, theta)
    assert again.content_hash() == data.content_hash()
    for name, subset in zip(("train", "validation", "test"), subsets, strict=True):
        np.testing.assert_array_equal(subset_of(record, again, name).maps, subset.maps)
    assert "4 test simulations" in maps_for_testing(record, again)[1]


CHILD = """
import sys, time, keras
from higlow_tf.runs import RunConfig, train_run
class Slow(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        print("step", flush=True)
        time.sleep(float(sys.argv[3]))
train_run(RunConfig.model_validate_json(sys.argv[1]), sys.argv[2], resume=sys.argv[4] == "resume", callbacks=[Slow()])
"""


def child(config, run, *, pause=0.0, resume=False, kill_after=None):
    """Trains in a process of its own; with `kill_after`, it is killed after so many steps."""
    command = [sys.executable, "-c", CHILD, config.model_dump_json(), str(run), str(pause)]
    command.append("resume" if resume else "new")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=os.environ, **pipes) as process:
        if kill_after is None:
            errors = process.communicate(timeout=300)[1]
            assert process.returncode == 0, errors
        else:
            for _ in range(kill_after):
                assert process.stdout.readline() == "step\n"
            process.send_signal(signal.SIGKILL)


@pytest.fixture(scope="module")
def deterministic(files, tmp_path_factory):
    """A deterministic run that nothing interrupted: its configuration and its folder."""
    config = make_config(files, num_levels=2, deterministic=True, average_momentum=0.9)
    run = tmp_path_factory.mktemp("deterministic") / "run"
    child(config, run)
    return config, run


def test_a_run_killed_in_mid_epoch_ends_as_an_uninterrupted_one(deterministic, tmp_path):
    config, whole = deterministic
    # Three steps an epoch: the fifth is in the middle of the second epoch.
    child(config, tmp_path / "killed", pause=0.5, kill_after=5)
    load_model(tmp_path / "killed")
    child(config, tmp_path / "killed", resume=True)
    assert_ended_alike(whole, tmp_path / "killed")


@pytest.mark.slow
def test_a_run_whose_last_checkpoint_is_damaged_repeats_an_epoch_and_ends_as_it_was(deterministic, tmp_path):
    config, whole = deterministic
    run = shutil.copytree(whole, tmp_path / "run")
    checkpoints = RunDirectory(run).checkpoints
    # The best model on disk is of the last epoch, and the checkpoint before does not know it.
    assert (checkpoints.read().state["best_epoch"], read_checkpoint(checkpoints.previous).state["epoch"]) == (3, 3)
    checkpoints.last.write_bytes(checkpoints.last.read_bytes()[:-100])
    (run / "history.csv").write_bytes(b"")
    child(config, run, resume=True)
    assert read_checkpoint(checkpoints.previous).state["epoch"] == 3
    assert_ended_alike(whole, run)


def assert_ended_alike(run, other):
    """All but wall time is the same, bit for bit."""
    first, second = (RunDirectory(path).checkpoints.read() for path in (run, other))
    assert (first.problem, second.problem) == ("", "")
    for kind in ("weights", "optimizer", "average"):
        pairs = zip(getattr(first, kind), getattr(second, kind), strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs), kind
    drop = {"elapsed_seconds", "wall_minutes"}
    histories = [
        [{k: v for k, v in row.items() if k not in drop} for row in checkpoint.state["history"]]
        for checkpoint in (first, second)
    ]
    assert histories[0] == histories[1]
    assert len(RunDirectory(other).read_history()["epoch"]) == len(histories[0])
    # The files of the models have dates in them.
    weights = [[weight.numpy() for weight in load_model(path).weights] for path in (run, other)]
    assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))
    assert (other / "model.keras").read_bytes() == second.best_model


def test_time_limit_ends_normally_and_the_decay_follows_the_clock(files, tmp_path, monkeypatch):
    # A clock of its own, which goes on whenever it is looked at: how busy the machine is does not matter.
    looks = itertools.count()
    clock = SimpleNamespace(monotonic=lambda: 0.1 * next(looks))
    monkeypatch.setattr(callbacks, "time", clock)
    monkeypatch.setattr(trainer, "time", clock)
    train_run(make_config(files, epochs=100000, max_minutes=0.25, early_stopping_epochs=100000), tmp_path / "run")
    assert 14.0 < clock.monotonic() < 16.0
    history = RunDirectory(tmp_path / "run").read_history()
    assert len(history["epoch"]) < 1000
    # At 90-100 % of the time half a cosine has fallen to its last percent.
    assert history["learning_rate"][-1] < 0.05 * 2e-3
    load_model(tmp_path / "run")


def test_clock_takes_the_larger_share():
    clock = Clock(100, max_seconds=None)
    assert clock.progress(25) == 0.25
    assert not clock.is_over
    timed = Clock(100, max_seconds=10.0, elapsed_seconds=6.0)
    assert timed.progress(25) >= 0.6
    assert timed.progress(90) == 0.9
    assert Clock(100, max_seconds=10.0, elapsed_seconds=11.0).is_over


def test_early_stopping(files, tmp_path):
    train_run(
        make_config(files, epochs=50, learning_rate=1e-12, early_stopping_epochs=2, average_momentum=0.0),
        tmp_path / "run",
    )
    assert len(RunDirectory(tmp_path / "run").read_history()["epoch"]) < 50


def test_save_and_load_carry_everything(make_model, tmp_path):
    model = make_model(dtype="float32", map_size=8)
    save_model(model, tmp_path / "model", split=SPLIT)
    loaded = load_model(tmp_path / "model")
    loaded.compile(jit_compile=False)  # as the model of the fixture
    assert loaded.split == SPLIT
    assert np.array_equal(loaded.sample([[0.3, 0.8]]), model.sample([[0.3, 0.8]]))
    with pytest.raises(InputError, match="does not exist.*Received: an existing path"):
        save_model(model, tmp_path / "model")
    save_model(loaded, tmp_path / "again")
    assert load_model(tmp_path / "again").split == loaded.split


def test_what_cannot_be_loaded_is_one_sentence(make_model, tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        load_model(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="after the first epoch"):
        load_model(tmp_path / "empty")
    save_model(make_model(dtype="float32", map_size=8), tmp_path / "model")
    (tmp_path / "model" / "format_version").write_text("99\n")
    with pytest.raises(InputError, match="format version 1 or older. Received: '99'"):
        load_model(tmp_path / "model")
    (tmp_path / "model" / "format_version").write_text("1\n")
    content = (tmp_path / "model" / "model.keras").read_bytes()
    (tmp_path / "model" / "model.keras").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="whole model file"):
        load_model(tmp_path / "model")


def test_configuration_mistakes_are_one_sentence(files, tmp_path):
    path = tmp_path / "config.yaml"
    for text, message in [
        (f"data: {{maps: {files['maps']}, parms: x}}", "did you mean 'params'.*Received: data.parms"),
        ("data: {maps: a, params: b}\ntraining: {epoch: 3}", "did you mean 'epochs'"),
        ("data: {maps: a, params: b}\ntraining: {epochs: -3}", "training.epochs.*Received: -3"),
        ("- a list", "expected a mapping"),
        ("a: [", "expected YAML"),
    ]:
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            read_run_config(path)
    with pytest.raises(InputError, match="No such file"):
        read_run_config(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="batch of 1000"):
        train_run(make_config(files, batch_size=1000), tmp_path / "run")
    assert not (tmp_path / "run").exists()
