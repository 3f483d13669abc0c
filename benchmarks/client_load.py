"""Clients in threads that ask a server without a pause, and what each of their requests came to."""

import random
import threading
import time
from dataclasses import dataclass

from benchmarks.serving_requests import is_equal, rows_of
from higlow_tf.serving import Client

__all__ = ["Asked", "ClientLoad"]


@dataclass(frozen=True)
class Asked:
    """One request.

    Args:
        index: Which of the list.
        protocol: "rest" or "grpc".
        began, ended: `time.monotonic()`, s.
        is_right: Whether the answer was as expected; None if there was none.
        error: What there was in its place.
    """

    index: int
    protocol: str
    began: float
    ended: float
    is_right: bool | None
    error: str = ""


class ClientLoad:
    """Clients that draw from a list of requests, half of them over REST and half over gRPC; nothing is asked twice.

    Args:
        server: `ServerProcess`.
        model: Name of the model.
        requests: Triples (signature, inputs, expected outputs).
        num_clients: How many ask at the same time.

    Attributes:
        asked: `Asked` of all requests that have ended.
    """

    def __init__(self, server, model, requests, num_clients):
        self.asked, self._requests, self._is_over = [], requests, threading.Event()
        self._server, self._model = server, model
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(num_clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        """Waits for the answers that are under way."""
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def rows(self):
        """Rows of all answers."""
        return sum(rows_of(self._requests[one.index][1]) for one in self.asked if one.is_right is not None)

    def wrong(self):
        """The answers that were wrong."""
        return [one for one in self.asked if one.is_right is False]

    def failed(self):
        """The requests without an answer."""
        return [one for one in self.asked if one.is_right is None]

    def _ask(self, number):
        order, protocol = random.Random(number), ("rest", "grpc")[number % 2]
        with Client(getattr(self._server, protocol), self._model, num_retries=0, num_connections=1) as client:
            names = {name: list(of["outputs"]) for name, of in client.signatures.items()}
            while not self._is_over.is_set():
                index = order.randrange(len(self._requests))
                signature, inputs, expected = self._requests[index]
                began, answer, error = time.monotonic(), None, ""
                try:
                    answer = client._transport.predict(signature, inputs, names[signature])
                except Exception as raised:
                    error = f"{getattr(raised, 'code', type(raised).__name__)}: {raised}"[:200]
                ended = time.monotonic()
                is_right = None if answer is None else is_equal(answer, expected)
                self.asked.append(Asked(index, protocol, began, ended, is_right, error))
