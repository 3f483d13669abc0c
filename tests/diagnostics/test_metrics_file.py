"""metrics.json: round trip, versions, and files that are whole or not there."""

import json
import os

import numpy as np
import pytest

from higlow_tf.diagnostics import Metric, read_metrics, write_metrics
from higlow_tf.errors import InputError


def test_round_trip(tmp_path):
    metrics = {"rmse": Metric(0.05, 0.01, 0.02, 12), "nonfinite_samples": Metric(0), "r2": Metric(np.float64(0.5))}
    path = write_metrics(tmp_path / "metrics.json", metrics)
    assert read_metrics(path) == metrics
    assert list(read_metrics(path)) == list(metrics)
    assert os.listdir(tmp_path) == ["metrics.json"]


def test_layout_and_null_for_what_json_has_not(tmp_path):
    path = write_metrics(tmp_path / "m.json", {"a": Metric(np.nan, np.inf, None, np.int64(3))})
    content = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert content == {"format_version": 1, "a": {"value": None, "error": None, "floor": None, "n_simulations": 3}}
    assert read_metrics(path)["a"] == Metric(None, n_simulations=3)
    assert isinstance(read_metrics(path)["a"].n_simulations, int)


def test_nothing_is_overwritten_unasked(tmp_path):
    path = write_metrics(tmp_path / "m.json", {"a": Metric(1.0)})
    with pytest.raises(InputError, match=r"m\.json: expected a path that does not exist.*Received: an existing path"):
        write_metrics(path, {"a": Metric(2.0)})
    assert read_metrics(path)["a"].value == 1.0
    write_metrics(path, {"a": Metric(2.0)}, overwrite=True)
    assert read_metrics(path)["a"].value == 2.0


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = write_metrics(tmp_path / "m.json", {"a": Metric(1.0)})

    def full_disk(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(InputError, match="No space left"):
        write_metrics(path, {"a": Metric(2.0)}, overwrite=True)
    assert read_metrics(path)["a"].value == 1.0
    assert os.listdir(tmp_path) == ["m.json"]


def test_reserved_name(tmp_path):
    with pytest.raises(InputError, match="Received: 'format_version'"):
        write_metrics(tmp_path / "m.json", {"format_version": Metric(1.0)})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"Received: no such file"),
        ("not json", r"Received: a file that is not JSON"),
        ("[1]", r"with a format_version\. Received: None"),
        ('{"a": {}}', r"with a format_version\. Received: None"),
        ('{"format_version": 2}', r"format_version 1 or older.*Received: 2"),
        ('{"format_version": 1, "a": {"value": 1}}', r"expected the keys .* for metric 'a'"),
    ],
)
def test_unreadable_files(tmp_path, text, message):
    path = tmp_path / "m.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_metrics(path)


def test_old_names_are_read_as_the_new_ones(tmp_path):
    path = write_metrics(tmp_path / "metrics.json", {"nonfinite_samples_at_cosmologies": Metric(3, floor=0)})
    assert read_metrics(path) == {"unusable_samples_at_cosmologies": Metric(3, floor=0)}
