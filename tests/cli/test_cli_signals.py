"""SIGTERM stops a training as Ctrl-C does, and two trainings cannot share a folder."""

import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.slow

# The first epoch is short, and there are enough of them that the signal comes in between.
OPTIONS = ("--preset", "tiny", "--epochs", "100000", "--batch-size", "16", "--set", "training.jit_compile=false")
# What a second command may take to be refused, beside the import of TensorFlow.
SECONDS_TO_STOP = 30


def higlow(*arguments, **options):
    command = [sys.executable, "-c", "from higlow_tf.cli.app import main; main()", *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ, **options
    )


def test_a_queue_that_stops_a_training_leaves_a_run_to_continue(suite, tmp_path):
    out = tmp_path / "run"
    data = ("--maps", suite.maps, "--params", suite.params)
    with higlow("train", *OPTIONS, *data, "--out", out) as process:
        while not (out / "checkpoints" / "last.npz").exists():
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.2)
        second = higlow("train", "--resume", "--out", out)
        refusal = second.communicate(timeout=120)[1]
        assert second.returncode == 2
        assert f"process {process.pid} on" in refusal
        start = time.monotonic()
        process.send_signal(signal.SIGTERM)
        stdout, _ = process.communicate(timeout=SECONDS_TO_STOP)
        assert time.monotonic() - start < SECONDS_TO_STOP
    assert process.returncode == 130
    assert f"higlow train --resume --out {out}" in stdout
    assert not (out / ".higlow" / "owner.json").exists()
