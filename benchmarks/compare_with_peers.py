"""Speed and memory of `higlow_tf` beside PyTorch, `torch.compile`, tfp.bijectors.Glow and the Glow of normflows, on the CPU.

    python benchmarks/compare_with_peers.py --rows paper:64:1 --memory --json rows.json
    python benchmarks/compare_with_peers.py --rows all --json rows.json --markdown table.md
    higlow benchmark --rows all --peer benchmarks/compare_with_peers.py --json rows.json

PyTorch has the same weights, maps and threads as ours and computes the same function, which is checked. All programs are run in
turn in one process, so that whatever else the machine does falls on all of them; each round gives one ratio. Each row has the
median, the lowest and the highest of the rounds. Above 1 means that `higlow_tf` is quicker. CPU seconds are those of the whole
process; wall seconds mean something only on an idle machine. The peak of memory is that of a process of its own for each program
and task.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

from speed_peers.problem import Problem
from speed_peers.programs import PROGRAMS, make_tasks

__all__ = ["main"]

_ROUNDS = 5
# Memory that a program has freed stays with its process. Otherwise the system takes large pieces back at each call in some
# processes, and PyTorch needs twice the time there: new pages must be filled with zeros.
_KEPT_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40)}
_OURS = "higlow_tf"


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="compact:64:1", help="rows of the table, as those of higlow benchmark")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--tasks", default="train,log_prob,sample,posterior")
    parser.add_argument("--programs", default=",".join(PROGRAMS), help="the programs beside ours")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help="measurements of each program, in turn")
    parser.add_argument("--memory", action="store_true", help="measure memory, too: one more process for each number")
    parser.add_argument("--json", type=Path, help="file for the rows")
    parser.add_argument("--markdown", type=Path, help="file for all rows of the JSON file as a table")
    parser.add_argument("--memory-of", nargs=3, metavar=("PROGRAM", "TASK", "PROBLEM"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if not options.memory:
        os.environ |= _KEPT_MEMORY
    if options.memory_of:
        _print_peak(*options.memory_of)
        return
    if options.case:
        _write(_rows_of_case(options), options.json)
        return
    rows = _rows_of_cases(options)
    if options.markdown:
        from speed_peers.markdown import markdown_table

        from higlow_tf.evaluation.machine import measure_rates
        from higlow_tf.evaluation.speed_rows import limit_threads

        limit_threads(1)
        options.markdown.write_text(markdown_table(rows, measure_rates(1)), encoding="utf-8")


def _rows_of_cases(options):
    """Each case in a process of its own, because TensorFlow is told its threads once; prints each row, and keeps it at once."""
    from higlow_tf.evaluation import compare_with_peer, find_cases

    options_of_script = ["--programs", options.programs, "--rounds", str(options.rounds)]
    has_rows = options.json is not None and options.json.exists()
    rows = json.loads(options.json.read_text(encoding="utf-8")) if has_rows else []
    for case in find_cases(options.rows):
        known = {row["task"] for row in rows if row["title"] == case.title}
        tasks = [task for task in options.tasks.split(",") if task not in known]
        if not tasks:
            print(f"\n{case.title}: in {options.json} already")
            continue
        of_case = compare_with_peer(__file__, [case], tasks, with_memory=options.memory, options=options_of_script)
        print(f"\n{case.title}")
        for row in of_case:
            print(_line(row), flush=True)
        rows += of_case
        _write(rows, options.json)
    return rows


def _write(rows, file):
    if file is not None:
        file.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def _rows_of_case(options):
    content = json.loads(options.case)
    tasks, names = options.tasks.split(","), [name for name in options.programs.split(",") if name]
    # Before this process grows: the peak of a child begins at the size of its parent.
    peaks = _peaks(content, tasks, names) if options.memory else {}
    # As many cores as threads, before TensorFlow or PyTorch counts them.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: content["threads"]])
    os.environ["OMP_NUM_THREADS"] = str(content["threads"])
    from speed_peers.paired import compare_case

    from higlow_tf.evaluation import SpeedCase

    return compare_case(SpeedCase(**content), tasks, names, options.rounds, peaks)


# ---- memory


def _peaks(content, tasks, names):
    """Peaks in MiB by (program, task); those that a program cannot do are left out."""
    peaks = {}
    problem = None
    for task in tasks:
        ours = _peak_of(_OURS, task, json.dumps(content))
        problem = problem or ours["problem"]
        peaks[_OURS, task] = ours["peak_mib"]
        for name in names:
            found = _peak_of(name, task, problem)
            if found is not None:
                peaks[name, task] = found["peak_mib"]
    return peaks


def _peak_of(name, task, problem):
    command = [sys.executable, __file__, "--memory-of", name, task, problem]
    finished = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    if finished.returncode and name == _OURS:
        raise RuntimeError(f"The memory of {task} could not be measured: code {finished.returncode}.")
    return None if finished.returncode else json.loads(finished.stdout.splitlines()[-1])


def _print_peak(name, task, text):
    """Does a task three times; `text` is a `SpeedCase` for ours, and a `Problem` without weights for the others."""
    content = json.loads(text)
    if name == _OURS:
        from higlow_tf.evaluation import SpeedCase
        from higlow_tf.evaluation.speed_rows import limit_threads
        from higlow_tf.evaluation.speed_tasks import make_task, synthetic_model

        case = SpeedCase(**content)
        limit_threads(case.threads)
        model = synthetic_model(case.preset, case.changes)
        problem, run = Problem.of_model(model, case.batch_size, case.threads), make_task(model, task, case.batch_size)
    else:
        problem = Problem(**content)
        run = make_tasks(name, problem)[task]
    for _ in range(3):
        run()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"peak_mib": peak / (2**20 if sys.platform == "darwin" else 2**10), "problem": problem.to_json()}))


def _line(row):
    if row["cpu_s"] is None:
        return f"  {row['task']:10}{row['who']:16}{row['note']}"
    parts = [f"{row['cpu_s']['median']:.4f} CPU s"]
    if row["ratio"] is not None:
        parts.append("ratio {median:.2f} ({min:.2f}-{max:.2f})".format(**row["ratio"]))
    parts.append(f"{row['share_of_limit']:.0%} of the limit")
    if row["peak_mib"] is not None:
        parts.append(f"{row['peak_mib']:.0f} MiB")
    return f"  {row['task']:10}{row['who']:16}" + ", ".join(parts)


if __name__ == "__main__":
    main()
