"""Deals the jobs of a soak to worker processes, one a core, and keeps their rows as they come."""

import collections
import json
import os
import subprocess
import sys
import threading

from benchmarks.soak.parts import load_part
from benchmarks.soak.small_disk import unmount_all

__all__ = ["read_rows", "run_parts"]

# Jobs that one process does: it starts TensorFlow once for them, and its memory is given back after them.
BATCH = {"kills": 2, "requests": 5, "damage": 100, "disk": 10, "writers": 3}
# A job that takes longer hangs.
MAX_SECONDS = 1800.0


def read_rows(path):
    """The rows of a record, the last one of each job; a line that a kill has cut off does not count."""
    rows = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        rows[_key(row["part"], row)] = row
    return list(rows.values())


def run_parts(parts, out, sizes, seed, processes, say):
    """Does what the record has no row for, and again what was at fault.

    Args:
        parts: Names of the parts.
        out: Folder of the soak; `rows.jsonl` is its record.
        sizes: `Sizes`.
        seed: Seed of everything random.
        processes: Worker processes at a time.
        say: Called with a line for each row.
    """
    unmount_all(out)
    path = out / "rows.jsonl"
    done = {_key(row["part"], row) for row in read_rows(path) if row["fault"] is None}
    batches = collections.deque()
    for part in parts:
        waiting = [job for job in load_part(part).jobs(sizes) if _key(part, job) not in done]
        batches += [(part, waiting[i : i + BATCH[part]]) for i in range(0, len(waiting), BATCH[part])]
    lock = threading.Lock()
    with open(path, "a", encoding="utf-8") as record:
        if record.tell() and not path.read_bytes().endswith(b"\n"):
            record.write("\n")

        def keep(row):
            with lock:
                record.write(json.dumps(row) + "\n")
                record.flush()
                say(
                    f"{row['part']}: {row['case']} {row['number']}: {row['fault'] or 'well'} ({row.get('seconds', 0):.0f} s)"
                )

        cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(processes))
        threads = [
            threading.Thread(target=_work, args=(batches, out, seed, cores[i % len(cores)], keep))
            for i in range(processes)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    unmount_all(out)


def _key(part, job):
    return part, job["case"], job["number"]


def _work(batches, out, seed, core, keep):
    while True:
        try:
            part, jobs = batches.popleft()
        except IndexError:
            return
        num_done, code = _run_batch(part, jobs, out, seed, core, keep)
        if num_done < len(jobs):
            # The job that ended the process is at fault; the others get another process.
            log = (out / f"worker_{core}.log").read_text(encoding="utf-8", errors="replace")
            reason = " ".join(log.split())[-500:]
            keep({"part": part, **jobs[num_done], "fault": f"the process ended with code {code}: {reason}"})
            batches.appendleft((part, jobs[num_done + 1 :]))


def _run_batch(part, jobs, out, seed, core, keep):
    """Returns how many jobs have a row, and the exit code of the process."""
    if not jobs:
        return 0, 0
    command = [sys.executable, "-m", "benchmarks.soak.worker", part, str(out), str(seed), str(core)]
    num_done = 0
    with open(out / f"worker_{core}.log", "w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        process.stdin.write(json.dumps(jobs))
        process.stdin.close()
        while True:
            timer = threading.Timer(MAX_SECONDS, process.kill)
            timer.start()
            line = process.stdout.readline()
            timer.cancel()
            if not line:
                return num_done, process.wait()
            keep(json.loads(line))
            num_done += 1
