"""The first call of a process, with and without the programs that an earlier process has compiled.

    python benchmarks/first_call.py paper:64 compact:8 --tasks train,log_prob

Each call is that of a process of its own: two processes that keep nothing, then two that share a new folder, the first of which
compiles. CPU and wall seconds of the first call, tracing included, the peak of memory of the process, and CPU seconds of a later
call. That all give the same bits, in the first call and after ten more, is checked.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time

_KINDS = ("not kept", "not kept", "kept, the first process", "kept, the next")


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help="PRESET:BATCH")
    parser.add_argument("--tasks", default="train")
    parser.add_argument("--only", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        preset, task, batch = options.only
        print(json.dumps(_measured(preset, task, int(batch))))
        return
    print("| model | task | programs | first call, CPU s | wall s | peak, MiB | a later call, CPU s |")
    print("|---" * 7 + "|")
    for case in options.cases:
        preset, batch = case.split(":")
        for task in options.tasks.split(","):
            with tempfile.TemporaryDirectory() as folder:
                rows = [_row(preset, task, batch, folder if kind.startswith("kept") else "off") for kind in _KINDS]
            if len({row["bits"] for row in rows}) != 1:
                raise SystemExit(f"{case}, {task}: expected the same bits from all processes. Received: others.")
            for kind, row in zip(_KINDS, rows, strict=True):
                numbers = f"{row['cpu']:.1f} | {row['wall']:.1f} | {row['peak']} | {row['later']:.3f}"
                print(f"| {preset}, batch {batch} | {task} | {kind} | {numbers} |", flush=True)


def _row(preset, task, batch, folder):
    environment = os.environ | {"HIGLOW_COMPILED": folder, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    command = [sys.executable, __file__, "--only", preset, task, batch]
    finished = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
    )
    return json.loads(finished.stdout.splitlines()[-1])


def _measured(preset, task, batch):
    import resource

    from higlow_tf.evaluation.speed_tasks import make_task, synthetic_model
    from higlow_tf.models import keep_compiled_programs

    keep_compiled_programs()
    run = make_task(synthetic_model(preset, {}), task, batch)
    cpu, wall = time.process_time(), time.perf_counter()
    value = run()
    first = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    cpu = time.process_time()
    for _ in range(10):
        last = run()
    later = (time.process_time() - cpu) / 10
    # The loss after ten steps has the bits of all gradients in it.
    bits = hashlib.sha256(value.tobytes() + last.tobytes()).hexdigest()
    return first | {"peak": peak, "later": later, "bits": bits}


if __name__ == "__main__":
    main()
