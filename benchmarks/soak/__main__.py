"""Runs a soak, or goes on with one, and prints its table: python -m benchmarks.soak --help."""

import argparse
import sys
import time
from pathlib import Path

from benchmarks.soak.parts import PARTS
from benchmarks.soak.schedule import read_rows, run_parts
from benchmarks.soak.sizes import FULL, SHORT
from benchmarks.soak.table import table_of

__all__ = ["main"]


def main(arguments=None):
    """Returns the exit code: 1 if anything is at fault."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder; a soak that was stopped goes on in it")
    parser.add_argument("--short", action="store_true", help="a few of each, in a minute or two")
    parser.add_argument("--part", action="append", choices=list(PARTS), help="only this part; may be repeated")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, choices=(1, 2), default=2)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    sizes = SHORT if options.short else FULL
    run_parts(options.part or list(PARTS), options.out.resolve(), sizes, options.seed, options.processes, _say)
    rows = read_rows(options.out / "rows.jsonl")
    table = table_of(rows)
    (options.out / "table.md").write_text(table, encoding="utf-8")
    _say(table)
    _say(f"{(time.monotonic() - started) / 60:.0f} minutes; the record is {options.out / 'rows.jsonl'}")
    return int(any(row["fault"] for row in rows))


def _say(line):
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
