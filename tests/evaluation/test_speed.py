"""A peer's script: run in a process of its own, its numbers read, its failure named."""

import pytest

from higlow_tf.errors import InputError
from higlow_tf.evaluation.speed import compare_with_peer, measure_speed

SCRIPT = """
import json, sys
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
if options["--preset"] == "broken":
    raise SystemExit("no such preset")
numbers = {"speed": {"train": {"ratio_cpu": {"median": float(options["--batch"])}}}, "memory": None}
open(options["--json"], "w").write(json.dumps(numbers))
"""


def test_a_peer_is_asked_for_its_numbers(tmp_path):
    script = tmp_path / "peer.py"
    script.write_text(SCRIPT)
    assert compare_with_peer(script, "tiny", 4, 1)["speed"]["train"]["ratio_cpu"]["median"] == 4.0
    with pytest.raises(RuntimeError, match="ended with code 1: no such preset"):
        compare_with_peer(script, "broken", 4, 1)
    with pytest.raises(InputError, match="no such file"):
        compare_with_peer(tmp_path / "none.py")


def test_more_threads_than_cores_are_refused():
    with pytest.raises(InputError, match="threads: expected at most"):
        measure_speed("tiny", threads=10_000)
    with pytest.raises(InputError, match="did you mean 'tiny'"):
        measure_speed("tinny")
