"""Estimates of runs beside the runs themselves: seconds a step, memory, disk.

    python benchmarks/estimate_check.py compact:8:64 paper:64:64 compact:8:128

A case is PRESET:BATCH:MAP_SIZE. Each run trains for two short epochs on random maps in a process of its own; the second epoch is
timed, since the first one compiles. Both are measured on the machine as it is: on a busy one, the factors of time say little.
"""

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

__all__ = ["check", "main"]

# Few enough to be short, many enough that the steps of an epoch are longer than what is around them.
_STEPS = 8
_TRAIN_SHARE = 0.7


def check(case, settings=None):
    """An estimate and a run.

    Args:
        case: PRESET:BATCH:MAP_SIZE.
        settings: Other values of the configuration.

    Returns:
        Dict by "seconds_per_epoch", "memory_mib" and "disk_mib": the pair (estimated, measured).
    """
    import higlow_tf as hg

    preset, batch_size, map_size = case.split(":")
    num_maps = int(np.ceil(_STEPS * int(batch_size) / _TRAIN_SHARE)) + 10
    with tempfile.TemporaryDirectory() as folder:
        words = [preset, batch_size, map_size, str(num_maps), folder, json.dumps(settings or {})]
        finished = subprocess.run(
            [sys.executable, __file__, "--run", *words], check=True, stdout=subprocess.PIPE, text=True
        )
        measured = json.loads(finished.stdout.splitlines()[-1])
    options = {"map_size": int(map_size), "batch_size": int(batch_size), "num_maps": num_maps, "settings": settings}
    found = hg.runs.estimate(preset, **options)
    return {
        "seconds_per_epoch": (60.0 * found.minutes_per_epoch, measured["seconds_per_epoch"]),
        "memory_mib": (found.memory_mib, measured["memory_mib"]),
        "disk_mib": (found.disk_mib, measured["disk_mib"]),
    }


def _run(preset, batch_size, map_size, num_maps, folder, settings):
    """Trains for two epochs and prints what it took."""
    import higlow_tf as hg

    rng = np.random.default_rng(0)
    maps = (10.0 ** rng.normal(6.5, 0.4, (int(num_maps), int(map_size), int(map_size)))).astype(np.float32)
    theta = rng.uniform((0.1, 0.6), (0.5, 1.0), (int(num_maps), 2))
    data = hg.data.HIMapDataset.from_arrays(maps, theta)
    out = Path(folder) / "run"
    hg.runs.train(
        preset=preset, maps="not_read.npy", params="not_read.txt", data=data, out=out, batch_size=int(batch_size),
        epochs=2, end_layers=False, settings=json.loads(settings),
    )  # fmt: skip
    with open(out / "history.csv", encoding="utf-8") as file:
        minutes = [float(row["wall_minutes"]) for row in csv.DictReader(file)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    numbers = {"seconds_per_epoch": 60.0 * (minutes[1] - minutes[0]), "memory_mib": peak, "disk_mib": size / 2**20}
    print(json.dumps(numbers))


def main():
    """The command line."""
    if sys.argv[1:2] == ["--run"]:
        _run(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="+", metavar="PRESET:BATCH:MAP_SIZE")
    for case in parser.parse_args().cases:
        start = time.monotonic()
        print(case)
        for name, (estimated, measured) in check(case).items():
            factor = estimated / measured
            print(f"  {name:20}estimated {estimated:9.2f}  measured {measured:9.2f}  factor {factor:.2f}", flush=True)
        print(f"  {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
