"""Many clients ask one server for minutes: every answer is compared, and time and memory are measured.

    python -m benchmarks.serving_load saved_models/compact_mock --clients 8 --minutes 5 [--replicas 1] [--out load.json]

Clients draw from a list of requests of all signatures, of one to eight rows, half of them over REST and half over gRPC. What
the SavedModel answers in this process is what they must receive. The load comes in rounds. Before and after each round every
request is made in this process, without a server, one after the other: the time that the requests of the round would have
taken so, over the time that they took, is the server's throughput beside bare calls. Latencies are those of the clients,
waiting included. Memory is that of all processes of the server; "after warm-up" is the end of the first round.

Exits with 1 if an answer was wrong, a request failed, memory grew by more than 5 % after warm-up, or throughput was below 0.7
of bare calls.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks.client_load import ClientLoad
from benchmarks.server_process import ServerProcess
from benchmarks.serving_requests import call, make_requests, memory_mb_of_tree
from higlow_tf.serving.client.card import Card

__all__ = ["main"]

SAMPLE_SECONDS = 2.0
MOST_GROWTH, LEAST_THROUGHPUT = 0.05, 0.7


def main():
    arguments = _arguments()
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_inter_op_parallelism_threads(arguments.threads)
    loaded = tf.saved_model.load(str(arguments.model / "1"))
    card = Card.read(arguments.model / "1" / "assets.extra" / "model_card.json")
    requests = make_requests(loaded.signatures, card.parameters)
    options = ("--replicas", str(arguments.replicas), "--threads", str(arguments.threads))
    with tempfile.TemporaryDirectory() as folder:
        with ServerProcess([arguments.model], Path(folder) / "log", *options) as server:
            rounds = [Round(loaded.signatures, requests, server, arguments) for _ in range(arguments.rounds)]
    result = vars(arguments) | _numbers(rounds, requests)
    text = json.dumps(result, indent=1, default=str)
    print(text)
    if arguments.out is not None:
        arguments.out.write_text(text + "\n", encoding="utf-8")
    sys.exit(0 if _is_good(result) else 1)


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="folder NAME of an exported model, with NAME/1")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=5.0, help="of load, all rounds together")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1, help="of a replica, and of the calls without a server")
    parser.add_argument("--out", type=Path, help="JSON file of the numbers")
    return parser.parse_args()


class Round:
    """One round of load, between two passes of the same requests without a server."""

    def __init__(self, signatures, requests, server, arguments):
        before = _bare_seconds(signatures, requests)
        self.load = ClientLoad(server, arguments.model.resolve().name, requests, arguments.clients)
        memory = _MemorySamples(server.process.pid)
        began = time.monotonic()
        with memory, self.load:
            time.sleep(60.0 * arguments.minutes / arguments.rounds)
        self.seconds, self.memory_mb = time.monotonic() - began, memory.memory_mb
        bare = (before + _bare_seconds(signatures, requests)) / 2
        self.throughput = sum(bare[one.index] for one in self.load.asked if one.is_right is not None) / self.seconds


class _MemorySamples:
    """Memory of a process and all that it started, as long as the block runs."""

    def __init__(self, pid):
        self.memory_mb, self._is_over = [], threading.Event()
        self._thread = threading.Thread(target=self._sample, args=(pid,))

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join()

    def _sample(self, pid):
        while not self._is_over.wait(SAMPLE_SECONDS):
            self.memory_mb.append(memory_mb_of_tree(pid))


def _bare_seconds(signatures, requests):
    """Time of each request in this process, `[R]`."""
    seconds = []
    for signature, inputs, _ in requests:
        began = time.monotonic()
        call(signatures[signature], inputs)
        seconds.append(time.monotonic() - began)
    return np.array(seconds)


def _numbers(rounds, requests):
    asked = [one for each in rounds for one in each.load.asked]
    seconds = sum(each.seconds for each in rounds)
    after_warm_up = float(np.median(rounds[0].memory_mb[-3:]))
    last = float(np.median(rounds[-1].memory_mb[-3:]))
    return {
        "requests": len(asked),
        "wrong": sum(len(each.load.wrong()) for each in rounds),
        "errors": dict(Counter(one.error for each in rounds for one in each.load.failed())),
        "seconds": round(seconds, 1),
        "rows_per_s": round(sum(each.load.rows() for each in rounds) / seconds, 1),
        "throughput_beside_bare_calls": [round(each.throughput, 3) for each in rounds],
        "median_throughput_beside_bare_calls": round(float(np.median([each.throughput for each in rounds])), 3),
        "latency_ms": _latencies(asked, requests),
        "memory_mb_after_warm_up": round(after_warm_up),
        "memory_mb_at_the_end": round(last),
        "memory_growth": round(last / after_warm_up - 1.0, 4),
        "memory_mb_most": round(max(max(each.memory_mb) for each in rounds)),
    }


def _latencies(asked, requests):
    """Median and 99th percentile for each protocol and signature, ms."""
    milliseconds = {}
    for one in asked:
        milliseconds.setdefault(f"{one.protocol} {requests[one.index][0]}", []).append(1e3 * (one.ended - one.began))
    return {
        key: {
            "requests": len(times),
            "p50": round(float(np.median(times))),
            "p99": round(float(np.percentile(times, 99))),
        }
        for key, times in sorted(milliseconds.items())
    }


def _is_good(result):
    return (
        not result["wrong"]
        and not result["errors"]
        and result["memory_growth"] <= MOST_GROWTH
        and result["median_throughput_beside_bare_calls"] >= LEAST_THROUGHPUT
    )


if __name__ == "__main__":
    main()
