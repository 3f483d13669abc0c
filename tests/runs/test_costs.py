"""What `higlow estimate` counts."""

import pytest

from higlow_tf.errors import InputError
from higlow_tf.models import ConditionalGlow, count_operations
from higlow_tf.runs import costs, estimate

QUICK = {"training.jit_compile": False}


def test_an_estimate_counts_the_run():
    found = estimate("tiny", map_size=8, batch_size=4, num_maps=100, settings=QUICK | {"model.width": 4})
    model = ConditionalGlow.from_preset("tiny", map_size=8, width=4)
    assert found.title == "tiny, map_size=8, width=4"
    assert found.num_weights == model.count_params()
    assert found.operations_per_map == count_operations(model).per_map
    assert (found.batch_size, found.steps_per_epoch) == (4, 17)
    least = found.steps_per_epoch * found.seconds_per_step / 60.0
    assert least < found.minutes_per_epoch < 1.1 * least


def test_what_cannot_be_estimated_is_refused():
    with pytest.raises(InputError, match="did you mean 'compact'"):
        estimate("compct")
    with pytest.raises(InputError, match="at least one batch of 64 training maps, 70 % of all. Received: 50 maps"):
        estimate("paper", num_maps=50)
    with pytest.raises(InputError, match="did you mean 'training'"):
        estimate("tiny", settings={"trainig.batch_size": 3})


def test_memory_and_disk_grow_with_what_they_hold():
    model = ConditionalGlow.from_preset("tiny")
    larger = ConditionalGlow.from_preset("tiny", width=64)
    assert costs.disk_mib(larger, 100) > 3 * costs.disk_mib(model, 100)
    per_map = costs.memory_mib(model, 8, 20_000) - costs.memory_mib(model, 8, 10_000)
    assert per_map == pytest.approx(10_000 * model.num_dimensions * 4 / 2**20)


def test_memory_holds_what_training_keeps_of_the_steps():
    kept, again = (ConditionalGlow.from_preset("tiny", width=64, keep_activations=is_kept) for is_kept in (True, False))
    # Two levels of two steps: 64 and 16 pixels of 4 and 8 channels, two hidden layers, a shift and a log-scale.
    numbers = 2 * (64 * (2 * 64 + 4) + 16 * (2 * 64 + 8))
    difference = costs.memory_mib(kept, 8, 100) - costs.memory_mib(again, 8, 100)
    assert difference == pytest.approx(8 * numbers * 4 / 2**20)
