"""What counts as off: the rule of the verdict, and the words that sum it up."""

import numpy as np
import pytest

from higlow_tf.diagnostics import Metric
from higlow_tf.evaluation.rule import WORST_OF_MANY, judged, tolerance, worst_bin
from higlow_tf.evaluation.verdict import Verdict, VerdictRow


@pytest.mark.parametrize(
    ("metric", "word"),
    [
        (Metric(1.10, error=0.06, floor=0.02), "pass"),  # within two errors
        (Metric(1.10, error=0.02, floor=0.12), "pass"),  # within the floor
        (Metric(0.62, error=0.05, floor=0.23), "off"),  # a generous floor does not hide many errors
        (Metric(1.10, error=0.04, floor=0.09), "off"),
        (Metric(1.10, error=0.04), "off"),
        (Metric(1.10), "cannot tell"),
        (Metric(None, error=0.1), "cannot tell"),
    ],
)
def test_off_is_beyond_errors_and_floor(metric, word):
    assert judged(metric, 1.0, 2.0) == word


def test_the_worst_bin_is_off_if_any_is():
    rng = np.random.default_rng(0)
    for _ in range(50):
        deviation, error, floor = rng.normal(size=10), *rng.uniform(0.1, 0.8, (2, 10))
        is_off = np.abs(deviation) > tolerance(error, floor, WORST_OF_MANY)
        assert is_off[worst_bin(deviation, error, floor)] == is_off.any()
    assert worst_bin(np.array([0.1, -0.3]), None, None) == 1
    assert worst_bin(np.array([0.1, 0.3]), np.zeros(2), None) == 1


def test_the_sentence_counts_checks_and_names_the_groups_that_are_off():
    rows = (
        VerdictRow("Test maps", "900", "all", group="Density"),
        VerdictRow("Coverage", "0.67 ± 0.05", "share", "pass", group="Posteriors"),
        VerdictRow("P(k) mean", "0.77 ± 0.05", "ratio", "off", group="Power spectra"),
        VerdictRow("P(k) sd", "0.7 ± 0.05", "ratio", "off", group="Power spectra"),
        VerdictRow("Peaks", "0.3", "share", "off", group="Pixels"),
        VerdictRow("Voids", "0.1", "share", "cannot tell", group="Pixels"),
    )
    verdict = Verdict(rows)
    assert verdict.sentence == (
        "1 of 4 checks pass; those that are off concern power spectra and pixels. 1 cannot be told: too few simulations "
        "for an error bar."
    )
    assert str(verdict) == verdict.sentence
    assert verdict.off == rows[2:5]
    assert Verdict(rows[:2]).sentence == "1 of 1 checks pass."
    assert [row.label for row in verdict.with_prefix("ON TRAINING MAPS").rows][0] == "ON TRAINING MAPS: Test maps"
    assert verdict.with_prefix("") is verdict
