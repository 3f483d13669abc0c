"""A second command in the folder of a first: refused at once, and the first ends as if it had been alone."""

import json
import shutil
import subprocess
import sys

from benchmarks.soak.cases import CASES, reference
from benchmarks.soak.contents import differences, left_over, unreadable
from benchmarks.soak.program import Answer, start, wrong_refusal

__all__ = ["jobs", "run"]

MAX_SECONDS_TO_REFUSAL = 1.0
SECONDS_TO_LOCK = 300.0
_LOCKED = {"train": "run", "calibrate": "run", "simulate mock": "suite"}


def jobs(sizes):
    """Pairs (command, number)."""
    return [{"case": name, "number": number} for name, count in sizes.writers.items() for number in range(count)]


def run(workspace, job, seed):
    """One pair of writers. The second has started before the first takes the folder, so that only the refusal is timed."""
    name, case = job["case"], CASES[job["case"]]
    expected, _ = reference(workspace, name)
    folder = workspace.scratch("writers", name, job["number"])
    case.prepare(workspace, folder)
    arguments = [str(word) for word in case.first(workspace, folder)]
    owner = folder / _LOCKED[name] / ".higlow" / "owner.json"
    # With --overwrite the second may do what the first does; the lock alone can refuse it.
    second = _start_second([*arguments, "--overwrite"], owner)
    first = start(*arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    first_stderr = first.communicate()[1]
    said = second.communicate(timeout=SECONDS_TO_LOCK)[0].splitlines()
    answer = json.loads(said[-1])
    faults = [] if first.returncode == 0 else [f"the first ended with {first.returncode}: {first_stderr[-300:]}"]
    if answer["too_late"]:
        faults.append("the first had ended before the second came")
    else:
        wrong = wrong_refusal(Answer(answer["exit_code"], "", answer["stderr"]), f"process {first.pid} on")
        faults += [f"the second: {wrong}"] if wrong else []
        if answer["seconds"] > MAX_SECONDS_TO_REFUSAL:
            faults.append(f"the refusal took {answer['seconds']:.2f} s")
    differing = differences(case.found(folder), expected) + unreadable(folder) + left_over(folder)
    faults += [f"the first differs: {', '.join(differing[:5])}"] if differing else []
    if not faults:
        shutil.rmtree(folder)
    return {"seconds_to_refusal": answer.get("seconds"), "fault": "; ".join(faults) or None}


def _start_second(arguments, owner):
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.soak.second_writer", str(owner), *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )
    if process.stdout.readline().strip() != "ready":
        raise RuntimeError("the second writer did not start")
    return process
