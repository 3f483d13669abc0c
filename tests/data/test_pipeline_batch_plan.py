"""Every map once an epoch, whatever the replicas and workers, and the same batches for all of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from higlow_tf.data.batch_plan import BatchPlan
from higlow_tf.errors import InputError


class Context:
    """What `tf.distribute.InputContext` tells a worker."""

    def __init__(self, num_input_pipelines, input_pipeline_id, num_replicas_in_sync):
        self.num_input_pipelines = num_input_pipelines
        self.input_pipeline_id = input_pipeline_id
        self.num_replicas_in_sync = num_replicas_in_sync


def steps_of(plan, order):
    """The parts of one pipeline, by step and replica."""
    parts = [plan.rows(order, element) for element in range(plan.num_elements)]
    return [parts[start : start + plan.parts_here] for start in range(0, len(parts), plan.parts_here)]


@settings(deadline=None, max_examples=60)
@given(
    num_maps=st.integers(1, 80),
    maps_a_replica=st.integers(1, 6),
    workers=st.integers(1, 4),
    replicas_a_worker=st.integers(1, 3),
    drop_remainder=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_replicas_share_each_batch_and_lose_no_map(
    num_maps, maps_a_replica, workers, replicas_a_worker, drop_remainder, seed
):
    replicas = workers * replicas_a_worker
    batch_size = replicas * maps_a_replica
    remainder = num_maps % batch_size
    contexts = [Context(workers, worker, replicas) for worker in range(workers)]
    if (drop_remainder and num_maps < batch_size) or (not drop_remainder and 0 < remainder < replicas):
        with pytest.raises(InputError, match="Received"):
            BatchPlan.for_context(num_maps, batch_size, contexts[0], drop_remainder=drop_remainder)
        return
    order = np.random.default_rng(seed).permutation(num_maps)
    whole = BatchPlan.for_context(num_maps, batch_size, None, drop_remainder=drop_remainder)
    plans = [BatchPlan.for_context(num_maps, batch_size, c, drop_remainder=drop_remainder) for c in contexts]
    by_worker = [steps_of(plan, order) for plan in plans]
    seen = []
    for (batch,), *parts_of_workers in zip(steps_of(whole, order), *by_worker, strict=True):
        parts = [part for worker in parts_of_workers for part in worker]
        assert len(parts) == replicas
        np.testing.assert_array_equal(np.concatenate(parts), batch)
        assert np.ptp([len(part) for part in parts]) <= 1
        if drop_remainder:
            assert {len(part) for part in parts} == {plans[0].rows_per_element}
        seen.extend(batch)
    assert len(seen) == num_maps - (remainder if drop_remainder else 0)
    assert len(set(seen)) == len(seen)


def test_rows_of_a_part_are_in_the_order_of_the_file():
    plan = BatchPlan(num_maps=8, batch_size=4, num_parts=2, first_part=1)
    order = np.array([5, 0, 7, 2, 1, 6, 4, 3])
    np.testing.assert_array_equal(plan.rows(order, 0), [5, 7])
    np.testing.assert_array_equal(plan.rows(order, 1), [4, 6])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((7, 8, None), "not exceed the 7 maps. Received: 8"),
        ((20, 9, Context(1, 0, 2)), "multiple of the 2 replicas. Received: 9"),
        ((20, 9, Context(2, 0, 3)), "2 workers equally many replicas. Received: 3"),
    ],
)
def test_batches_that_cannot_be_shared_are_refused(arguments, words):
    with pytest.raises(InputError, match=words):
        BatchPlan.for_context(*arguments)


def test_a_last_batch_that_is_too_small_is_refused():
    with pytest.raises(InputError, match="each of the 4 replicas.*Received: a last batch of 3"):
        BatchPlan.for_context(11, 8, Context(2, 1, 4), drop_remainder=False)
