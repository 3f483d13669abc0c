"""Several processes that train one model together: who they are, equal numbers, and one of them lost."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from higlow_tf.errors import InputError
from higlow_tf.runs.checkpoint import read_checkpoint
from higlow_tf.runs.cluster import cluster_of_environment
from higlow_tf.runs.history_file import read_history
from higlow_tf.runs.workers import Workers

# Float32 sums in another order, through 120 steps.
TOLERANCE = 1e-5
EPOCHS = 40
PROGRAM = "from higlow_tf.cli.app import main; main()"
TWO = {"worker": ["a:2222", "b:2222"]}


def tf_config(cluster, role, index):
    return json.dumps({"cluster": cluster, "task": {"type": role, "index": index}})


@pytest.mark.parametrize(
    ("cluster", "role", "index", "place"),
    [
        (TWO, "worker", 0, 0),
        (TWO, "worker", 1, 1),
        ({"chief": ["c:1"], **TWO}, "chief", 0, 0),
        ({"chief": ["c:1"], **TWO}, "worker", 0, 1),
    ],
)
def test_tf_config_gives_a_process_its_place(monkeypatch, cluster, role, index, place):
    monkeypatch.setenv("TF_CONFIG", tf_config(cluster, role, index))
    _, number, addresses = cluster_of_environment()
    assert number == place
    assert addresses == (*cluster.get("chief", ()), *cluster["worker"])


@pytest.mark.parametrize("text", ["", "{}", tf_config({"worker": ["a:1"]}, "worker", 0)])
def test_a_process_alone_is_not_in_a_cluster(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "1")
    assert cluster_of_environment() is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "expected JSON"),
        ("[]", "expected JSON"),
        (json.dumps({"cluster": TWO}), "expected JSON"),
        (tf_config(TWO, "worker", 2), "expected JSON"),
        (tf_config({**TWO, "ps": ["p:1"]}, "worker", 0), "expected chief and worker. Received: ps"),
    ],
)
def test_a_tf_config_that_cannot_be_used_is_refused(monkeypatch, text, reason):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match=f"TF_CONFIG: {reason}"):
        cluster_of_environment()


def test_the_tasks_of_slurm_are_workers(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    for name, value in {
        "SLURM_PROCID": "2", "SLURM_STEP_NUM_TASKS": "3", "SLURM_STEP_NODELIST": "node[07-08]",
        "SLURM_STEP_TASKS_PER_NODE": "2,1", "SLURM_JOB_ID": "5",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    resolver, index, addresses = cluster_of_environment()
    assert (index, addresses) == (2, ("node07:20080", "node07:20081", "node08:20080"))
    assert (resolver.task_type, resolver.task_id) == ("worker", 2)
    monkeypatch.delenv("SLURM_STEP_NODELIST")
    with pytest.raises(InputError, match="expected SLURM_STEP_NODELIST, as srun sets it"):
        cluster_of_environment()


def test_one_process_agrees_with_itself(two_replicas):
    workers = Workers(two_replicas)
    assert workers.is_chief
    assert not workers.are_several
    assert workers.chiefs(2.5) == 2.5
    workers.check_same("anything", "run")
    # Only the loss of another process is one.
    with pytest.raises(tf.errors.UnavailableError), workers.watched("run"):
        raise tf.errors.UnavailableError(None, None, "away")


def test_fit_refuses_several_machines(dataset, make_model, monkeypatch):
    class Cluster(tf.distribute.MultiWorkerMirroredStrategy):
        """What a model sees of a strategy with one device here and one elsewhere."""

        num_replicas_in_sync = 2
        extended = SimpleNamespace(worker_devices=("CPU:0",))

    model = make_model(dtype="float32", map_size=8, width=4)
    model.compile(keras.optimizers.SGD(0.1), jit_compile=False)
    monkeypatch.setattr(type(model), "distribute_strategy", object.__new__(Cluster))
    with pytest.raises(InputError, match="Several machines: expected higlow train or higlow_tf.runs.train"):
        model.fit(dataset.to_tf(32), verbose=0)


# ---- two processes on this machine


def addresses_of(count):
    """Addresses on this machine that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for free in sockets:
        free.bind(("localhost", 0))
    addresses = [f"localhost:{free.getsockname()[1]}" for free in sockets]
    for free in sockets:
        free.close()
    return addresses


