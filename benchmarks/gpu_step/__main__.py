"""The speed of our XLA programs on a GPU through JAX, beside PyTorch, for machines that have both but no TensorFlow.

    python -m benchmarks.gpu_step export --preset higlow --batch 64,256 --out FOLDER     # needs TensorFlow, and no GPU
    python -m benchmarks.gpu_step time FOLDER --rounds 5 --json rows.json                # needs JAX and PyTorch

`export` writes the programs of a whole training step and of `log_prob` as TensorFlow hands them to XLA, for each batch; the
weights, optimizer state and values that TensorFlow computes for a small batch; and counted operations and bytes. `time`
compiles them with JAX, checks the values, and runs them in turn with PyTorch on the same device. Each round gives one ratio.
Without a GPU it runs on the CPU, which is good for tests alone.
"""

import argparse
import os
import sys
from pathlib import Path

from higlow_tf.errors import InputError

__all__ = ["main"]

_INPUT_ERROR = 2
_PROGRAMS = ("torch", "torch.compile")


def main(arguments=None):
    """Returns the exit code: 2 for wrong input."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except InputError as error:
        print(error, file=sys.stderr)
        return _INPUT_ERROR
    return 0


def _export(options):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from benchmarks.gpu_step.export import export_programs

    export_programs(options.preset, _numbers(options.batch), options.out, progress=_say)


def _time(options):
    # PyTorch needs memory, too: by default JAX takes three quarters of a GPU's at once.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    from benchmarks.gpu_step.table import table_of
    from benchmarks.gpu_step.timing import time_programs
    from higlow_tf.files import write_json

    names = [name for name in options.programs.split(",") if name]
    unknown = sorted(set(names) - set(_PROGRAMS))
    if unknown:
        raise InputError(f"--programs: expected names among {', '.join(_PROGRAMS)}. Received: {', '.join(unknown)}.")
    if options.rounds < 1:
        raise InputError(f"--rounds: expected one or more. Received: {options.rounds}.")
    measured = time_programs(options.folder, names, options.rounds, progress=_say)
    _say(table_of(measured))
    if options.json:
        write_json(measured, options.json)


def _numbers(text):
    parts = text.split(",")
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise InputError(f"--batch: expected positive numbers with commas between them. Received: {text!r}.")
    return sorted({int(part) for part in parts})


def _say(line):
    print(line, flush=True)


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu_step",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True)
    export = commands.add_parser("export", help="writes the programs; needs TensorFlow, and no GPU")
    export.add_argument("--preset", default="higlow", help="a preset of ConditionalGlow")
    export.add_argument("--batch", default="64,256", help="maps of a batch, with commas between several")
    export.add_argument("--out", type=Path, required=True, help="folder that does not exist")
    export.set_defaults(command=_export)
    time = commands.add_parser("time", help="times them; needs JAX, and PyTorch for the peer, but no TensorFlow")
    time.add_argument("folder", type=Path, help="that of an export")
    time.add_argument("--rounds", type=int, default=5, help="measurements of each program, in turn")
    time.add_argument("--programs", default=",".join(_PROGRAMS), help="the programs beside ours; empty for none")
    time.add_argument("--json", type=Path, help="file for the rows")
    time.set_defaults(command=_time)
    return parser


if __name__ == "__main__":
    sys.exit(main())
