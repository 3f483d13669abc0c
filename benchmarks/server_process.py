"""`higlow serve` in a process of its own, as a user starts it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

__all__ = ["PROGRAM", "ServerProcess", "ask_http", "free_ports"]

# The command `higlow` of this checkout, for `python -c`.
PROGRAM = "from higlow_tf.cli.app import main; main()"
_READY, _START_SECONDS, _STOP_SECONDS = "Ready.", 900, 120


class ServerProcess:
    """A server of some models; `rest` and `grpc` are its addresses."""

    def __init__(self, folders, log, *options):
        rest_port, grpc_port = free_ports(2)
        self.rest, self.grpc = f"http://127.0.0.1:{rest_port}", f"127.0.0.1:{grpc_port}"
        command = [sys.executable, "-c", PROGRAM, "serve", *map(str, folders)]
        command += ["--port", str(rest_port), "--grpc-port", str(grpc_port), *options]
        self.log = Path(log)
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        with self.log.open("w") as file:
            self.process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)
        self._wait_until_ready()

    def _wait_until_ready(self):
        deadline = time.monotonic() + _START_SECONDS
        while _READY not in self.log.read_text():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise RuntimeError(f"the server did not start:\n{self.log.read_text()}")
            time.sleep(0.5)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Sends SIGTERM, and returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def ask_http(url, content=None, timeout=300):
    """Status and decoded JSON of a GET, or of a POST of `content`: bytes, or what becomes JSON."""
    body = content if content is None or isinstance(content, bytes) else json.dumps(content).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=timeout) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def free_ports(number):
    """So many ports that nobody uses now."""
    sockets = [socket.socket() for _ in range(number)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
