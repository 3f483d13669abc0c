"""What a comparison has found so far: a file for each rival in one folder, all of the same maps and split."""

import json
from dataclasses import asdict

import numpy as np

from higlow_tf.diagnostics import paired_difference
from higlow_tf.errors import InputError
from higlow_tf.files import whole_path, write_json
from higlow_tf.text_files import read_json

__all__ = ["SETS", "has_row", "open_rows", "read_rows", "write_row"]

SETS = {"raw_": "one map, raw", "": "one map, repaired", "joint_": "all maps of a simulation, repaired"}
"""Kinds of posteriors, by the prefix of their metrics."""

_FOLDER, _PROBLEM = "rows", "problem.json"


def open_rows(out, problem):
    """Makes the folder of a comparison, or takes one of the same problem.

    Raises:
        InputError: If the folder is that of other maps, another split or other options.
    """
    path, config = out / _PROBLEM, problem.to_config()
    (out / _FOLDER).mkdir(parents=True, exist_ok=True)
    if path.exists():
        known = read_json(path, "the description of a comparison")
        different = sorted(name for name in config if known.get(name) != config[name])
        if different:
            raise InputError(
                f"{out}: expected a folder of the same comparison. Received: other {', '.join(different)}."
            )
    else:
        write_json(config, path)


def has_row(out, name):
    """Whether a rival is done."""
    return (out / _FOLDER / f"{name}.json").exists()


def write_row(out, name, title, facts, judgement, is_ours=False):
    """Writes what was found of a rival: numbers as JSON, and the gain of each test map as .npz.

    Args:
        out: Folder of the comparison.
        name: Of the row.
        title: In words.
        facts: Of the training.
        judgement: `Judgement`.
        is_ours: Whether others are compared with it.
    """
    with whole_path(out / _FOLDER / f"{name}.npz") as part, open(part, "wb") as file:
        np.savez(file, simulation=judgement.simulation, **_of_each_map(judgement))
    row = {
        "title": title,
        "is_ours": is_ours,
        "training": facts,
        "calibration": judgement.calibration.to_config(),
        "metrics": {key: _finite(asdict(metric)) for key, metric in judgement.metrics.items()},
    }
    write_json(row, out / _FOLDER / f"{name}.json")


def read_rows(out):
    """All rows by name, with the gain beside the first of ours as the metric `gain_difference_nats`, where there is one."""
    rows = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((out / _FOLDER).glob("*.json"), key=lambda path: path.stat().st_mtime)
    }
    ours = next((name for name, row in rows.items() if row["is_ours"]), None)
    if ours is not None:
        reference = _arrays(out, ours)
        for name, row in rows.items():
            if name != ours:
                difference = paired_difference(_arrays(out, name)["gain"], reference["gain"], reference["simulation"])
                row["metrics"]["gain_difference_nats"] = _finite(asdict(difference))
    return rows


def _arrays(out, name):
    with np.load(out / _FOLDER / f"{name}.npz", allow_pickle=False) as file:
        return dict(file)


def _of_each_map(judgement):
    single = judgement.sets[""]
    return {"mean": single.mean, "sd": single.sd, "truth": single.truth, "gain": single.scores.gain}


def _finite(metric):
    """JSON has no NaN."""
    return {key: None if value is None or not np.isfinite(value) else float(value) for key, value in metric.items()}
