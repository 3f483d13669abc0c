"""The soak notices what it looks for, and its short version finds nothing."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from benchmarks.soak import kills
from benchmarks.soak.contents import contents_of, differences, digests_of, left_over, unreadable
from benchmarks.soak.damaged_files import _outcome
from benchmarks.soak.file_kinds import Reading
from benchmarks.soak.malformed import _is_marked
from benchmarks.soak.program import Answer, wrong_refusal
from benchmarks.soak.request_strategies import SHAPES, good_request
from benchmarks.soak.schedule import read_rows
from benchmarks.soak.sizes import FULL, SHORT
from benchmarks.soak.table import table_of

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_a_short_soak_finds_nothing(tmp_path):
    command = [sys.executable, "-m", "benchmarks.soak", "--out", tmp_path / "soak", "--short", "--processes", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=3000)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = read_rows(tmp_path / "soak" / "rows.jsonl")
    assert {row["part"] for row in rows} == {"kills", "requests", "damage", "disk", "writers"}
    assert sum(len(row["kills"]) for row in rows if row["part"] == "kills") == sum(SHORT.kills.values())
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=3000)
    assert read_rows(tmp_path / "soak" / "rows.jsonl") == rows, "a soak that has ended does nothing more"
    assert "No faults." in again.stdout


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(2, "", "run/split.json: expected a split. Received: nothing.\n"), None),
        (Answer(2, "", "Warning: old\nrun/split.json: expected a split. Received: nothing.\n"), None),
        (Answer(1, "", "Unexpected KeyError: 'x'\n"), "exit code 1"),
        (Answer(0, "", ""), "exit code 0"),
        (Answer(2, "", "expected a split. Received: nothing.\n"), "does not name split.json"),
        (Answer(2, "", "split.json: expected a split.\nTraceback\n"), "2 lines"),
        (Answer(2, "", "split.json is broken.\n"), "does not say what was expected"),
        (Answer(2, "", "split.json: expected " + "x" * 1000), "characters"),
    ],
)
def test_a_refusal_is_one_sentence_that_names_the_file(answer, expected):
    found = wrong_refusal(answer, "split.json")
    assert found is None if expected is None else expected in found


def test_a_damaged_file_has_one_of_four_outcomes():
    whole = Reading(Answer(0, "3 maps", ""), {"maps": b"123"})
    warned = Answer(0, "3 maps", "Warning: last.npz is damaged; the one before is used.\n")
    assert _outcome(Reading(Answer(2, "", "last.npz: expected x. Received: y.\n"), {}), whole, "last.npz") == "refused"
    assert _outcome(whole, whole, "last.npz") == "immaterial"
    assert _outcome(Reading(warned, {"maps": b"12"}), whole, "last.npz") == "said aloud"
    assert _outcome(Reading(Answer(0, "3 maps", ""), {"maps": b"12"}), whole, "last.npz") == "not noticed"
    assert "exit code 1" in _outcome(Reading(Answer(1, "", "Unexpected"), {}), whole, "last.npz")


def write_results(folder, seconds, value):
    """A run in small: every format, with the time that it took and one number."""
    folder.mkdir()
    state = json.dumps({"epoch": 3, "elapsed_seconds": seconds, "history": [{"wall_minutes": seconds, "loss": 1.0}]})
    with zipfile.ZipFile(folder / "model.keras", "w") as archive:
        np.save(folder / "maps.npy", [1.0, value])
        archive.write(folder / "maps.npy", "weights.npy")
        archive.writestr("metadata.json", json.dumps({"date_saved": seconds}))
    model = np.frombuffer((folder / "model.keras").read_bytes(), np.uint8)
    np.savez(folder / "last.npz", state=state, weight=np.array([value]), best_model=model, sha256=str(seconds))
    (folder / "history.csv").write_text(f"epoch,loss,wall_minutes\n1,0.5,{seconds}\n")
    (folder / "metrics.json").write_text(json.dumps({"value": 1.0, "elapsed_seconds": seconds}))
    with h5py.File(folder / "posterior.h5", "w") as file:
        file["mean"] = [1.0, value]


def test_times_do_not_count_and_numbers_do(tmp_path):
    for name, seconds, value in (("one", 1.0, 2.0), ("two", 9.0, 2.0), ("three", 1.0, np.nextafter(2.0, 3.0))):
        write_results(tmp_path / name, seconds, value)
    one, two, three = (contents_of(tmp_path / name) for name in ("one", "two", "three"))
    assert len(one) == 6
    assert differences(one, two) == []
    assert differences(one, three) == ["last.npz", "maps.npy", "model.keras", "posterior.h5"]
    (tmp_path / "two" / "maps.npy").unlink()
    assert differences(one, contents_of(tmp_path / "two")) == ["maps.npy"]


def test_half_a_file_is_found(tmp_path):
    write_results(tmp_path / "run", 1.0, 2.0)
    assert unreadable(tmp_path / "run") == []
    for name in ("last.npz", "maps.npy", "metrics.json", "posterior.h5", "model.keras"):
        path = tmp_path / "run" / name
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        assert [found.split()[0] for found in unreadable(tmp_path / "run")] == [name]
        path.write_bytes(whole)
    (tmp_path / "run" / ".maps.7.part.npy").write_bytes(b"")
    assert left_over(tmp_path / "run") == [".maps.7.part.npy is left over"]
    assert unreadable(tmp_path / "run") == []
    assert ".maps.7.part.npy" not in digests_of(tmp_path / "run")


def test_the_rows_of_a_record_are_the_last_of_each_job(tmp_path):
    rows = [
        {"part": "disk", "case": "train", "number": 0, "fault": "exit code 1"},
        {"part": "disk", "case": "train", "number": 1, "fault": None},
        {"part": "disk", "case": "train", "number": 0, "fault": None},
    ]
    text = "\n".join(json.dumps(row) for row in rows)
    (tmp_path / "rows.jsonl").write_text(text + '\n{"part": "di')
    assert read_rows(tmp_path / "rows.jsonl") == [rows[2], rows[1]]


def test_each_command_gets_its_number_of_kills():
    jobs = kills.jobs(FULL)
    assert sum(job["length"] for job in jobs) == 58
    assert {name: sum(job["length"] for job in jobs if job["case"] == name) for name in FULL.kills} == FULL.kills
    assert len({(job["case"], job["number"]) for job in jobs}) == len(jobs)


def test_the_shapes_of_requests_are_those_of_an_exported_model():
    from higlow_tf.models import ConditionalGlow
    from higlow_tf.serving.signatures import _input_specs

    specs = _input_specs(ConditionalGlow.from_preset("tiny"), 2, None)
    for signature, shapes in SHAPES.items():
        assert list(shapes) == list(specs[signature])
        for name, value in good_request(signature).items():
            assert specs[signature][name].shape.is_compatible_with(value.shape)
            assert specs[signature][name].dtype == value.dtype


def test_a_row_is_marked_by_nan_or_by_its_prior():
    outputs = {
        "hi_map": np.array([[1.0, np.nan], [np.nan, np.nan], [1.0, 2.0]]),
        "inside_prior": np.array([True, True, False]),
    }
    assert [_is_marked(outputs, row) for row in range(3)] == [False, True, True]


def test_the_table_counts_kills_and_names_faults():
    well = {"part": "kills", "case": "train", "number": 0, "kills": [{"signal": "SIGKILL"}] * 2, "fault": None}
    bad = {"part": "kills", "case": "train", "number": 1, "kills": [{"signal": "SIGTERM"}], "fault": "differs: a"}
    table = table_of([well, bad])
    assert "| kills | train | 3 (2 SIGKILL, 1 SIGTERM) | 1 of 2 lives ended bitwise the same | 1 |" in table
    assert "- kills, train, 1: differs: a" in table
    assert "No faults." in table_of([well])
