"""Joins requests of the same kind into one call of the model, and gives each request its own rows back."""

import asyncio
import math
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

__all__ = ["Batcher", "Call"]


@dataclass(frozen=True, eq=False)
class Call:
    """One request to one function.

    Args:
        function: From inputs by name to outputs by name, NumPy arrays `[B, ...]`; the same object for all that may be joined.
        inputs: Arrays by name.
        free_axes: For each input, the axes whose length is the request's own choice, the rows among them. None if the calls
            of this function must not be joined.
    """

    function: object
    inputs: dict
    free_axes: dict | None

    def kind(self):
        """What calls that may be joined have in common; None for a call that must stay alone."""
        if self.free_axes is None or not self.inputs or self.num_rows is None:
            return None
        if any(0 in self.free_axes[name] and value.shape[0] == 0 for name, value in self.inputs.items()):
            return None
        shapes = tuple((name, value.dtype.str, value.shape[1:]) for name, value in sorted(self.inputs.items()))
        return self.function, shapes

    @property
    def num_rows(self):
        """Rows of the request, or None if its inputs do not agree on them or an input has none: the model refuses that."""
        found = {
            value.shape[0] if value.ndim and 0 in self.free_axes[name] else None for name, value in self.inputs.items()
        }
        return found.pop() if len(found) == 1 else None

    @property
    def cost(self):
        """Rows times the length of every other free axis; infinite if one of these has no length."""
        cost = self.num_rows
        for name, value in self.inputs.items():
            sizes = [value.shape[axis] for axis in self.free_axes[name] if 0 < axis < value.ndim]
            cost *= math.prod(sizes) or math.inf
        return cost


class Batcher:
    """Runs calls in one thread, one after the other; what waits is joined where it can be.

    A call that finds the thread free starts at once. Calls that arrive meanwhile wait. Then the oldest one starts, together with
    all others of its kind, in their order, as long as their cost is at most `max_cost`. Nothing waits for company. If a joined
    call fails, each of its calls is made alone, so that none suffers from its neighbours.

    Args:
        max_cost: Most rows of a joined call. Where rows have a length of their own (points of a grid), each point counts.
        max_waiting: Most calls that wait; then `run` raises `OverflowError`.
    """

    def __init__(self, max_cost, max_waiting=4096):
        self._max_cost = max_cost
        self._max_waiting = max_waiting
        self._waiting = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._worker = None

    async def run(self, call):
        """The outputs of a call, by name; raises what the function raises."""
        if len(self._waiting) >= self._max_waiting:
            raise OverflowError(f"Expected at most {self._max_waiting} waiting requests. Received: one more.")
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((call, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await future

    async def _work(self):
        loop = asyncio.get_running_loop()
        while self._waiting:
            taken = self._take()
            if taken:
                await self._run_together(loop, taken)

    def _take(self):
        """The oldest call that is still wanted, and those that may join it."""
        self._waiting = deque(pair for pair in self._waiting if not pair[1].done())
        if not self._waiting:
            return []
        first = self._waiting.popleft()
        kind, taken = first[0].kind(), [first]
        cost = math.inf if kind is None else first[0].cost
        others = deque()
        for pair in self._waiting:
            if cost < self._max_cost and pair[0].kind() == kind and cost + pair[0].cost <= self._max_cost:
                taken.append(pair)
                cost += pair[0].cost
            else:
                others.append(pair)
        self._waiting = others
        return taken

    async def _run_together(self, loop, taken):
        calls = [call for call, _ in taken]
        try:
            answers = await loop.run_in_executor(self._thread, _call_joined, calls)
        except Exception as error:
            if len(taken) > 1:
                for pair in taken:
                    if not pair[1].done():
                        await self._run_together(loop, [pair])
                return
            answers = [error]
        for (_, future), answer in zip(taken, answers, strict=True):
            if not future.done():
                future.set_exception(answer) if isinstance(answer, Exception) else future.set_result(answer)


def _call_joined(calls):
    function = calls[0].function
    if len(calls) == 1:
        return [function(calls[0].inputs)]
    outputs = function({name: np.concatenate([call.inputs[name] for call in calls]) for name in calls[0].inputs})
    ends = np.cumsum([call.num_rows for call in calls])
    wrong = [name for name, value in outputs.items() if value.ndim == 0 or len(value) != ends[-1]]
    if wrong:
        raise ValueError(f"Expected outputs with a row for each row of the inputs. Received: {wrong[0]} with others.")
    parts = {name: np.split(value, ends[:-1]) for name, value in outputs.items()}
    return [{name: part[index] for name, part in parts.items()} for index in range(len(calls))]
