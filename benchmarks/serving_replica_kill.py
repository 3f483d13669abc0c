"""A replica of a server is killed while clients ask: no wrong answer, and only what was under way is lost.

    python -m benchmarks.serving_replica_kill saved_models/compact_mock [--kills 3] [--clients 8] [--seconds 30]

The server has two replicas. Every so many seconds one of them gets SIGKILL. Clients do not ask again, so that each lost request
is seen. Then the server must come back to two replicas that both answer (Ray's metrics tell). Prints a line for each kill, and
exits with 1 if an answer was wrong, if a request failed that began after a kill, or if the server stayed with one replica.
"""

import argparse
import os
import re
import signal
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import tensorflow as tf

from benchmarks.client_load import ClientLoad
from benchmarks.server_process import ServerProcess, free_ports
from benchmarks.serving_requests import make_requests, process_tree
from higlow_tf.serving.client.card import Card

__all__ = ["Killed", "kill_one_replica", "replicas_of"]

_REPLICA_TITLE = b"ray::ServeReplica:"
_ANSWERED = re.compile(r'^ray_serve_deployment_request_counter_total{.*replica="([^"]+)".*} ([\d.e+]+)$', re.MULTILINE)
_RETURN_SECONDS, _LOOK_SECONDS = 600.0, 1.0


def replicas_of(server):
    """Process ids of the replicas of a server."""
    found = []
    for pid in process_tree(server.process.pid):
        try:
            title = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue  # it has ended
        if title.startswith(_REPLICA_TITLE):
            found.append(pid)
    return sorted(found)


def answers_by_replica(metrics_port):
    """Name of each replica -> how many requests it has answered so far; of those that are no more, too."""
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics_port}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    counts = {}
    for replica, number in _ANSWERED.findall(text):
        counts[replica] = counts.get(replica, 0.0) + float(number)
    return counts


class Killed:
    """One kill, and how the server came back.

    Attributes:
        at: `time.monotonic()` of the kill.
        seconds: Until two replicas answered again; None if they did not.
    """

    def __init__(self, at, seconds):
        self.at, self.seconds = at, seconds

    def lost(self, load):
        """The failed requests that were under way at the kill."""
        return [one for one in load.failed() if one.began <= self.at <= one.ended]


def kill_one_replica(server, metrics_port, num_replicas=2):
    """Sends SIGKILL to a replica of a server that clients keep busy, and waits until all its replicas answer again.

    Returns:
        `Killed`.
    """
    victim, others = replicas_of(server)[0], set(answers_by_replica(metrics_port))
    at = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    before = answers_by_replica(metrics_port)
    while time.monotonic() < at + _RETURN_SECONDS:
        time.sleep(_LOOK_SECONDS)
        now = answers_by_replica(metrics_port)
        if set(now) - others and sum(now[name] > before.get(name, 0.0) for name in now) >= num_replicas:
            return Killed(at, time.monotonic() - at)
    return Killed(at, None)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="folder NAME of an exported model, with NAME/1")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument(
        "--seconds", type=float, default=30.0, help="of undisturbed load before each kill, and at the end"
    )
    arguments = parser.parse_args()
    loaded = tf.saved_model.load(str(arguments.model / "1"))
    card = Card.read(arguments.model / "1" / "assets.extra" / "model_card.json")
    requests = make_requests(loaded.signatures, card.parameters)
    (metrics_port,) = free_ports(1)
    options = ("--replicas", "2", "--threads", "1", "--metrics-port", str(metrics_port))
    kills = []
    with (
        tempfile.TemporaryDirectory() as folder,
        ServerProcess([arguments.model], Path(folder) / "log", *options) as server,
        ClientLoad(server, arguments.model.resolve().name, requests, arguments.clients) as load,
    ):
        for _ in range(arguments.kills):
            time.sleep(arguments.seconds)
            kills.append(kill_one_replica(server, metrics_port))
        time.sleep(arguments.seconds)
    sys.exit(_report(load, kills))


def _report(load, kills):
    """Prints what happened; returns the exit code."""
    for number, kill in enumerate(kills, 1):
        under_way = [one for one in load.asked if one.began <= kill.at <= one.ended]
        back = "stayed with one replica" if kill.seconds is None else f"two replicas answer after {kill.seconds:.0f} s"
        print(f"kill {number}: {len(kill.lost(load))} of {len(under_way)} requests under way lost; {back}")
    lost = {id(one) for kill in kills for one in kill.lost(load)}
    others = [one for one in load.failed() if id(one) not in lost]
    print(
        f"{len(load.asked)} requests, {len(load.wrong())} wrong answers, {len(others)} failed that were not under way"
    )
    for error in sorted({f"{one.protocol}: {one.error}" for one in load.failed()}):
        print(f"- {error}")
    return 1 if load.wrong() or others or any(kill.seconds is None for kill in kills) else 0


if __name__ == "__main__":
    main()
