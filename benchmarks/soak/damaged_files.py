"""Damaged files: refused with a sentence, or without consequence, or said aloud; what nobody notices is counted."""

import os
import shutil

from benchmarks.soak.contents import differences
from benchmarks.soak.damage import KINDS as DAMAGE
from benchmarks.soak.damage import damaged
from benchmarks.soak.file_kinds import KINDS
from benchmarks.soak.program import warnings_of, wrong_refusal

__all__ = ["OUTCOMES", "jobs", "run"]

OUTCOMES = {
    "refused": "exit code 2 and a sentence that names the file",
    "immaterial": "the command ended as with the whole file, and made the same",
    "said aloud": "the command warned of the file, and went on",
    "not noticed": "another result without a word: a change that is plausible in itself",
}
# Every so many copies the whole file is read again, in the same process.
_EVERY = 20
_WHOLE = {}


def jobs(sizes):
    """Pairs (kind of file, number of the copy)."""
    names = list(KINDS) if sizes.damaged_kinds is None else sizes.damaged_kinds
    return [{"case": name, "number": number} for name in names for number in range(sizes.damaged_files)]


def run(workspace, job, seed):
    """Damages one copy and lets its command read it."""
    name, number = job["case"], job["number"]
    whole = _read_whole(workspace, name)
    fault = _compare_whole(workspace, name, whole) if number % _EVERY == _EVERY - 1 else None
    folder = workspace.scratch("damage", name, number)
    kind = KINDS[name]
    kind.prepare(workspace, folder)
    path = kind.path(folder)
    original = path.read_bytes()
    # The kind of damage goes round with the number; some damage leaves a file as it was, and is drawn again.
    seeds = (seed * 6_000_000 + number + len(DAMAGE) * again for again in range(100))
    path.write_bytes(next(data for s in seeds if (data := damaged(original, s)) != original))
    reading = kind.read(workspace, folder)
    outcome = _outcome(reading, whole, path.name)
    if outcome in OUTCOMES:
        shutil.rmtree(folder)
    fault = fault or (None if outcome in OUTCOMES else outcome)
    return {
        "damage": DAMAGE[number % len(DAMAGE)],
        "outcome": outcome if outcome in OUTCOMES else "fault",
        "fault": fault,
    }


def _outcome(reading, whole, name):
    """A name of `OUTCOMES`, or what is wrong."""
    answer = reading.answer
    if answer.exit_code != 0:
        wrong = wrong_refusal(answer, name)
        return f"{name}: {wrong}" if wrong else "refused"
    new_warnings = [line for line in warnings_of(answer) if line not in warnings_of(whole.answer)]
    if any(name in line for line in new_warnings):
        return "said aloud"
    return "not noticed" if differences(reading.content, whole.content) else "immaterial"


def _read_whole(workspace, name):
    """What the command makes of the whole file; read once a process."""
    if name not in _WHOLE:
        _WHOLE[name] = _read_copy(workspace, name)
        if _WHOLE[name].answer.exit_code:
            raise RuntimeError(f"{name} is refused although it is whole: {_WHOLE[name].answer.stderr}")
    return _WHOLE[name]


def _read_copy(workspace, name):
    folder = workspace.scratch("damage", name, "whole", os.getpid())
    KINDS[name].prepare(workspace, folder)
    reading = KINDS[name].read(workspace, folder)
    shutil.rmtree(folder)
    return reading


def _compare_whole(workspace, name, whole):
    found = _read_copy(workspace, name)
    differing = differences(found.content, whole.content)
    return f"the whole file is read otherwise after damaged ones: {', '.join(differing)}" if differing else None
