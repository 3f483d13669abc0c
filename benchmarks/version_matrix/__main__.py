"""Installs the package beside each set of versions, runs a short chain of calls, and writes a table.

What is done is remembered in the folder --work: the same command goes on where it was stopped. An environment takes about
3 GB of disk while it is used, and some minutes; the packages come from the index that pip uses.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.version_matrix.combinations import ROOT, all_combinations
from benchmarks.version_matrix.environments import (
    ENVIRONMENT,
    NotToBeHadError,
    build_wheel,
    find_python,
    make_environment,
)
from benchmarks.version_matrix.table import FAILED, NOT_RUN, NOT_TO_BE_HAD, PASSED, put_into_page, table_of

__all__ = ["main"]

_CHAIN = Path(__file__).with_name("chain.py")
_ENVIRONMENT = "environment"


def main(arguments=None):
    """Returns the exit code: 1 if a chain failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.version_matrix", description=__doc__)
    parser.add_argument("--work", type=Path, default=ROOT / ".venv-matrix", help="folder for environments and records")
    parser.add_argument("--out", type=Path, default=Path("version_matrix.md"), help="file for the table")
    parser.add_argument("--page", type=Path, help="page whose table is replaced, too: docs/howto/install.md")
    parser.add_argument(
        "--only", action="append", help="only combinations with this text in their name; may be repeated"
    )
    parser.add_argument("--list", action="store_true", help="print the names of all combinations, and stop")
    parser.add_argument("--again", action="store_true", help="also those that are done")
    options = parser.parse_args(arguments)
    combinations = all_combinations()
    chosen = [one for one in combinations if not options.only or any(text in one.name for text in options.only)]
    if options.list:
        _say("\n".join(one.name for one in chosen))
        return 0
    work = options.work.resolve()
    (work / "records").mkdir(parents=True, exist_ok=True)
    _run_all(chosen, work, options.again)
    records = [_read_record(one, work) for one in combinations]
    table = table_of(records)
    options.out.write_text(table, encoding="utf-8")
    if options.page is not None:
        put_into_page(options.page, table)
    _say(table)
    return int(any(record["status"] == FAILED for record in records))


def _run_all(combinations, work, again):
    left = [one for one in combinations if again or not _record_path(work, one).exists()]
    wheel = build_wheel(sys.executable, work / "wheel") if left else None
    for number, one in enumerate(left, start=1):
        _say(f"[{number}/{len(left)}] {one.name}")
        record = run_combination(one, work, wheel)
        # Before gigabytes are removed: a call that is stopped meanwhile must not lose it.
        _record_path(work, one).write_text(json.dumps(record, indent=1) + "\n")
        shutil.rmtree(work / _ENVIRONMENT, ignore_errors=True)
        _say(f"    {record['status']} {record['reason'] or ''}")


def _new_record(combination):
    record = {name: getattr(combination, name) for name in ("python", "tensorflow", "others")}
    return record | {"status": NOT_RUN, "reason": None, "steps": [], "versions": {}}


def _read_record(combination, work):
    path = _record_path(work, combination)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else _new_record(combination)


def _record_path(work, combination):
    return work / "records" / f"{combination.name}.json"


def run_combination(combination, work, wheel):
    """Makes the environment, in the place of an earlier one, and runs the chain in it.

    Returns:
        Dict: python, tensorflow, others, status ("passed", "failed" or "not to be had"), reason, steps, failed (name of a
        step or None), seconds of the chain, seconds_to_install, versions by package.
    """
    record = _new_record(combination)
    started = time.monotonic()
    try:
        python = make_environment(
            find_python(combination.python), work / _ENVIRONMENT, wheel, combination.requirements()
        )
    except NotToBeHadError as error:
        return record | {"status": NOT_TO_BE_HAD, "reason": str(error)}
    record["seconds_to_install"] = round(time.monotonic() - started)
    return record | _run_chain(python, work)


def _run_chain(python, work):
    # -P and another folder: the checkout must not be imported in the place of what is installed.
    command = [python, "-P", _CHAIN, ROOT / "saved_models"]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, env=ENVIRONMENT)
    lines = done.stdout.splitlines()
    _say("\n".join(f"    {line}" for line in lines[:-1]))
    try:
        found = json.loads(lines[-1])
    except (IndexError, ValueError):
        found = {"failed": "the interpreter", "reason": (done.stderr.strip().splitlines() or ["no word"])[-1][:200]}
    if found["failed"]:
        _say(done.stderr[-3000:])
    return found | {"status": FAILED if found["failed"] else PASSED}


def _say(text):
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
