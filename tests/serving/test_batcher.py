"""What waits is joined by its kind, each request gets its own rows, and none suffers from its neighbours."""

import asyncio
import threading

import numpy as np
import pytest

from higlow_tf.serving.server.batcher import Batcher, Call


class Doubler:
    """A model that doubles rows of two numbers, remembers its calls, refuses negative numbers, and can be held up."""

    def __init__(self):
        self.calls, self.gate = [], threading.Event()
        self.gate.set()

    def __call__(self, inputs):
        self.gate.wait(10)
        self.calls.append(len(inputs["x"]))
        if (inputs["x"] < 0).any():
            raise ValueError("Expected no negative numbers. Received: one.")
        return {"y": 2 * inputs["x"], "sum": inputs["x"].sum(axis=1)}


def call(model, *rows, free=(0,), width=2):
    x = np.repeat(np.array(rows, np.float32)[:, None], width, axis=1)
    return Call(model, {"x": x}, {"x": free} if free is not None else None)


def run_while_busy(model, calls, max_cost=64):
    """The answers (or errors) of calls that arrive, in this order, while another one is computed."""

    async def main():
        batcher = Batcher(max_cost)
        model.gate.clear()
        first = asyncio.create_task(batcher.run(call(model, 100)))
        await asyncio.sleep(0.05)
        tasks = [asyncio.create_task(batcher.run(each)) for each in calls]
        await asyncio.sleep(0.05)
        model.gate.set()
        answers = await asyncio.gather(first, *tasks, return_exceptions=True)
        return answers[1:]

    return asyncio.run(main())


def test_waiting_calls_are_joined_and_each_gets_its_own_rows():
    model = Doubler()
    answers = run_while_busy(model, [call(model, 1, 2), call(model, 3), call(model, 4, 5, 6)])
    assert model.calls == [1, 6]
    for answer, rows in zip(answers, ([1, 2], [3], [4, 5, 6]), strict=True):
        np.testing.assert_array_equal(answer["y"], 2.0 * np.repeat(np.array(rows)[:, None], 2, axis=1))
        np.testing.assert_array_equal(answer["sum"], 2.0 * np.array(rows))


def test_a_joined_call_has_at_most_so_many_rows_and_the_order_is_kept():
    model = Doubler()
    answers = run_while_busy(model, [call(model, *range(3)) for _ in range(5)], max_cost=7)
    assert model.calls == [1, 6, 6, 3]
    assert all(len(answer["y"]) == 3 for answer in answers)


def test_a_call_with_more_rows_than_that_is_made_alone_and_whole():
    model = Doubler()
    (answer,) = run_while_busy(model, [call(model, *range(20))], max_cost=7)
    assert model.calls == [1, 20]
    assert len(answer["y"]) == 20


def test_other_shapes_functions_and_dtypes_are_not_joined():
    model, other = Doubler(), Doubler()
    integers = Call(model, {"x": np.ones((1, 2), np.int64)}, {"x": (0,)})
    run_while_busy(model, [call(model, 1), call(model, 2, width=3), call(other, 3), integers, call(model, 4)])
    assert model.calls == [1, 2, 1, 1]
    assert other.calls == [1]


def test_points_of_a_free_axis_count():
    model = Doubler()
    run_while_busy(model, [call(model, 1, free=(0, 1), width=3) for _ in range(3)], max_cost=6)
    assert model.calls == [1, 2, 1]


@pytest.mark.parametrize("free", [None, (0, 1)])
def test_what_may_not_be_joined_is_not(free):
    """Functions without rows, and rows whose own length the model chooses."""
    model = Doubler()
    run_while_busy(model, [call(model, 1, free=free, width=0) for _ in range(3)])
    assert model.calls == [1, 1, 1, 1]


def test_a_bad_request_does_not_spoil_its_neighbours():
    model = Doubler()
    good, bad, last = run_while_busy(model, [call(model, 1, 2), call(model, -1), call(model, 3)])
    assert model.calls == [1, 4, 2, 1, 1]
    np.testing.assert_array_equal(good["sum"], [2, 4])
    assert isinstance(bad, ValueError)
    np.testing.assert_array_equal(last["sum"], [6])


def test_outputs_without_rows_are_found_and_asked_for_alone():
    calls = []

    def model(inputs):
        calls.append(len(inputs["x"]))
        return {"total": inputs["x"].sum()}

    gated = Doubler()
    answers = run_while_busy(gated, [call(model, 1), call(model, 2)])
    assert calls == [2, 1, 1]
    assert [answer["total"] for answer in answers] == [2.0, 4.0]


def test_a_call_that_nobody_waits_for_any_more_is_not_made():
    async def main():
        model = Doubler()
        batcher = Batcher(64)
        model.gate.clear()
        first = asyncio.create_task(batcher.run(call(model, 1)))
        await asyncio.sleep(0.05)
        given_up = asyncio.create_task(batcher.run(call(model, 2, 3)))
        kept = asyncio.create_task(batcher.run(call(model, 4)))
        await asyncio.sleep(0.05)
        given_up.cancel()
        model.gate.set()
        await asyncio.gather(first, kept)
        return model.calls

    assert asyncio.run(main()) == [1, 1]


def test_too_many_waiting_calls_are_refused():
    async def main():
        model = Doubler()
        batcher = Batcher(64, max_waiting=2)
        model.gate.clear()
        tasks = [asyncio.create_task(batcher.run(call(model, 1)))]
        await asyncio.sleep(0.05)
        tasks += [asyncio.create_task(batcher.run(call(model, 1))) for _ in range(3)]
        await asyncio.sleep(0.05)
        model.gate.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = asyncio.run(main())
    assert [isinstance(answer, OverflowError) for answer in answers] == [False, False, False, True]