def start(addresses, files, out, *options, epochs=EPOCHS, indices=None):
    """`higlow train` in a process for each address, or only in some of them."""
    new = [
        "--preset", "tiny", "--maps", files["maps"], "--params", files["params"], "--batch-size", 16, "--deterministic",
        "--no-end-layers", *(f"--set={name}" for name in ("model.width=4", "model.map_size=8", "training.jit_compile=false")),
    ]  # fmt: skip
    options = [*options, *([] if "--resume" in options else new), "--epochs", epochs, "--out", out]
    command = [sys.executable, "-c", PROGRAM, "train", *options]
    return [
        subprocess.Popen(
            list(map(str, command)),
            env={
                **os.environ,
                "TF_CONFIG": tf_config({"worker": addresses}, "worker", index),
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in (range(len(addresses)) if indices is None else indices)
    ]


def ends(processes):
    """(exit code, stdout, stderr) of each."""
    answers = [process.communicate(timeout=600) for process in processes]
    return [(process.returncode, *answer) for process, answer in zip(processes, answers, strict=True)]


def after_epoch(out, epoch, processes):
    """Waits until a run has written this epoch."""
    for _ in range(6000):
        if (out / "history.csv").exists() and len(read_history(out / "history.csv")["epoch"]) >= epoch:
            return
        assert all(process.poll() is None for process in processes)
        time.sleep(0.05)
    raise AssertionError("no epoch")


def state_of(run):
    """Arrays and history of the last checkpoint."""
    checkpoint = read_checkpoint(run / "checkpoints" / "last.npz")
    losses = np.array([[row["loss"], row["val_loss"], row["learning_rate"]] for row in checkpoint.state["history"]])
    return [*checkpoint.weights, *checkpoint.optimizer, *checkpoint.average], losses


@pytest.fixture(scope="module")
def by_two(files, tmp_path_factory):
    """A run of two workers that nobody disturbed, and what they said."""
    out = tmp_path_factory.mktemp("workers") / "run"
    return out, ends(start(addresses_of(2), files, out))


@pytest.mark.slow
def test_two_workers_train_what_one_process_trains(files, tmp_path, by_two):
    out, (chief, worker) = by_two
    assert (chief[0], worker[0]) == (0, 0), chief[2] + worker[2]
    assert "Worker 0 of 2" in chief[1]
    assert "Training on 2 workers; this is number 1" in worker[1]
    assert "Best validation" in chief[1]
    assert "Best validation" not in worker[1]
    assert [code for code, *_ in ends(start(addresses_of(1), files, tmp_path / "run"))] == [0]
    (arrays, losses), (arrays_of_two, losses_of_two) = state_of(tmp_path / "run"), state_of(out)
    assert len(losses) == EPOCHS  # of three steps
    np.testing.assert_allclose(losses_of_two, losses, rtol=0.0, atol=TOLERANCE)
    for a, b in zip(arrays, arrays_of_two, strict=True):
        np.testing.assert_allclose(b, a, rtol=0.0, atol=TOLERANCE)


@pytest.mark.slow
def test_a_lost_worker_and_a_queue_that_stops_all_cost_nothing(files, tmp_path, by_two):
    out = tmp_path / "run"
    processes = start(addresses_of(2), files, out)
    after_epoch(out, 3, processes)
    processes[1].kill()
    chief, _ = ends(processes)
    assert chief[0] == 75
    assert (
        f"another worker is gone or cannot be reached. Start all of them again with --resume to continue {out}"
        in chief[2]
    )

    processes = start(addresses_of(2), files, out, "--resume")
    after_epoch(out, 7, processes)
    for process in processes:
        process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    codes = {code for code, *_ in ends(processes)}
    assert codes <= {130, 75}
    assert 130 in codes
    assert time.monotonic() - began < 30.0

    assert [code for code, *_ in ends(start(addresses_of(2), files, out, "--resume"))] == [0, 0]
    (arrays, losses), (expected, expected_losses) = state_of(out), state_of(by_two[0])
    np.testing.assert_array_equal(losses, expected_losses)
    for a, b in zip(arrays, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_workers_that_train_different_runs_are_refused(files, tmp_path):
    addresses = addresses_of(2)
    processes = [
        *start(addresses, files, tmp_path / "run", epochs=2, indices=[0]),
        *start(addresses, files, tmp_path / "run", epochs=3, indices=[1]),
    ]
    for code, _, stderr in ends(processes):
        assert code == 2
        assert "Expected the same run, maps and versions in all 2 workers. Received: another in 1" in stderr
