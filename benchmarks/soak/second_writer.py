"""The second writer: has loaded everything, waits until the first holds its folder, and then tries to take it.

Arguments: the file that names the owner of the folder, and the command. Says "ready", and at the end a line of JSON.
"""

import importlib
import json
import sys
import time
from pathlib import Path

from benchmarks.soak.program import call

__all__ = ["main"]

_SECONDS_TO_WAIT = 240.0
_ROOMS = ("runs", "models", "evaluation", "reports", "inference", "data.mock.writer", "reports.calibration_page")


def main(owner, *arguments):
    """Waits for the owner, calls the command, and says how long its refusal took."""
    from higlow_tf.cli.console import load_tensorflow, quiet_libraries

    quiet_libraries()
    load_tensorflow()
    for room in _ROOMS:
        importlib.import_module(f"higlow_tf.{room}")
    print("ready", flush=True)
    deadline = time.monotonic() + _SECONDS_TO_WAIT
    while not Path(owner).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    answer = call(*arguments)
    too_late = answer.exit_code == 0
    print(
        json.dumps(
            {"exit_code": answer.exit_code, "stderr": answer.stderr, "seconds": answer.seconds, "too_late": too_late}
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
