"""Kills at random moments: whatever is killed and continued ends as if nothing had happened."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np

from benchmarks.soak.cases import CASES, FINISHED, reference
from benchmarks.soak.contents import differences, left_over, unreadable
from benchmarks.soak.program import start

__all__ = ["jobs", "run"]

# Kills in one life of a command, in turn; and the share of SIGTERM among the signals, which asks a command to stop.
CHAINS = (1, 2, 3)
TERM_SHARE = 0.25
SECONDS_TO_STOP = 60.0
# A signal that comes after the end of the command is drawn again, at most so often.
MAX_LATE = 30
# SIGTERM ends a command with 130; before the program can handle it, as it ends every process.
TERM_CODES = (130, -signal.SIGTERM)


def jobs(sizes):
    """Pairs (command, kills in this life), so many that each command gets its number of kills."""
    found = []
    for name, total in sizes.kills.items():
        number = 0
        while total > 0:
            length = min(CHAINS[number % len(CHAINS)], total)
            found.append({"case": name, "number": number, "length": length})
            total, number = total - length, number + 1
    return found


def run(workspace, job, seed):
    """One life of a command, with its kills: the row says what was sent when, and what differs at the end."""
    name, number, length = job["case"], job["number"], job["length"]
    expected, duration = reference(workspace, name)
    rng = np.random.default_rng([seed, sorted(CASES).index(name), number])
    life = _Life(workspace, name, number, rng, duration)
    differing, left = [], []
    while len(life.kills) < length and life.late < MAX_LATE and not life.faults:
        life.begin()
        life.live(length)
        differing += differences(CASES[name].found(life.folder), expected)
        differing += unreadable(life.folder)
        left += left_over(life.folder)
    faults = life.faults + ([f"differs: {', '.join(differing[:5])}"] if differing else [])
    if not faults:
        shutil.rmtree(life.folder)
    return {
        "kills": life.kills,
        "late": life.late,
        "ended_by": life.ended_by,
        "left_over": left,
        "fault": "; ".join(faults) or None,
    }


class _Life:
    """The calls of one command in one folder, from its first to its end."""

    def __init__(self, workspace, name, number, rng, duration):
        self.workspace, self.case, self.rng, self.duration = workspace, CASES[name], rng, duration
        self.names = ("kills", name, number)
        self.kills, self.faults, self.late, self.ended_by = [], [], 0, None

    def begin(self):
        self.folder = self.workspace.scratch(*self.names)
        self.case.prepare(self.workspace, self.folder)

    def live(self, length):
        """Starts, kills and continues the command, until it has ended by itself or something is wrong."""
        arguments, before = (
            self.case.first(self.workspace, self.folder),
            self.folder.with_name("before_" + self.folder.name),
        )
        while not self.faults:
            wants_kill = len(self.kills) < length and self.late < MAX_LATE
            shutil.rmtree(before, ignore_errors=True)
            shutil.copytree(self.folder, before, symlinks=True)
            killed, code, stderr = self._call(arguments, wants_kill)
            if killed:
                arguments = self.case.again(self.workspace, self.folder)
            elif code == 2 and (instead := self._instead(stderr)) is not None:
                if instead == FINISHED:
                    break
                arguments = instead(self.workspace, self.folder)
            elif code != 0:
                self.faults.append(
                    f"exit code {code} of {' '.join(map(str, arguments))[:200]}: {stderr.strip()[-300:]}"
                )
            elif not wants_kill:
                self.ended_by = arguments[-1] if arguments[-1] in ("--resume", "--overwrite") else "the same command"
                break
            else:
                self.late += 1
                shutil.rmtree(self.folder)
                os.replace(before, self.folder)
        shutil.rmtree(before, ignore_errors=True)

    def _instead(self, stderr):
        return next((instead for words, instead in self.case.instead.items() if words in stderr), None)

    def _call(self, arguments, wants_kill):
        """Returns whether it was killed, its exit code, and what it wrote on stderr."""
        log = self.folder.with_name("log_" + self.folder.name)
        with open(log, "w+") as stderr:
            process = start(*arguments, stdout=subprocess.DEVNULL, stderr=stderr)
            killed = self._kill(process) if wants_kill else False
            code = process.wait()
            self._check_that_none_is_left(process.pid)
            stderr.seek(0)
            text = stderr.read()
        log.unlink()
        return killed, code, text

    def _kill(self, process):
        """Sends a signal at a moment that is uniform over the length of an undisturbed call; False if it had ended."""
        number = signal.SIGTERM if self.rng.random() < TERM_SHARE else signal.SIGKILL
        after = self.rng.uniform(0.0, self.duration)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(after)
            return False
        process.send_signal(number)
        started = time.monotonic()
        try:
            code = process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self.faults.append(f"{number.name} after {after:.1f} s did not end it in {SECONDS_TO_STOP:.0f} s")
            process.kill()
            process.wait()
            return True
        if code == 0 or code == 2:  # it was already at its end, or at its refusal
            return False
        if number == signal.SIGTERM and code not in TERM_CODES:
            self.faults.append(f"SIGTERM after {after:.1f} s ended it with code {code}")
        seconds = round(time.monotonic() - started, 2)
        self.kills.append(
            {"signal": number.name, "after_s": round(after, 2), "share": after / self.duration, "took_s": seconds}
        )
        return True

    def _check_that_none_is_left(self, group):
        """Processes that a command has started must end with it."""
        deadline = time.monotonic() + self.case.seconds_to_leave
        while left := _members(group):
            if time.monotonic() > deadline:
                self.faults.append(f"{len(left)} processes are left {self.case.seconds_to_leave:.0f} s after its end")
                os.killpg(group, signal.SIGKILL)
                return
            time.sleep(0.05)


def _members(group):
    """Processes of a group that are not dead (Linux)."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            state, _, of_group = path.read_text().rpartition(")")[2].split()[:3]
            if int(of_group) == group and state != "Z":
                found.append(int(path.parent.name))
    return found
