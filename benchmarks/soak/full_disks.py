"""Full disks: a sentence, what was there stays, nothing half-written is visible, and with room the command succeeds."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.soak.contents import digests_of, left_over, unreadable
from benchmarks.soak.program import call, wrong_refusal
from benchmarks.soak.small_disk import small_disk
from benchmarks.soak.workspace import CALIBRATE, TRAIN, well

__all__ = ["jobs", "run"]

# If everything fits, less room is drawn.
MAX_DRAWS = 12


@dataclass(frozen=True)
class _Writer:
    """A command that writes.

    Attributes:
        before: `before(workspace, disk)` puts there what must survive.
        command: `command(workspace, disk)` -> arguments of the command, which may replace what is there.
        with_room: The same, for the call after the disk has room again, where that is another.
        in_steps: Whether it writes one result after the other: some are then new and whole, the others as they were.
    """

    before: Callable
    command: Callable
    with_room: Callable | None = None
    in_steps: bool = False


def _earlier_call(command):
    """What an earlier call of the same command left, with other numbers where the command draws any."""

    def before(workspace, disk):
        words = command(workspace, disk)
        well(*words, *(() if words[0] == "export" else ("--seed", 7)))

    return before


def _suite(*options):
    return lambda workspace, disk: ("simulate", *options, "--size", 16, "--out", disk / "suite", "--overwrite")


def _of_run(name, *options, out):
    def command(workspace, disk):
        words = [part for word in options for part in (getattr(workspace, word[1:]) if str(word)[0] == "$" else [word])]
        return (name, workspace.get("calibrated") / "run", *words, "--out", disk / out, "--overwrite")

    return command


def _notes(workspace, disk):
    (disk / "notes.txt").write_text("1 2 3\n")


def _train(*options):
    return lambda workspace, disk: (
        "train",
        *TRAIN,
        *workspace.data,
        "--no-end-layers",
        "--epochs",
        3,
        "--out",
        disk / "run",
        *options,
    )


def _resume(workspace, disk):
    return ("train", "--resume", "--epochs", 4, "--out", disk / "run")


def _trained(workspace, disk):
    shutil.copytree(workspace.get("trained") / "run", disk / "run")


def _calibrated(workspace, disk):
    shutil.copytree(workspace.get("calibrated") / "run", disk / "run")


def _calibrate(workspace, disk):
    return ("calibrate", disk / "run", *workspace.data, *CALIBRATE, "--seed", 1, "--overwrite")


_LOGNORMAL = _suite("--simulations", 20)
_MOCK = _suite("--suite", "mock", "--simulations", 4, "--processes", 1)
_INFER = _of_run("infer", "$maps", "--rows", "0:2", out="posterior.h5")
_SAMPLE = _of_run("sample", "--from-prior", 200, out="samples.h5")
_EXPORT = _of_run("export", out="served")
_EVALUATE = _of_run(
    "evaluate",
    "$data",
    "--samples",
    8,
    "--cosmologies",
    1,
    "--maps-per-cosmology",
    2,
    "--posterior-maps",
    2,
    out="evaluation",
)

WRITERS = {
    "simulate lognormal": _Writer(_earlier_call(_LOGNORMAL), _LOGNORMAL),
    "simulate mock": _Writer(_earlier_call(_MOCK), _MOCK),
    "train": _Writer(_notes, _train(), _train("--overwrite")),
    "train --resume": _Writer(_trained, _resume, in_steps=True),
    "sample": _Writer(_earlier_call(_SAMPLE), _SAMPLE),
    "infer": _Writer(_earlier_call(_INFER), _INFER),
    "calibrate": _Writer(_calibrated, _calibrate, in_steps=True),
    "evaluate": _Writer(_earlier_call(_EVALUATE), _EVALUATE, in_steps=True),
    "export": _Writer(_earlier_call(_EXPORT), _EXPORT),
}


def jobs(sizes):
    """Pairs (command, number of the disk)."""
    names = list(WRITERS) if sizes.disk_commands is None else sizes.disk_commands
    return [{"case": name, "number": number} for name in names for number in range(sizes.disks)]


def run(workspace, job, seed):
    """Fills one disk while a command writes, and calls the command again with room."""
    name, number = job["case"], job["number"]
    rng = np.random.default_rng([seed, sorted(WRITERS).index(name), number])
    writer = WRITERS[name]
    room = None
    for _ in range(MAX_DRAWS):
        folder = workspace.scratch("disk", name, number)
        with small_disk(folder) as disk:
            shutil.copytree(_before(workspace, name), folder, dirs_exist_ok=True)
            room = int(rng.uniform(0, room or _need(workspace, name)))
            before = _state(folder)
            with disk.limited(room):
                answer = call(*writer.command(workspace, folder))
            if answer.exit_code == 0:
                continue  # everything fitted
            after = _state(folder)
            replaced = [file for file, state in before.items() if after.get(file) != state]
            faults = _faults(answer, before, after) + unreadable(folder) + left_over(folder)
            if replaced and not writer.in_steps:
                faults.append(f"{replaced[0]} is not what it was")
            again = call(*(writer.with_room or writer.command)(workspace, folder))
            faults += (
                [f"with room: exit code {again.exit_code}: {again.stderr.strip()[-200:]}"] if again.exit_code else []
            )
            faults += [f"with room: {problem}" for problem in unreadable(folder)]
            row = {"disk": disk.kind, "room_bytes": room, "said": answer.stderr.strip().replace(str(folder), "")[-200:]}
            return row | {
                "files_before": len(before),
                "files_replaced": len(replaced),
                "fault": "; ".join(faults) or None,
            }
    return {"fault": f"no disk was too small in {MAX_DRAWS} draws, the last of {room} bytes"}


_PREPARED = {}


def _before(workspace, name):
    """Folder with what must survive; made once a process."""
    if name not in _PREPARED:
        folder = workspace.scratch("disk", name, "before", os.getpid())
        WRITERS[name].before(workspace, folder)
        _PREPARED[name] = folder
    return _PREPARED[name]


def _need(workspace, name):
    """Bytes of all that the command makes; measured once a process."""
    if (name, "need") not in _PREPARED:
        folder = workspace.scratch("disk", name, "need", os.getpid())
        shutil.copytree(_before(workspace, name), folder, dirs_exist_ok=True)
        well(*WRITERS[name].command(workspace, folder))
        _PREPARED[name, "need"] = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        shutil.rmtree(folder)
    return _PREPARED[name, "need"]


def _state(folder):
    """Name of each visible file -> its place on the disk and the hash of its bytes: a new file of the same bytes is another."""
    return {name: ((folder / name).stat().st_ino, digest) for name, digest in digests_of(folder).items()}


def _faults(answer, before, after):
    """What is wrong after a command met a full disk."""
    wrong = wrong_refusal(answer, "")
    return ([wrong] if wrong else []) + [f"{file} is gone" for file in before if file not in after]
