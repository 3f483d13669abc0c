"""The demo and the benchmark, at the smallest size."""

import json

import pytest

from higlow_tf.cli.demo import DemoSize, run_demo

pytestmark = pytest.mark.slow


class Smallest(DemoSize):
    simulations = 40
    map_size = 16
    preset = "tiny"
    num_levels = 2
    num_samples = 3
    calibration_maps = 2
    grid_points_per_axis = 8
    epochs = 1


def test_demo_ends_with_a_report(tmp_path, capsys):
    out = tmp_path / "demo"
    run_demo(Smallest, out, minutes=5.0, seed=0)
    page = (out / "report.html").read_text()
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
    assert (out / "saved_model" / "1" / "saved_model.pb").is_file()
    assert str(out.resolve() / "report.html") in capsys.readouterr().out.splitlines()[-1]


def test_benchmark_measures_each_task_alone(higlow, tmp_path, capfd):
    result = higlow("benchmark", "--preset", "tiny", "--batch", "4", "--json", tmp_path / "speed.json")
    assert result.exit_code == 0, result.stderr
    assert "--peer benchmarks/compare_with_torch.py" in result.stdout
    assert capfd.readouterr().err == "", "the processes that measure are quiet"
    tasks = json.loads((tmp_path / "speed.json").read_text())["tasks"]
    assert set(tasks) == {"train", "log_prob", "sample"}
    assert all(number > 0 for task in tasks.values() for number in task.values())
