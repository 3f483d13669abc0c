"""Rows a second of `higlow batch` beside those of the bare SavedModel on the same cores, and the bits after kills.

    python benchmarks/batch_throughput.py --model saved_models/compact_mock/1 --maps-file MAPS.npy --params PARAMS.txt --kills 5

The bare side is one process a core. Each calls the signature on maps in memory, with one thread, in requests of the size that
the job uses; all begin at the same moment. It is measured before and after the job, so that whatever else the machine does falls
on both. Rates are those of wall time and of CPU time: on a machine that does other things only the latter mean anything.
Starting Ray and loading the model, which a job does once, are reported apart.

With --kills the same job is killed so often in another folder, after random numbers of parts, and continued each time. Its rows
are counted, and its files compared with those of the job that nothing disturbed.
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
import pyarrow.parquet as pq

from higlow_tf.data.tables import read_parameter_table

__all__ = ["main"]

REQUEST_ROWS = 64
PART_ROWS = 512
_COMMAND = (sys.executable, "-c", "from higlow_tf.cli.app import main; main()")
_WAIT_SECONDS = 600.0


def main(arguments=None):
    """Prints JSON records; exit code 1 if a row is missing, is there twice, or has other bits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="exported model, one version")
    parser.add_argument("--maps-file", type=Path, required=True, help=".npy of maps, repeated as often as needed")
    parser.add_argument("--params", type=Path, required=True, help="table, one row a simulation of these maps")
    parser.add_argument("--maps", type=int, default=50_000, help="maps of the job")
    parser.add_argument("--bare-maps", type=int, default=8192, help="maps a core of each bare measurement")
    parser.add_argument("--actors", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
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
    return int(not (killed["every_row_once"] and killed["bits_are_the_same"]))


def _prepare(options):
    """Writes the maps of the job as files of the size of the one given, and their parameters; the words of the command."""
    maps = np.load(options.maps_file, mmap_mode="r")
    table = read_parameter_table(options.params)
    rows = np.arange(options.maps) % len(maps)
    (options.out / "maps").mkdir()
    for number, chosen in enumerate(np.array_split(rows, -(-options.maps // len(maps)))):
        np.save(options.out / "maps" / f"maps_{number:04d}.npy", maps[chosen])
    of_maps = table.values.repeat(len(maps) // len(table), axis=0)[rows]
    np.savetxt(options.out / "params.txt", of_maps, header=" ".join(table.names))
    # Small jobs still have parts between which they can be killed.
    part_rows = min(PART_ROWS, max(1, options.maps // (4 * options.kills))) if options.kills else PART_ROWS
    words = ("--task", "log_prob", "--maps", options.out / "maps" / "*.npy", "--params", options.out / "params.txt")
    return tuple(map(str, ("batch", options.model, *words, "--actors", options.actors, "--part-rows", part_rows)))


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
        "bare_before_and_after": [before["wall"], after["wall"]],
        "batch_maps_per_second": summary["rows_per_second"],
        "ratio_wall": summary["rows_per_second"] / bare["wall"],
        "bare_maps_per_cpu_second": bare["cpu"],
        "batch_maps_per_cpu_second": batch_cpu,
        "ratio_cpu": batch_cpu / bare["cpu"],
        "seconds_of_the_whole_command": seconds,
        "seconds_beside_the_rows": seconds - summary["elapsed_seconds"],
        "ratio_of_the_whole_command": summary["rows_now"] / seconds / bare["wall"],
    }


def _bare(options):
    """Maps a second of all cores together, and maps a CPU second."""
    context = multiprocessing.get_context("spawn")
    work = (str(options.model), options.bare_maps)
    barrier = context.Barrier(options.actors)
    with context.Pool(options.actors, initializer=_meet_at, initargs=(barrier,)) as pool:
        found = pool.starmap(_ask, [work] * options.actors, chunksize=1)
    rows, starts, ends, cpu_seconds = zip(*found, strict=True)
    return {"wall": sum(rows) / (max(ends) - min(starts)), "cpu": sum(rows) / sum(cpu_seconds)}


def _meet_at(barrier):
    global _barrier
    _barrier = barrier


def _ask(model, num_maps):
    """One process of the bare side: its maps, when it began and ended its calls, and their CPU time."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
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
    num_requests = -(-num_maps // REQUEST_ROWS)
    _barrier.wait(_WAIT_SECONDS)
    started, cpu_started = time.time(), time.process_time()
    for _ in range(num_requests):
        signature(**inputs)["log_prob"].numpy()
    return num_requests * REQUEST_ROWS, started, time.time(), time.process_time() - cpu_started


def _killed(options, job):
    """Kills the job again and again after a random number of new parts, continues it, and compares rows and files."""
    command = [*_COMMAND, *job, "--out", options.out / "killed"]
    num_parts = len(_parts(options.out / "whole"))
    rng, found = np.random.default_rng(options.seed), []
    for number in range(options.kills):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        there = len(_parts(options.out / "killed"))
        wanted = there + rng.integers(0, max(1, (num_parts - there) // (options.kills - number)))
        while len(_parts(options.out / "killed")) < wanted and process.poll() is None:
            time.sleep(0.02)
        time.sleep(rng.uniform(0.0, 1.0))
        started = time.monotonic()
        process.send_signal((signal.SIGKILL, signal.SIGTERM)[number % 2])
        ended = {"ended_with": process.wait(), "seconds_to_end": time.monotonic() - started}
        found.append(ended | {"parts": len(_parts(options.out / "killed"))})
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    rows = pq.read_table(options.out / "killed" / "parts", columns=["file", "index_in_file"])
    distinct = set(zip(*(column.to_pylist() for column in rows.columns), strict=True))
    expected, ended = ({p.name: p.read_bytes() for p in _parts(options.out / name)} for name in ("whole", "killed"))
    return {
        "kills": found,
        "parts": len(ended),
        "rows": len(rows),
        "every_row_once": len(rows) == len(distinct) == options.maps,
        "bits_are_the_same": ended == expected,
    }


def _parts(folder):
    return list((folder / "parts").glob("*.parquet"))


if __name__ == "__main__":
    sys.exit(main())
