"""What a benchmark measures, and a peer's script: run in a process of its own, its numbers read, its failure named."""

import numpy as np
import pytest

from higlow_tf.errors import InputError
from higlow_tf.evaluation import MachineRates, SpeedCase, compare_with_peer, find_cases, measure_speed
from higlow_tf.evaluation.speed_rows import speed_row
from higlow_tf.evaluation.speed_tasks import POSTERIOR_POINTS, needs_of_task
from higlow_tf.models import ConditionalGlow, count_operations

SCRIPT = """
import json, sys
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
case = json.loads(options["--case"])
if case["preset"] == "paper":
    raise SystemExit("no such preset")
open(options["--json"], "w").write(json.dumps([{"task": options["--tasks"], "batch": case["batch_size"]}]))
"""
CASE = SpeedCase("tiny", 4, 1)


def test_a_peer_is_asked_for_its_numbers(tmp_path):
    script = tmp_path / "peer.py"
    script.write_text(SCRIPT)
    rows = compare_with_peer(script, [CASE, SpeedCase("tiny", 8)], ("train", "sample"))
    assert rows == [{"task": "train,sample", "batch": 4}, {"task": "train,sample", "batch": 8}]
    with pytest.raises(RuntimeError, match="ended with code 1: no such preset"):
        compare_with_peer(script, [SpeedCase("paper")])
    with pytest.raises(InputError, match="no such file"):
        compare_with_peer(tmp_path / "none.py", [CASE])


def test_rows_are_found_by_name():
    assert len(find_cases("all")) == len(set(map(str, find_cases("all")))) == 24
    assert [case.changes for case in find_cases("map-size")] == [{"map_size": size} for size in (32, 64, 128, 256)]
    assert find_cases("paper:64:2, paper") == [SpeedCase("paper", 64, 2), *find_cases("paper")[:-1]]
    with pytest.raises(
        InputError, match="expected all, paper, compact, map-size, depth, width or PRESET:BATCH:THREADS"
    ):
        find_cases("papers")
    with pytest.raises(InputError, match="did you mean 'tiny'"):
        find_cases("tinny:8:1")


def test_more_threads_than_cores_are_a_row_with_the_reason():
    (row,) = measure_speed([SpeedCase("tiny", threads=10_000)], ("train",))
    assert row["cpu_s"] is None
    assert "needs 10000 cores" in row["note"]
    with pytest.raises(InputError, match="expected some of train, log_prob, sample, posterior. Received: 'fit'"):
        measure_speed([CASE], ("fit",))


def test_a_row_has_medians_ratios_and_a_share_of_the_limit():
    seconds = np.array([[0.1, 0.2], [0.3, 0.6], [0.2, 0.5]])
    row = speed_row(CASE, "log_prob", seconds, who="peer", least_s=0.05, first_cpu_s=1.2, ratio=[2.0, 4.0, 3.0])
    assert row["cpu_s"] == {"median": 0.2, "min": 0.1, "max": 0.3}
    assert row["ratio"]["median"] == 3.0
    assert row["maps_per_s"] == 4 / 0.5
    assert row["share_of_limit"] == pytest.approx(0.25)
    assert row["compile_cpu_s"] == pytest.approx(1.0)
    assert speed_row(CASE, "posterior", seconds)["maps_per_s"] == 1 / 0.5


def test_the_limit_is_the_longer_one_of_computing_and_moving():
    rates = MachineRates(operations_per_s=100.0, bytes_per_s=10.0)
    assert rates.least_seconds(500, 20) == 5.0
    assert rates.least_seconds(500, 200) == 20.0


def test_a_posterior_needs_the_density_at_each_point():
    model = ConditionalGlow.from_preset("tiny")
    one, whole = (needs_of_task(model, task, 64) for task in ("log_prob", "posterior"))
    assert whole == tuple(POSTERIOR_POINTS // 64 * number for number in one)
    assert needs_of_task(model, "train", 64)[0] == 3 * one[0] == 3 * count_operations(model).of_batch(64)
