"""The benchmark of the posterior of all maps of a simulation, with a stored calibration."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import maps_together
from higlow_tf.inference import Calibration
from tests.evaluation.test_calibrate import FirstPixels, maps_of


@pytest.fixture
def model(monkeypatch):
    model = FirstPixels()
    model.calibration = Calibration(tempering=0.9, map_correlation=0.2, parameters=("Omega_m", "sigma_8")).to_config()
    run = SimpleNamespace(model=model, data=lambda *_, **__: maps_of(12, 6, 4))
    monkeypatch.setattr(maps_together, "open_run", lambda _: run)
    return model


def arguments(folder, **others):
    named = {"maps": "MAPS.npy", "params": "PARAMS.txt", "keep": folder, **others}
    return ["RUN", *(text for name, value in named.items() for text in (f"--{name.replace('_', '-')}", str(value)))]


def test_whole_simulations_are_chosen():
    some = maps_together.some_simulations(maps_of(12, 6, 4), 5)
    np.testing.assert_array_equal(np.unique(some.simulation, return_counts=True), [[0, 3, 6, 8, 11], [4] * 5])
    assert maps_together.some_simulations(maps_of(3, 6, 4), 5).num_maps == 12


def test_the_table_has_single_maps_and_all_maps_of_a_simulation(model, tmp_path, capsys):
    asked = arguments(tmp_path / "kept", simulations=5, maps_per_simulation=3)
    assert maps_together.main(asked) == 0
    lines = capsys.readouterr().out.splitlines()
    header = next(line for line in lines if "together" in line)
    assert [cell.strip() for cell in header.split("|")[2:-1]] == [
        "one map, calibrated",
        "one map, raw",
        "3 maps together, calibrated",
        "3 maps together, raw",
    ]
    assert any(line.startswith("| pull2 |") for line in lines)
    # What is kept is not asked for again; a few rows tell the models of two calls apart.
    num_rows, model.num_rows = model.num_rows, 0
    assert maps_together.main(asked) == 0
    assert model.num_rows < 0.01 * num_rows
    with np.load(tmp_path / "kept" / "posteriors.npz") as kept:
        assert kept["gain"].shape == kept["simulation"].shape == (15,)
        printed = next(line for line in lines if line.startswith("| information_gain_nats |"))
        assert f"{kept['gain'].mean():.3g} " in printed.split("|")[2]


def test_a_run_without_calibration_is_refused(model, tmp_path, capsys):
    model.calibration = None
    assert maps_together.main(arguments(tmp_path / "kept")) == 2
    assert "Calibration" in capsys.readouterr().err
