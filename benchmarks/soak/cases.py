"""Commands that are killed or disturbed, how each is continued, and what an undisturbed call gives."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

import filelock

from benchmarks.soak.contents import contents_of
from benchmarks.soak.program import start
from benchmarks.soak.workspace import CALIBRATE, INFER, TRAIN

__all__ = ["CASES", "FINISHED", "Case", "reference"]

FINISHED = "finished"


@dataclass(frozen=True)
class Case:
    """A command.

    Attributes:
        prepare: `prepare(workspace, folder)` puts what the command needs into its folder.
        first: `first(workspace, folder)` -> arguments of the command.
        again: The same -> arguments that continue it after a kill.
        instead: Words of a refusal -> what to do then: arguments `(workspace, folder)`, or `FINISHED`.
        results: Paths in the folder that are compared.
        seconds_to_leave: How soon after its end the processes that it started must have ended.
    """

    prepare: Callable
    first: Callable
    again: Callable
    instead: dict
    results: tuple
    seconds_to_leave: float = 10.0

    def found(self, folder):
        """The results in a folder, in a form that can be compared."""
        paths = [folder / name for name in self.results]
        return {
            f"{path.name}/{name}": value for path in paths if path.exists() for name, value in contents_of(path).items()
        }


def _nothing(workspace, folder):
    pass


def _train(workspace, folder):
    return ("train", *TRAIN, *workspace.data, "--epochs", 30, "--out", folder / "run")


def _resume_train(workspace, folder):
    return ("train", "--resume", "--out", folder / "run")


def _infer(workspace, folder):
    run = workspace.get("calibrated") / "run"
    return ("infer", run, *workspace.maps, *INFER, "--out", folder / "posterior.h5")


def _copy_run(workspace, folder):
    shutil.copytree(workspace.get("trained") / "run", folder / "run")


def _calibrate(workspace, folder):
    return ("calibrate", folder / "run", *workspace.data, *CALIBRATE)


def _simulate_mock(workspace, folder):
    counts = ("--simulations", 12, "--size", 16, "--processes", 2)
    return ("simulate", "--suite", "mock", *counts, "--out", folder / "suite")


def _resume_mock(workspace, folder):
    return (*_simulate_mock(workspace, folder), "--resume")


def _simulate_lognormal(workspace, folder):
    counts = ("--simulations", 1500, "--size", 32, "--maps-per-simulation", 15)
    return ("simulate", *counts, "--out", folder / "suite")


def _batch(workspace, folder):
    model = workspace.get("exported") / "served" / "1"
    words = ("--task", "posterior", *workspace.maps, "--part-rows", 4, "--actors", 1)
    return ("batch", model, *words, "--out", folder / "out")


def _with(command, option):
    return lambda workspace, folder: (*command(workspace, folder), option)


CASES = {
    "train": Case(
        _nothing, _train, _resume_train,
        {
            # Killed before the first checkpoint, there is nothing to continue.
            "expected a checkpoint": _with(_train, "--overwrite"),
            "expected a run, a folder": _with(_train, "--overwrite"),
            "expected a run with time and epochs left": FINISHED,
        },
        ("run",),
    ),
    "infer": Case(
        _nothing, _infer, _infer, {"Received: an existing path": FINISHED}, ("posterior.h5",)
    ),
    "calibrate": Case(
        _copy_run, _calibrate, _calibrate,
        # Killed while its pages are written: the results are there and are written once more.
        {"or --overwrite": _with(_calibrate, "--overwrite")},
        ("run",),
    ),
    "simulate mock": Case(
        _nothing, _simulate_mock, _resume_mock, {"Received: an existing file": FINISHED}, ("suite",)
    ),
    "simulate lognormal": Case(
        _nothing, _simulate_lognormal, _simulate_lognormal,
        {"overwrite": _with(_simulate_lognormal, "--overwrite")},
        ("suite",),
    ),
    # It needs the extra `batch`. What a call says of itself differs from call to call: summary.json is not compared.
    # After a kill two agents of Ray try for a minute to tell of it; they have nothing to do with the folder.
    "batch": Case(_nothing, _batch, _batch, {}, ("out/parts", "out/job.json"), seconds_to_leave=120.0),
}  # fmt: skip


def reference(workspace, name):
    """What an undisturbed call gives: its results, and its duration in seconds. It is made once in a soak."""
    case, folder = CASES[name], workspace.whole / f"reference_{name.replace(' ', '_')}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(workspace.out / f".{folder.name}.lock"):
        if not folder.exists():
            part = workspace.scratch("reference", name)
            case.prepare(workspace, part)
            seconds = _run_to_its_end(case.first(workspace, part), part / "stderr.txt")
            (part / "duration.json").write_text(json.dumps(seconds))
            os.replace(part, folder)
    return case.found(folder), json.loads((folder / "duration.json").read_text())


def _run_to_its_end(arguments, log):
    """Returns the seconds that a command takes, which must succeed; what it writes on stderr goes into a file."""
    started = time.monotonic()
    with open(log, "w") as stderr:
        code = start(*arguments, stdout=subprocess.DEVNULL, stderr=stderr).wait()
    if code:
        raise RuntimeError(f"higlow {arguments[0]} ended with {code}: {log.read_text()[-500:]}")
    return time.monotonic() - started
