"""A process that does jobs of one part: starts TensorFlow once, and writes a line of JSON for each job.

Arguments: the part, the folder of the soak, the seed, the core to stay on. Reads the jobs, a list in JSON, from its input.
"""

import gc
import json
import os
import sys
import time
import warnings

__all__ = ["main"]

# What commands leave behind fills the memory, and takes seconds to collect.
_COLLECT_EVERY = 20


def main(part, out, seed, core):
    """Does the jobs in their order."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {int(core)})
    jobs = json.load(sys.stdin)
    # What a job prints must not come between the rows.
    rows = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    from benchmarks.soak.parts import load_part
    from benchmarks.soak.workspace import Workspace
    from higlow_tf.cli.console import load_tensorflow, quiet_libraries

    quiet_libraries()
    load_tensorflow()
    workspace, module = Workspace(out), load_part(part)
    for number, job in enumerate(jobs):
        if number % _COLLECT_EVERY == 0:
            gc.collect()
        started = time.monotonic()
        row = {"part": part, **job, **module.run(workspace, job, int(seed))}
        rows.write(json.dumps({**row, "seconds": round(time.monotonic() - started, 2)}) + "\n")
        rows.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
