"""What training/slurm.sh asks of the queue and of higlow, with stand-ins for srun and scontrol."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "training" / "slurm.sh"


@pytest.fixture
def submit(tmp_path):
    """Runs the script; `submit(*arguments, code=0)` -> exit code, and the lines that srun and scontrol were called with."""

    def call(*arguments, code=0):
        log = tmp_path / "log"
        log.write_text("")
        for name, ending in (("srun", code), ("scontrol", 0)):
            program = tmp_path / name
            program.write_text(f'#!/bin/bash\necho "{name} $*" >> {log}\nexit {ending}\n')
            program.chmod(0o755)
        environment = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "SLURM_JOB_ID": "7"}
        done = subprocess.run(["bash", str(SCRIPT), *map(str, arguments)], env=environment, capture_output=True)
        return done.returncode, log.read_text().splitlines()

    return call


def test_a_job_starts_continues_and_starts_again(submit, tmp_path):
    run = tmp_path / "a run"
    train = "srun --kill-on-bad-exit=1 higlow train"
    assert submit(run, "--preset", "tiny") == (0, [f"{train} --preset tiny --out {run}"])
    run.mkdir()
    (run / "config.yaml").touch()
    assert submit(run, "--preset", "tiny") == (0, [f"{train} --preset tiny --overwrite --out {run}"])
    (run / "checkpoints").mkdir()
    (run / "checkpoints" / "previous.npz").touch()
    assert submit(run, "--preset", "tiny") == (0, [f"{train} --resume --out {run}"])


@pytest.mark.parametrize(("code", "is_queued"), [(130, True), (75, True), (2, False), (1, False)])
def test_what_can_go_on_is_queued_again(submit, tmp_path, code, is_queued):
    found, calls = submit(tmp_path / "run", code=code)
    assert found == code
    assert (calls[1:] == ["scontrol requeue 7"]) == is_queued


def test_a_job_without_a_run_is_refused(submit):
    assert submit() == (2, [])
