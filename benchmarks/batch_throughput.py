"""Rows a second of `higlow batch` beside those of the bare SavedModel on the same cores, and the bits after kills.

    python benchmarks/batch_throughput.py --model saved_models/compact_mock/1 --maps-file MAPS.npy --params PARAMS.txt --maps 1500
    python benchmarks/batch_throughput.py ... --kills 5

The bare side is one process a core. Each calls the signature on maps in memory, with one thread, in requests of the size that
the job uses. It is measured before and after the job, so that whatever else the machine does falls on both. Rates are those of
wall time and of CPU time: on a machine that does other things only the latter mean anything. Starting Ray and loading the model,
which a job does once, are reported apart.

With --kills the job is killed so often, after random numbers of parts, continued each time, and compared with a job that nothing
disturbed.
"""

import argparse
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from higlow_tf.data.tables import read_parameter_table

__all__ = ["main"]

REQUEST_ROWS = 64
# Of each bare measurement, in maps a core.
BARE_ROWS = 1024
_COMMAND = (sys.executable, "-c", "from higlow_tf.cli.app import main; main()")


def main(arguments=None):
    """Prints JSON records; exit code 1 if bits differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="exported model, one version")
    parser.add_argument("--maps-file", type=Path, required=True, help=".npy of maps, repeated as often as needed")
    parser.add_argument("--params", type=Path, required=True, help="table, one row a simulation of these maps")
    parser.add_argument("--maps", type=int, default=1500, help="maps of the job")
    parser.add_argument("--actors", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("batch_throughput"), help="folder; it must not exist")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True)
    job = _prepare(options)
    print(
        json.dumps({"maps": options.maps, "actors": options.actors} | _beside_bare(options, job), indent=1), flush=True
    )
    if not options.kills:
        return 0
    killed = _killed(options, job)
    print(json.dumps(killed, indent=1))
    return int(not killed["bits_are_the_same"])


def _prepare(options):
    """Writes the maps of the job as files of the size of CAMELS' and their parameters; the words of the command."""
    maps = np.load(options.maps_file, mmap_mode="r")
    table = read_parameter_table(options.params)
    rows = np.arange(options.maps) % len(maps)
    (options.out / "maps").mkdir()
    for number, chosen in enumerate(np.array_split(rows, -(-options.maps // len(maps)))):
        np.save(options.out / "maps" / f"maps_{number:04d}.npy", maps[chosen])
    of_maps = table.values.repeat(len(maps) // len(table), axis=0)[rows]
    np.savetxt(options.out / "params.txt", of_maps, header=" ".join(table.names))
    words = ("--task", "log_prob", "--maps", options.out / "maps" / "*.npy", "--params", options.out / "params.txt")
    return tuple(map(str, ("batch", options.model, *words, "--actors", options.actors)))


def _beside_bare(options, job):
    before = _bare(options)
    started = time.monotonic()
    subprocess.run([*_COMMAND, *job, "--out", options.out / "whole"], check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - started
    after = _bare(options)
    summary = json.loads((options.out / "whole" / "summary.json").read_text())
    bare = {name: 0.5 * (before[name] + after[name]) for name in before}
    batch_cpu = summary["rows_now"] / summary["cpu_seconds"]
    return {
        "bare_maps_per_second": bare["wall"],
        "batch_maps_per_second": summary["rows_per_second"],
        "ratio_wall": summary["rows_per_second"] / bare["wall"],
        "bare_maps_per_cpu_second": bare["cpu"],
        "batch_maps_per_cpu_second": batch_cpu,
        "ratio_cpu": batch_cpu / bare["cpu"],
        "seconds_of_the_whole_command": seconds,
        "seconds_beside_the_rows": seconds - summary["elapsed_seconds"],
    }


def _bare(options):
    """Maps a second of all cores together, and maps a CPU second."""
    with multiprocessing.get_context("spawn").Pool(options.actors) as pool:
        found = pool.map(_ask, [str(options.model)] * options.actors, chunksize=1)
    starts, ends, cpu_seconds = zip(*found, strict=True)
    rows = BARE_ROWS * options.actors
    return {"wall": rows / (max(ends) - min(starts)), "cpu": rows / sum(cpu_seconds)}


def _ask(model):
    """One process of the bare side: when it began and ended its calls, and their CPU time."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    loaded = tf.saved_model.load(model)
    signature = loaded.signatures["log_prob"]
    specs = signature.structured_input_signature[1]
    rng = np.random.default_rng(0)
    maps = (10.0 ** rng.normal(6.5, 0.4, (REQUEST_ROWS, *specs["hi_map"].shape[1:]))).astype(np.float32)
    theta = np.full((REQUEST_ROWS, specs["theta"].shape[1]), 0.6, np.float32)
    inputs = {"hi_map": tf.constant(maps), "theta": tf.constant(theta)}
    signature(**inputs)
    started, cpu_started = time.time(), time.process_time()
    for _ in range(BARE_ROWS // REQUEST_ROWS):
        signature(**inputs)["log_prob"].numpy()
    return started, time.time(), time.process_time() - cpu_started


def _killed(options, job):
    """Kills the job again and again after a random number of new parts, continues it, and compares the files."""
    command = [*_COMMAND, *job, "--part-rows", str(max(1, options.maps // (4 * options.kills))), "--out"]
    subprocess.run([*command, options.out / "undisturbed"], check=True, stdout=subprocess.DEVNULL)
    rng, found = np.random.default_rng(options.seed), []
    for number in range(options.kills):
        process = subprocess.Popen([*command, options.out / "killed"], stdout=subprocess.DEVNULL)
        wanted = len(_parts(options.out / "killed")) + rng.integers(0, 4)
        while len(_parts(options.out / "killed")) < wanted and process.poll() is None:
            time.sleep(0.02)
        time.sleep(rng.uniform(0.0, 1.0))
        process.send_signal((signal.SIGKILL, signal.SIGTERM)[number % 2])
        found.append({"ended_with": process.wait(), "parts": len(_parts(options.out / "killed"))})
    subprocess.run([*command, options.out / "killed"], check=True, stdout=subprocess.DEVNULL)
    expected, ended = (_parts(options.out / name) for name in ("undisturbed", "killed"))
    return {"kills": found, "parts": len(expected), "bits_are_the_same": ended == expected}


def _parts(folder):
    """Name of each part file -> its bytes."""
    return {path.name: path.read_bytes() for path in (folder / "parts").glob("*.parquet")}


if __name__ == "__main__":
    sys.exit(main())
