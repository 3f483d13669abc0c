"""The demo and the benchmark, at the smallest size."""

import contextlib
import io
import json
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest

from higlow_tf.cli.demo import DemoSize, run_demo

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:TensorFlow finds no GPU:higlow_tf.errors.InputWarning"),
    pytest.mark.filterwarnings(
        "ignore:power_response. no error bar:higlow_tf.errors.InputWarning"
    ),  # 8 test simulations
]

DOCS = Path(__file__).parents[2] / "docs"
MAPS_OF_THE_DEMO = 600


class Smallest(DemoSize):
    simulations = 40
    map_size = 16
    preset = "tiny"
    num_levels = 2
    num_samples = 3
    calibration_maps = 2
    grid_points_per_axis = 8
    epochs = 1


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The folder of a demo in that of a clone, and what it has said."""
    out = tmp_path_factory.mktemp("clone") / "higlow_demo"
    with contextlib.redirect_stdout(io.StringIO()) as said:
        run_demo(Smallest, out, minutes=5.0, seed=0)
    return SimpleNamespace(path=out, said=said.getvalue())


def test_demo_ends_with_a_report(demo):
    page = (demo.path / "report.html").read_text()
    titles = (
        ">Simulated and generated maps</h2>",
        "Power spectrum",
        ">Posteriors</h2>",
        "Predicted against true",
        "Coverage",
        ">Verdict</h2>",
        "checks pass",
        "Posteriors before repair",
        ">Training</h2>",
        ">Provenance</h2>",
    )
    positions = [page.index(title) for title in titles]
    assert positions == sorted(positions)
    assert (demo.path / "saved_model" / "1" / "saved_model.pb").is_file()
    assert str(demo.path.resolve() / "report.html") in demo.said.splitlines()[-1]


# Ray warns of its own settings; its threads and sockets are closed when it ends, not when a test does.
@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:ray",
    "ignore::FutureWarning:ray",
    "ignore::UserWarning:ray",
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)
def test_the_batch_jobs_of_the_docs_run_on_the_maps_of_the_demo(demo, higlow, monkeypatch):
    pytest.importorskip("ray", reason='the extra "batch" is missing')
    import pyarrow.parquet as pq

    monkeypatch.chdir(demo.path.parent)
    lines = [line.strip() for line in (DOCS / "batch.md").read_text().splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("higlow batch higlow_demo/")]
    assert [words[words.index("--task") + 1] for words in commands] == ["log_prob", "posterior", "sample", "log_prob"]
    for words in commands:
        result = higlow(*words)
        assert result.exit_code == 0, result.stderr
        assert "Estimate: 600 rows left" in result.stdout
        rows = pq.read_table(Path(words[words.index("--out") + 1]) / "parts")
        assert len(rows) == MAPS_OF_THE_DEMO
        assert rows["inside_prior"].to_pylist() == [True] * MAPS_OF_THE_DEMO
        if "covariance" in rows.column_names:
            assert rows["covariance"].null_count == 0


def test_benchmark_measures_each_task_alone(higlow, tmp_path, capfd):
    result = higlow("benchmark", "--preset", "tiny", "--batch", "4", "--json", tmp_path / "speed.json")
    assert result.exit_code == 0, result.stderr
    assert "--peer benchmarks/compare_with_peers.py" in result.stdout
    assert capfd.readouterr().err == "", "the processes that measure are quiet"
    rows = json.loads((tmp_path / "speed.json").read_text())["rows"]
    assert [row["task"] for row in rows] == ["train", "log_prob", "sample", "posterior"]
    for row in rows:
        assert row["cpu_s"]["min"] <= row["cpu_s"]["median"] <= row["cpu_s"]["max"]
        assert 0.0 < row["share_of_limit"] < 1.0
        assert all(row[name] > 0 for name in ("maps_per_s", "compile_cpu_s", "peak_mib"))


def test_an_estimate_is_said_before_a_run(higlow):
    options = ("--map-size", "8", "--batch", "4", "--maps", "100", "--set", "training.jit_compile=false")
    result = higlow("estimate", "tiny", *options)
    assert result.exit_code == 0, result.stderr
    assert "17 steps of 4 maps" in result.stdout
    assert higlow("estimate", "tinny").exit_code == 2
