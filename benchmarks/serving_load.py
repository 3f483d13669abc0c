"""Many clients ask one server for minutes: every answer is compared, and time and memory are measured.

    python benchmarks/serving_load.py saved_models/compact_mock --clients 8 --minutes 10 [--replicas 1] [--out load.json]

Clients draw from a list of requests of all signatures, of one to eight rows, half of them over REST and half over gRPC. What
the SavedModel answers in this process is what they must receive. Then the same requests are made in this process without a
server, one after the other and joined to batches: throughput beside that is the cost of the server. Latencies are those of the
clients, waiting included. Exits with 1 if an answer was wrong or a request failed.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import tensorflow as tf
from server_process import ServerProcess

from higlow_tf.serving import Client
from higlow_tf.serving.client.card import Card

__all__ = ["main"]

NUM_REQUESTS, MOST_ROWS, NUM_POINTS, BATCH_ROWS = 60, 8, 8, 64
# A float32 sum over some thousand pixels, in another order in a batch of another size.
TOLERANCE = 1e-4
SAMPLE_SECONDS = 5.0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="folder NAME of an exported model, with NAME/1")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument(
        "--threads", type=int, default=1, help="threads of a replica, and of the calls without a server"
    )
    parser.add_argument("--out", type=Path, help="JSON file of the numbers")
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_inter_op_parallelism_threads(arguments.threads)
    loaded = tf.saved_model.load(str(arguments.model / "1"))
    card = Card.read(arguments.model / "1" / "assets.extra" / "model_card.json")
    requests = make_requests(loaded.signatures, card)
    options = ("--replicas", str(arguments.replicas), "--threads", str(arguments.threads))
    with tempfile.TemporaryDirectory() as folder:
        with ServerProcess([arguments.model], Path(folder) / "log", *options) as server:
            load = Load(server, arguments.model.resolve().name, requests)
            load.run(arguments.clients, 60.0 * arguments.minutes)
    result = load.numbers() | without_server(loaded.signatures, requests)
    result["rows_beside_single_calls"] = result["rows_per_s"] / result["single_calls_rows_per_s"]
    result["rows_beside_joined_calls"] = result["rows_per_s"] / result["joined_calls_rows_per_s"]
    text = json.dumps(vars(arguments) | result, indent=1, default=str)
    print(text)
    if arguments.out is not None:
        arguments.out.write_text(text + "\n", encoding="utf-8")
    sys.exit(1 if result["wrong"] or result["errors"] else 0)


def make_requests(signatures, card, seed=0):
    """Pairs of (signature, inputs, expected outputs)."""
    rng = np.random.default_rng(seed)
    theta = card.parameters.sample_uniform(NUM_REQUESTS * MOST_ROWS, seed).astype(np.float32)
    requests = []
    for index in range(NUM_REQUESTS):
        rows = int(rng.integers(1, MOST_ROWS + 1))
        at = theta[index * MOST_ROWS :][:rows]
        seeds = np.stack([np.full(rows, index), np.arange(rows)], axis=1).astype(np.int64)
        sample = {"theta": at, "seed": seeds, "temperature": np.ones(rows, np.float32)}
        maps = call(signatures["sample"], sample)["hi_map"]
        signature, inputs = (
            ("sample", sample),
            ("log_prob", {"hi_map": maps, "theta": at}),
            ("posterior", {"hi_map": maps[:1], "theta_grid": theta[None, index : index + NUM_POINTS]}),
        )[index % 3]
        requests.append((signature, inputs, call(signatures[signature], inputs)))
    return requests


def call(function, inputs):
    outputs = function(**{name: tf.constant(value) for name, value in inputs.items()})
    return {name: value.numpy() for name, value in outputs.items()}


def rows_of(inputs):
    return len(next(iter(inputs.values())))


class Load:
    """Clients in threads, and what they saw."""

    def __init__(self, server, model, requests):
        self.server, self.model, self.requests = server, model, requests
        self.latencies, self.rows, self.wrong, self.errors = [], 0, 0, Counter()
        self.memory_mb, self.seconds, self._lock = [], 0.0, threading.Lock()

    def run(self, num_clients, seconds):
        began = time.monotonic()
        end = began + seconds
        threads = [threading.Thread(target=self._ask, args=(number, end)) for number in range(num_clients)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            self.memory_mb.append(round(memory_of_tree(self.server.process.pid)))
            time.sleep(SAMPLE_SECONDS)
        self.seconds = time.monotonic() - began

    def _ask(self, number, end):
        order, protocol = random.Random(number), ("rest", "grpc")[number % 2]
        with Client(getattr(self.server, protocol), self.model, num_retries=0, num_connections=1) as client:
            transport, names = client._transport, {name: list(of["outputs"]) for name, of in client.signatures.items()}
            while time.monotonic() < end:
                signature, inputs, expected = order.choice(self.requests)
                began = time.monotonic()
                try:
                    answer = transport.predict(signature, inputs, names[signature])
                except Exception as error:
                    with self._lock:
                        self.errors[f"{type(error).__name__}: {error}"[:200]] += 1
                    continue
                latency = time.monotonic() - began
                with self._lock:
                    self.latencies.append((protocol, signature, latency))
                    self.rows += rows_of(inputs)
                    self.wrong += not is_equal(answer, expected)

    def numbers(self):
        milliseconds = {}
        for key in sorted({(protocol, signature) for protocol, signature, _ in self.latencies}):
            times = 1e3 * np.array([latency for *of, latency in self.latencies if tuple(of) == key])
            milliseconds[" ".join(key)] = {"p50": round(np.median(times)), "p99": round(np.percentile(times, 99))}
        return {
            "requests": len(self.latencies),
            "wrong": self.wrong,
            "errors": dict(self.errors),
            "seconds": round(self.seconds, 1),
            "rows_per_s": self.rows / self.seconds,
            "latency_ms": milliseconds,
            "memory_mb_first_and_last": [self.memory_mb[0], self.memory_mb[-1]],
            "memory_mb_most": max(self.memory_mb),
        }


def is_equal(answer, expected):
    return set(answer) == set(expected) and all(
        np.shape(answer[name]) == value.shape
        and np.allclose(
            answer[name] / np.maximum(1, np.abs(value)), value / np.maximum(1, np.abs(value)), atol=TOLERANCE
        )
        for name, value in ((name, value.astype(np.float64)) for name, value in expected.items())
    )


def without_server(signatures, requests):
    """Rows a second of the same requests in this process: one after the other, and joined to batches of one signature."""
    rows = sum(rows_of(inputs) for _, inputs, _ in requests)
    began = time.monotonic()
    for signature, inputs, _ in requests:
        call(signatures[signature], inputs)
    single = time.monotonic() - began
    began = time.monotonic()
    for signature in sorted({signature for signature, *_ in requests}):
        of_signature = [inputs for name, inputs, _ in requests if name == signature]
        joined = {name: np.concatenate([inputs[name] for inputs in of_signature]) for name in of_signature[0]}
        for start in range(0, rows_of(joined), BATCH_ROWS):
            call(signatures[signature], {name: value[start : start + BATCH_ROWS] for name, value in joined.items()})
    together = time.monotonic() - began
    return {"single_calls_rows_per_s": rows / single, "joined_calls_rows_per_s": rows / together}


def memory_of_tree(pid):
    """Resident memory of a process and all that it started, MB."""
    parents, sizes = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended
            parents[int(entry.name)], sizes[int(entry.name)] = int(fields[1]), int(fields[21])
    tree, size = {pid}, -1
    while len(tree) != size:
        size = len(tree)
        tree |= {child for child, parent in parents.items() if parent in tree}
    return sum(sizes.get(member, 0) for member in tree) * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
