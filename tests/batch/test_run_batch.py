"""Whole jobs on Ray: interrupted, continued, refused. One Ray for the module, and a tiny model."""

import json
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from higlow_tf.batch import TaskSettings, estimate_batch, plan_maps, plan_samples, run_batch
from higlow_tf.batch.job_folder import JobFolder
from higlow_tf.batch.part_writer import Record
from higlow_tf.batch.ray_session import ray_session
from higlow_tf.cli.app import app
from higlow_tf.errors import InputError
from higlow_tf.folder_lock import MARKER_FOLDER
from higlow_tf.ownership import owned_folder

# Ray warns of its own settings; its threads and sockets are closed when it ends, not when a test does.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:ray",
    "ignore::FutureWarning:ray",
    "ignore::UserWarning:ray",
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)
SETTINGS = TaskSettings("log_prob", part_rows=8)


@pytest.fixture(scope="module")
def ray_of_module():
    with ray_session(num_actors=1):
        yield


@pytest.fixture
def plan(served, files):
    return plan_maps(served.served, [files.glob], params=files.params)


@pytest.fixture
def higlow():
    def call(*arguments):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        return SimpleNamespace(code=result.exit_code, out=" ".join(result.stdout.split()), err=result.stderr)

    return call


def contents(folder):
    """Of the finished parts: an actor whose job was stopped may still be writing one, under a hidden name."""
    return {path.name: path.read_bytes() for path in (folder / "parts").glob("*.parquet")}


def test_a_job_that_is_stopped_and_continued_ends_with_the_same_bits(ray_of_module, served, plan, tmp_path):
    seen = []
    whole = run_batch(served.served, SETTINGS, plan, tmp_path / "whole", on_estimate=seen.append)
    assert (whole.counts.rows, whole.counts.nan_rows, whole.rows_now, whole.parts) == (31, 1, 31, 5)
    assert whole.complete
    assert whole.elapsed_seconds > 0.0
    assert (seen[0].rows, seen[0].rows_left) == (31, 31)
    assert seen[0].rows_per_actor_second > 0

    def stop(stage, done, total):
        if done >= 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_batch(served.served, SETTINGS, plan, tmp_path / "stopped", progress=stop)
    left = len(contents(tmp_path / "stopped"))
    assert left >= 2
    if left == 5:  # the actor was quicker than the stop
        next((tmp_path / "stopped" / "parts").glob("*.parquet")).unlink()
        left = 4
    again = run_batch(served.served, SETTINGS, plan, tmp_path / "stopped")
    assert again.parts_found >= left
    assert again.counts.rows == 31
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")
    nothing = run_batch(served.served, SETTINGS, plan, tmp_path / "stopped")
    assert (nothing.rows_now, nothing.parts_found, nothing.counts) == (0, 5, whole.counts)
    rows = pq.read_table(tmp_path / "stopped" / "parts")
    assert len({(row["file"], row["index_in_file"]) for row in rows.to_pylist()}) == len(rows) == 31
    assert json.loads((tmp_path / "stopped" / "summary.json").read_text())["rows"] == 31


@pytest.mark.slow
def test_a_damaged_part_is_computed_again_and_a_bad_file_is_skipped(ray_of_module, served, files, tmp_path):
    (files.folder / "c.npy").write_bytes(b"nothing")
    plan = plan_samples(served.served, from_prior=20, seed=1)
    settings = TaskSettings("sample", seed=1, part_rows=10)
    run_batch(served.served, settings, plan, tmp_path / "out")
    before = contents(tmp_path / "out")
    path = tmp_path / "out" / "parts" / sorted(before)[0]
    path.write_bytes(before[path.name][:100])
    assert run_batch(served.served, settings, plan, tmp_path / "out").parts_found == 1
    assert contents(tmp_path / "out") == before


def test_the_command_speaks_of_cost_rows_and_what_was_left_out(ray_of_module, higlow, served, files, tmp_path):
    (files.folder / "c.npy").write_bytes(b"nothing")
    words = ["batch", served.path, "--task", "posterior", "--maps", files.glob, "--out", tmp_path / "out"]
    refused = higlow(*words)
    assert refused.code == 2
    assert "c.npy" in refused.err
    assert not (tmp_path / "out").exists()
    answer = higlow(*words, "--skip-bad", "--points", 4)
    assert answer.code == 0, answer.err
    assert "Estimate: 31 rows left" in answer.out
    assert "31 rows in 2 parts" in answer.out
    assert "Rows that are NaN: 1" in answer.out
    assert "Left out: 1 files" in answer.out
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert list(summary["skipped"]) == [str(files.folder / "c.npy")]
    assert not summary["complete"]
    assert np.load(tmp_path / "out" / "theta_grid.npy").shape == (16, 2)
    other = higlow(*words, "--skip-bad", "--points", 5)
    assert other.code == 2
    assert "expected a job with points_per_axis 4" in other.err


