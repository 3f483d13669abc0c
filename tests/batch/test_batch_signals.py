"""The command in a process of its own, with two actors: killed, stopped by SIGTERM, and continued to the same bits."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
from toy_models import make_maps

from higlow_tf.batch import TaskSettings, plan_maps
from higlow_tf.batch.part_writer import PartWriter

pytestmark = pytest.mark.slow

NUM_MAPS, PART_ROWS = 3000, 3
# A queue that sends SIGTERM waits about so long before it kills.
SECONDS_TO_STOP = 30
# Ray and two actors start on a machine that may be busy.
SECONDS_TO_START = 300


@pytest.fixture
def job(served, tmp_path):
    """Words of the command, its folder, and the parts that it is going to write."""
    maps, theta = make_maps(NUM_MAPS, 1, seed=3)
    np.save(tmp_path / "maps.npy", maps.astype(np.float32))
    np.savetxt(tmp_path / "params.txt", theta, header="Omega_m sigma_8")
    inputs = ("--maps", tmp_path / "maps.npy", "--params", tmp_path / "params.txt", "--part-rows", PART_ROWS)
    out = tmp_path / "out"
    words = ("batch", served.path, "--task", "log_prob", *inputs, "--actors", 2, "--out", out)
    plan = plan_maps(served.served, [tmp_path / "maps.npy"], params=tmp_path / "params.txt")
    return [str(word) for word in words], out / "parts", plan


def start(words):
    command = [sys.executable, "-c", "from higlow_tf.cli.app import main; main()", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)


def num_parts(folder):
    return len(list(folder.glob("*.parquet")))


def test_a_job_of_two_actors_that_is_killed_and_stopped_ends_with_every_row_once_and_the_same_bits(
    served, job, tmp_path
):
    words, folder, plan = job
    for sent, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 130)):
        there = num_parts(folder)
        with start(words) as process:
            deadline = time.monotonic() + SECONDS_TO_START
            while num_parts(folder) <= there and time.monotonic() < deadline:
                assert process.poll() is None, process.stderr.read()
                time.sleep(0.01)
            process.send_signal(sent)
            stdout, stderr = process.communicate(timeout=SECONDS_TO_STOP)
        assert process.returncode == code, stderr
        assert "raylet" not in stdout + stderr
        assert there < num_parts(folder) < NUM_MAPS / PART_ROWS
    with start(words) as process:
        stdout, stderr = process.communicate(timeout=SECONDS_TO_START)
    assert process.returncode == 0, stderr
    assert f"{NUM_MAPS} rows in 1000 parts" in stdout
    rows = pq.read_table(folder)
    assert sorted(rows["index_in_file"].to_pylist()) == list(range(NUM_MAPS))
    settings = TaskSettings("log_prob", part_rows=PART_ROWS)
    parts = plan.parts(served.served, settings)
    writer = PartWriter(served.served, settings, plan, parts, tmp_path / "undisturbed")
    for number, part in enumerate(parts):
        writer({"item": np.array([number])})
        assert (folder / part.name).read_bytes() == (tmp_path / "undisturbed" / part.name).read_bytes()
