"""What an engineer asks of a served model: latency and throughput by signature and rows, memory, start, and what rows change.

    python -m benchmarks.serving_table saved_models/compact_mock [--calls 9] [--rows 1,8,64] [--threads 1]

One client asks one replica, one request after the other; each call is made in this process, over gRPC and over REST in turn, so
that all three see the same machine. Posteriors use 12 x 12 points; over gRPC also the model's own grid. Prints Markdown.
"""

import argparse
import itertools
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks.server_process import ServerProcess
from benchmarks.serving_replica_kill import replicas_of
from benchmarks.serving_requests import call, cpu_seconds_of_tree, memory_mb_of_tree
from higlow_tf.serving import Client
from higlow_tf.serving.client.card import Card

__all__ = ["main"]

OWN_GRID = "posterior, own grid"
# A posterior is some hundred densities a map.
MOST_POSTERIOR_ROWS = 8


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="folder NAME of an exported model, with NAME/1")
    parser.add_argument("--calls", type=int, default=9, help="of each kind, after one that is not counted")
    parser.add_argument("--rows", default="1,8,64", help="rows of a request, with commas")
    parser.add_argument("--threads", type=int, default=1, help="of the replica, and of the calls in this process")
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_inter_op_parallelism_threads(arguments.threads)
    loaded = tf.saved_model.load(str(arguments.model / "1"))
    card = Card.read(arguments.model / "1" / "assets.extra" / "model_card.json")
    rows = [int(number) for number in arguments.rows.split(",")]
    inputs = Inputs(loaded.signatures, card, max(rows))
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        ServerProcess([arguments.model], Path(folder) / "log", "--threads", str(arguments.threads)) as server,
    ):
        print(_start_and_memory(server, time.monotonic() - began))
        name = arguments.model.resolve().name
        with Client(server.grpc, name) as grpc, Client(server.rest, name) as rest:
            print(_table(loaded.signatures, inputs, rows, (grpc, rest), arguments.calls))
        print(f"\nAfter that: {memory_mb_of_tree(server.process.pid) / 1e3:.2f} GB.")
    print(_what_rows_change(loaded.signatures, inputs, max(rows)))


class Inputs:
    """Inputs of a signature, as many rows as are wanted; the first rows are always the same."""

    def __init__(self, signatures, card, most_rows):
        self._theta = card.parameters.sample_uniform(most_rows, seed=0).astype(np.float32)
        self._seeds = np.stack([np.zeros(most_rows), np.arange(most_rows)], axis=1).astype(np.int64)
        self._temperature = np.ones(most_rows, np.float32)
        self._grid = card.centres().astype(np.float32)
        self._maps = call(signatures["sample"], self.of("sample", most_rows))["hi_map"]

    def of(self, kind, rows):
        if kind == "sample":
            return {
                "theta": self._theta[:rows],
                "seed": self._seeds[:rows],
                "temperature": self._temperature[:rows],
            }
        if kind == "log_prob":
            return {"hi_map": self._maps[:rows], "theta": self._theta[:rows]}
        grid = self._grid[:0] if kind == OWN_GRID else self._grid
        return {"hi_map": self._maps[:rows], "theta_grid": np.broadcast_to(grid, (rows, *grid.shape))}


def _start_and_memory(server, seconds):
    cpu = cpu_seconds_of_tree(server.process.pid)
    replicas = sum(_resident_mb(pid) for pid in replicas_of(server))
    whole = memory_mb_of_tree(server.process.pid)
    return (
        f"Start to the first answer: {seconds:.0f} s, {cpu:.0f} s of CPU time. Memory: {whole / 1e3:.2f} GB, "
        f"{replicas / 1e3:.2f} GB of it the replica.\n"
    )


def _resident_mb(pid):
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024 / 1e6


def _table(signatures, inputs, rows, clients, num_calls):
    """Latencies as median and 99th percentile (of few calls: the slowest), and rows a second by the median."""
    doors = ("in process", "gRPC", "REST")
    lines = ["| signature | rows | " + " | ".join(f"{door}, ms (p50 / p99)" for door in doors)
             + " | rows/s in process | gRPC | REST |", "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for kind, number in itertools.product(("log_prob", "sample", OWN_GRID, "posterior"), rows):
        if kind.startswith("posterior") and number > MOST_POSTERIOR_ROWS:
            continue
        asks = _asks(signatures, kind, inputs.of(kind, number), clients)
        times = np.array([[_seconds(ask) for ask in asks] for _ in range(num_calls + 1)])[1:]
        cells = [f"{1e3 * np.median(of):.0f} / {1e3 * np.percentile(of, 99):.0f}" for of in times.T]
        rates = [f"{number / np.median(of):.1f}" for of in times.T]
        missing = ["–"] * (len(doors) - len(asks))
        lines.append(f"| {kind} | {number} | " + " | ".join([*cells, *missing, *rates, *missing]) + " |")
    return "\n".join(lines)


def _asks(signatures, kind, given, clients):
    """The same question in this process, and to each client that can put it."""
    signature = kind.partition(",")[0]
    names = list(signatures[signature].structured_outputs)
    able = [client._transport for client in clients if kind != OWN_GRID or client._transport.can_send_empty]
    return [
        partial(call, signatures[signature], given),
        *(partial(transport.predict, signature, given, names) for transport in able),
    ]


def _seconds(ask):
    began = time.monotonic()
    ask()
    return time.monotonic() - began


def _what_rows_change(signatures, inputs, most_rows):
    """Every row alone and among others, and the first row among the same others in another order."""
    lines = ["", "| output | rows | a row alone beside the same row among the others | the others in another order |",
             "|---|---|---|---|"]  # fmt: skip
    for kind, output, unit, difference in _DIFFERENCES:
        number = min(most_rows, MOST_POSTERIOR_ROWS) if kind == OWN_GRID else most_rows
        function, given = signatures[kind.partition(",")[0]], inputs.of(kind, number)
        together = call(function, given)
        worst = max(
            np.abs(difference(call(function, _rows(given, row)), _rows(together, row))).max() for row in range(number)
        )
        others = call(function, {name: np.concatenate([value[:1], value[:0:-1]]) for name, value in given.items()})
        is_same = others[output][0].tobytes() == together[output][0].tobytes()
        bits = "the same bits" if is_same else "other bits"
        lines.append(f"| {output} | {number} | at most {worst:.1e} {unit} | {bits} |")
    return "\n".join(lines)


def _rows(arrays, row):
    return {name: value[row : row + 1] for name, value in arrays.items()}


_DIFFERENCES = (
    ("log_prob", "log_prob", "nats", lambda one, other: one["log_prob"] - other["log_prob"]),
    ("sample", "hi_map", "dex in a pixel", lambda one, other: np.log10(one["hi_map"]) - np.log10(other["hi_map"])),
    (
        OWN_GRID,
        "posterior_mean",
        "posterior sd",
        lambda one, other: (one["posterior_mean"] - other["posterior_mean"]) / one["posterior_sd"],
    ),
)


if __name__ == "__main__":
    main()