@pytest.mark.slow
def test_another_job_replaces_only_what_higlow_wrote(ray_of_module, served, plan, tmp_path):
    out = tmp_path / "out"
    (out / "parts").mkdir(parents=True)
    (out / "parts" / "thesis.txt").write_text("years")
    run_batch(served.served, SETTINGS, plan, out)
    first = contents(out)
    other = TaskSettings("log_prob", part_rows=20)
    with pytest.raises(InputError, match="expected a job with part_rows 8, .*or --overwrite. Received: part_rows 20"):
        run_batch(served.served, other, plan, out)
    assert contents(out) == first
    gone = replace(served.served, path=str(tmp_path / "gone"))
    with pytest.raises(InputError, match="expected a SavedModel"):
        run_batch(gone, other, plan, out, overwrite=True)
    assert contents(out) == first, "nothing is removed for a job that does not run"
    run_batch(served.served, other, plan, out, overwrite=True)
    now = contents(out)
    assert now.pop("thesis.txt") == b"years"
    assert len(now) == 2


def test_an_estimate_writes_nothing(ray_of_module, served, plan, tmp_path):
    estimate = estimate_batch(served.served, SETTINGS, plan, tmp_path / "out")
    assert estimate.rows_left == 31
    assert estimate.seconds * estimate.num_actors == pytest.approx(estimate.core_seconds)
    assert not (tmp_path / "out").exists()


def test_files_that_have_changed_are_not_mixed_with_earlier_rows(served, files, plan, tmp_path):
    out = tmp_path / "out"
    parts = plan.parts(served.served, SETTINGS)
    with owned_folder(out, "batch") as owned:
        JobFolder(owned, out, served.served, SETTINGS, parts).check(overwrite=False)
        (out / "parts").mkdir()
        (out / "parts" / parts[0].name).write_bytes(b"")
    np.save(files.folder / "a.npy", files.maps[:20] * np.float32(2))
    changed = plan_maps(served.served, [files.glob], params=files.params)
    with pytest.raises(InputError, match=r"as they are now .*Received: log_prob_a\.npy_00000000-00000008"):
        run_batch(served.served, SETTINGS, changed, out)


@pytest.mark.parametrize("out", ["s3://bucket/out", Path("s3://bucket/out")])
def test_an_address_is_no_folder(served, plan, out):
    for call in (run_batch, estimate_batch):
        with pytest.raises(InputError, match=r"^s3:.*expected a folder .*Received: an address"):
            call(served.served, SETTINGS, plan, out)
    assert not Path("s3:").exists()


def test_a_part_of_somebody_else_is_not_replaced(served, plan, tmp_path):
    out = tmp_path / "out"
    (out / "parts").mkdir(parents=True)
    name = plan.parts(served.served, SETTINGS)[2].name
    (out / "parts" / name).write_text("years")
    with pytest.raises(InputError, match="Received: one of somebody else"):
        run_batch(served.served, SETTINGS, plan, out)
    assert (out / "parts" / name).read_text() == "years"


def test_a_folder_that_only_the_actors_see_is_refused(served, plan, tmp_path):
    parts = plan.parts(served.served, SETTINGS)
    with owned_folder(tmp_path, "batch") as owned:
        folder = JobFolder(owned, tmp_path, served.served, SETTINGS, parts)
        with pytest.raises(InputError, match="expected a folder that all machines of the cluster share"):
            folder.check_arrived(Record(0, rows=8))
        folder.check_arrived(Record(0, problem="input", sentence="unreadable"))
    assert not (tmp_path / MARKER_FOLDER / "owner.json").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--task", "log_prob"], "--maps: expected files of maps with --task log_prob. Received: none."),
        (["--task", "log_prob", "--maps", "none.npy"], "--maps: expected a path or glob of existing files."),
        (["--task", "sample", "--maps", "x.npy"], "--maps: expected none with --task sample"),
        (["--task", "sample"], "sample: expected either --params or --from-prior. Received: none."),
        (
            ["--task", "posterior", "--maps", "x.npy", "--params", "p.txt"],
            "--params: expected none with --task posterior",
        ),
        (["--task", "posterior", "--maps", "x.npy", "--count", "2"], "--from-prior, --count: expected none"),
    ],
)
def test_wrong_options_are_one_sentence(higlow, served, tmp_path, words, sentence):
    answer = higlow("batch", served.path, *words, "--out", tmp_path / "out")
    assert answer.code == 2
    assert sentence in answer.err
    assert not (tmp_path / "out").exists()


def test_ray_leaves_the_handler_of_sigterm_alone(ray_of_module):
    assert "ray" not in (getattr(signal.getsignal(signal.SIGTERM), "__module__", None) or "")


def test_without_the_extra_there_is_one_sentence(higlow, served, tmp_path, monkeypatch):
    import importlib.util
    import sys

    monkeypatch.setattr(importlib.util, "find_spec", lambda name, package=None: None)
    for name in [name for name in sys.modules if name.startswith("higlow_tf.batch")]:
        monkeypatch.delitem(sys.modules, name)
    answer = higlow("batch", served.path, "--task", "sample", "--from-prior", 2, "--out", tmp_path / "out")
    assert answer.code == 2
    assert 'pip install "higlow_tf[batch]"' in answer.err
