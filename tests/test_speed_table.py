"""The table of speeds beside other programs."""

import numpy as np

from benchmarks.speed_peers.markdown import markdown_table
from higlow_tf.evaluation import MachineRates, SpeedCase
from higlow_tf.evaluation.speed_rows import speed_row

CASES = SpeedCase("tiny", 4), SpeedCase("compact", 4)
SECONDS = np.array([[0.1, 0.2], [0.3, 0.6], [0.2, 0.5]])


def test_each_program_has_its_ratio_and_what_it_cannot_do_has_a_reason():
    first, second = CASES
    ours = {"least_s": 0.05, "first_cpu_s": 9.2}
    rows = [
        speed_row(first, "train", SECONDS, peak_mib=100.0, **ours),
        speed_row(first, "train", SECONDS, who="torch", ratio=[2.0, 4.0, 3.0], peak_mib=50.0),
        speed_row(first, "train", who="tfp Glow", note="no such task"),
        speed_row(second, "posterior", SECONDS, **ours),
        speed_row(second, "posterior", SECONDS, who="tfp Glow", ratio=[5.0, 7.0, 6.0]),
    ]
    lines = markdown_table(rows, MachineRates(1e11, 2e10)).splitlines()
    assert lines[0] == (
        "Machine: 100.0 GFLOP/s in products of large float32 matrices and 20.0 GB/s in copies, on one thread."
    )
    assert lines[4:] == [
        "| tiny, batch 4, 1 thread | training step | 0.2000 | 25% | 3.00 (2.00 to 4.00) | - | 9.0 "
        "| higlow_tf 100; torch 50 |",
        "| compact, batch 4, 1 thread | posterior, 1024 points | 0.2000 | 25% |  | 6.00 (5.00 to 7.00) |  |  |",
        "",
        "- tfp Glow, training step: no such task",
    ]
