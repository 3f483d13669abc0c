"""higlow reproduce-paper: what it refuses, how it goes on, and the page that it ends with."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import typer

from higlow_tf.cli import reproduce_paper as command
from higlow_tf.data.lognormal import write_lognormal
from higlow_tf.diagnostics import read_metrics
from higlow_tf.errors import InputError
from higlow_tf.models import ConditionalGlow
from higlow_tf.ownership import owned_folder
from higlow_tf.reports.paper_page import PAPER, _other_maps, power_r2_of_linear_power

CHOICES = {
    "maps": None, "params": None, "map_size": None, "run": None,
    "preset": None, "max_minutes": None, "simulations": None, "seed": 0,
}  # fmt: skip


class Smallest(command.PaperSize):
    preset = "tiny"
    max_minutes = 5.0
    maps_per_simulation = 1
    num_posteriors = 4
    epochs = 1


@pytest.fixture(scope="module")
def own_files(tmp_path_factory):
    """40 simulations x 15 maps of 16 x 16 pixels, named as the file of the paper."""
    folder = tmp_path_factory.mktemp("paper_data")
    maps, params = write_lognormal(folder, simulations=40, map_size=16, maps_per_simulation=15, seed=0)
    return {
        "maps": str(maps.rename(folder / "Images_HI_IllustrisTNG_z=5.99.npy")),
        "params": str(params.rename(folder / "params_LH_IllustrisTNG.txt")),
    }


@pytest.fixture
def fake_training(monkeypatch):
    """Training that only leaves a checkpoint; the list of how it was called, and whether it is to be interrupted."""
    state = SimpleNamespace(calls=[], is_interrupted=False)

    def train_with_progress(config, out, *, resume=False):
        state.calls.append((out.name, resume))
        (out / "checkpoints").mkdir(parents=True, exist_ok=True)
        (out / "checkpoints" / "last.npz").touch()
        if state.is_interrupted:
            raise typer.Exit(130)

    monkeypatch.setattr(command, "train_with_progress", train_with_progress)
    monkeypatch.setattr(
        "higlow_tf.runs.RunDirectory.open", lambda self: (SimpleNamespace(name="config"), {}), raising=True
    )
    return state


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--maps", "maps.npy"), "Expected --maps and --params together, or neither. Received: one of them."),
        (("--params", "params.txt"), "Expected --maps and --params together, or neither. Received: one of them."),
        (("--run", "run", "--preset", "paper"), "Expected --run, or --preset and --max-minutes for a new run"),
        (
            ("--maps", "maps.npy", "--params", "params.txt", "--simulations", "50"),
            "Expected --simulations without --maps. Received: both.",
        ),
    ],
)
def test_options_that_contradict_each_other_are_refused(higlow, tmp_path, options, sentence):
    result = higlow("reproduce-paper", "--out", tmp_path / "paper", *options)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert not (tmp_path / "paper").exists()


def prepare(out, choices, overwrite=False):
    with owned_folder(out, "reproduction", resume=True) as folder:
        command._prepare(folder, out, choices, overwrite)


def test_a_folder_belongs_to_one_choice_of_options(tmp_path):
    prepare(tmp_path / "paper", CHOICES)
    prepare(tmp_path / "paper", CHOICES)
    with pytest.raises(InputError, match=r"continued \(preset: None\).*--overwrite. Received: preset: paper"):
        prepare(tmp_path / "paper", CHOICES | {"preset": "paper"})
    prepare(tmp_path / "paper", CHOICES | {"preset": "paper"}, overwrite=True)
    assert json.loads((tmp_path / "paper" / "reproduction.json").read_text())["preset"] == "paper"


def test_a_folder_with_other_results_is_left_alone(tmp_path):
    (tmp_path / "report.html").write_text("a page")
    with pytest.raises(InputError, match="expected a folder without results, or --overwrite"):
        prepare(tmp_path, CHOICES)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_training_that_was_interrupted_goes_on_and_a_complete_one_is_kept(tmp_path, fake_training):
    arguments = (Smallest, tmp_path, CHOICES, tmp_path / "maps.npy", tmp_path / "params.txt")
    fake_training.is_interrupted = True
    with pytest.raises(typer.Exit):
        command._trained_run(*arguments)
    assert not (tmp_path / "run").exists()
    fake_training.is_interrupted = False
    assert command._trained_run(*arguments) == tmp_path / "run"
    assert fake_training.calls == [("run.unfinished", False), ("run.unfinished", True)]
    assert command._trained_run(*arguments) == tmp_path / "run"
    assert len(fake_training.calls) == 2


def test_r2_of_linear_power_is_ruled_by_the_largest_scales():
    """Spectra of 100 and 1: the first bin 10 % off, and the second one tenfold; the closed forms of both."""
    real = np.log10([[100.0, 1.0], [100.0, 1.0]])
    generated = np.log10([[110.0, 1.0], [100.0, 10.0]])
    found = power_r2_of_linear_power(SimpleNamespace(real_log10_power=real, generated_log10_power=generated))
    np.testing.assert_allclose(found, 1 - np.array([10.0, 9.0]) ** 2 / (2 * 49.5**2))


@pytest.mark.parametrize(
    ("suite", "redshift", "words"),
    [
        ("IllustrisTNG", 5.99, ""),
        ("MockUniformUV", 6.0, "These maps are of the suite MockUniformUV at redshift 6.0."),
        ("IllustrisTNG", 0.0, "at redshift 0.0."),
        (None, None, "the suite (not named) at redshift (not named)."),
    ],
)
def test_the_page_says_where_maps_are_not_those_of_the_paper(suite, redshift, words):
    found = _other_maps(SimpleNamespace(suite=suite, redshift=redshift))
    assert words in found
    assert bool(found) is bool(words)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:TensorFlow finds no GPU:higlow_tf.errors.InputWarning")
@pytest.mark.filterwarnings("ignore:power_response. no error bar:higlow_tf.errors.InputWarning")  # 8 test simulations
def test_the_paper_from_its_own_file_in_two_calls(own_files, tmp_path, monkeypatch, capsys):
    make_compiled = ConditionalGlow._make_compiled
    monkeypatch.setattr(ConditionalGlow, "_make_compiled", lambda self, jit_compile: make_compiled(self, False))
    out, choices = tmp_path / "paper", CHOICES | own_files

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(command, "calibrate_with_progress", interrupted)
        with pytest.raises(KeyboardInterrupt):
            command.run_reproduction(Smallest, out, choices)
    with monkeypatch.context() as patch:
        patch.setattr(command, "train_with_progress", interrupted)
        command.run_reproduction(Smallest, out, choices)
    page = (out / "report.html").read_text()
    titles = (
        "Beside the paper",
        "Fig. 2A",
        "Fig. 2B",
        "Fig. 2C",
        "Fig. 3A",
        "Fig. 3B",
        "Where this differs",
        "Provenance",
    )
    positions = [page.index(title) for title in titles]
    assert positions == sorted(positions)
    assert "test simulations of the file that was trained on" in page
    assert "Not the maps of the paper" not in page  # by their name, they are
    for quoted in PAPER.values():
        assert f"{quoted:.3f}" in page
    metrics = read_metrics(out / "metrics.json")
    assert set(PAPER) <= set(metrics)
    assert metrics["rmse_Omega_m"].error > 0
    figures = {path.name[:6] for path in (out / "figures").glob("*.pdf")}
    assert {"fig_2a", "fig_2b", "fig_2c", "fig_3a", "fig_3b"} <= figures
    assert str(out.resolve() / "report.html") in capsys.readouterr().out.splitlines()[-1]
