"""The report card of two runs: a Glow and HIFlow on the same small files."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from higlow_tf.cli.evaluate import _names
from higlow_tf.data.lognormal import write_lognormal
from higlow_tf.errors import InputWarning
from higlow_tf.inference.cache import AnswerCache
from higlow_tf.models import ConditionalGlow, HIFlow, load_model, save_model

TRAIN = ("--epochs", "1", "--batch-size", "16")
FEW = ("--posterior-maps", 4, "--cosmologies", 2, "--maps-per-cosmology", 3)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """40 simulations x 2 maps of 16 x 16 pixels: eight simulations to test."""
    folder = tmp_path_factory.mktemp("suite")
    maps, params = write_lognormal(folder, simulations=40, map_size=16, maps_per_simulation=2, seed=0)
    return "--maps", maps, "--params", params


@pytest.fixture(scope="module")
def runs(higlow, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for name, preset, options in (("glow", "tiny", ()), ("maf", "hiflow16", ("--set", "model.width=16"))):
        result = higlow("train", "--preset", preset, *data, "--out", folder / name, *TRAIN, *options)
        assert result.exit_code == 0, result.stderr
    return folder / "glow", folder / "maf"


@pytest.fixture(scope="module")
def evaluated(higlow, data, runs, tmp_path_factory):
    """The folder of an evaluation of the first run beside the second, and what the command printed."""
    out = tmp_path_factory.mktemp("evaluation") / "glow"
    return out, higlow("evaluate", runs[0], *data, "--compare", runs[1], *FEW, "--out", out)


def test_runs_of_one_name_are_told_apart():
    names = _names([Path(run) for run in ("x/a", "y/a", "z/a_1", "z/a_1_1", "b")])
    assert len(set(names)) == 5
    assert names[2:] == ["a_1", "a_1_1", "b"]


def numbers(out, name="metrics.json"):
    return json.loads((out / name).read_text())


def test_everything_is_measured_of_both_runs(evaluated, runs):
    out, result = evaluated
    assert result.exit_code == 0, result.stderr
    assert isinstance(load_model(runs[1]), HIFlow)
    for name in ("metrics.json", "metrics_maf.json"):
        metrics = numbers(out, name)
        for key in (
            "nll_nats_per_pixel", "power_r2_median", "power_correlation_mean_difference", "classifier_auc",
            "classifier_trees_auc",
            "peaks_worst_deviation", "bispectrum_squeezed_worst_deviation", "minkowski_euler_worst_deviation",
            "texture_worst_deviation", "pixel_tail_ratio_above", "nearest_training_distance_ratio",
            "symmetry_defect_nats_per_pixel", "rmse_sigma_8", "coverage_68", "pull2",
        ):  # fmt: skip
            assert np.isfinite(metrics[key]["value"]), key
        assert metrics["classifier_auc"]["floor"] is not None
    difference = numbers(out)["nll_difference_nats_per_pixel"]["value"]
    one, two = (numbers(out, name)["nll_nats_per_pixel"]["value"] for name in ("metrics.json", "metrics_maf.json"))
    assert difference == pytest.approx(one - two, abs=1e-9)


def test_the_page_begins_with_maps_and_holds_every_figure(evaluated, runs):
    out, _ = evaluated
    page = (out / "report.html").read_text()
    order = [
        ">Simulated and generated maps</h2>",
        ">Power spectra</h2>",
        "Power spectrum, log10",
        "Power spectra at single cosmologies",
        ">Posteriors</h2>",
        "Predicted against true",
        ">Verdict</h2>",
        "checks pass",
        "Density minus that of maf",
        ">All runs</h2>",
        ">Other statistics</h2>",
        ">Training</h2>",
        ">Provenance</h2>",
    ]
    places = [page.index(text) for text in order]
    assert places == sorted(places)
    contents = page[page.index("<nav") : page.index("</nav>")]
    assert contents.count("<a ") == page.count("<h2 ")
    assert 5 <= page.count("<details") <= 8
    pictures = {path.stem for path in out.glob("*.png")}
    assert pictures == {path.stem for path in out.glob("*.pdf")}
    assert page.count("<img ") == len(pictures)
    assert {"maps", "power_log10", "posteriors", "nearest", "texture", "runs_power_log10", "runs_pixels"} <= pictures
    assert f"higlow evaluate {runs[0]} --maps" in page[page.index("command") :]
    assert f"--compare {runs[1]} --cosmologies 2 --maps-per-cosmology 3 --posterior-maps 4 --seed 0 --out {out}" in page
    assert "http" not in page.replace("http-equiv", "")  # opens without a network


@pytest.mark.slow
def test_a_second_page_asks_no_model(evaluated, higlow, data, runs, monkeypatch):
    out, _ = evaluated
    before = numbers(out)

    def must_not_be_called(*_arguments, **_options):
        raise AssertionError("a model was asked again")

    for model in (ConditionalGlow, HIFlow):
        for verb in ("log_prob", "log_prob_by_level", "decode", "encode", "density_by_level"):
            monkeypatch.setattr(model, verb, must_not_be_called)
    result = higlow("evaluate", runs[0], *data, "--compare", runs[1], *FEW, "--out", out, "--overwrite")
    assert result.exit_code == 0, result.stderr
    assert numbers(out) == before


def test_a_damaged_cache_is_computed_again(runs, tmp_path):
    cache, answers = AnswerCache(tmp_path, load_model(runs[0])), iter([np.arange(3.0), np.arange(4.0)])
    assert len(cache.array("log_prob", [1], lambda: next(answers))) == 3
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.warns(InputWarning, match="is damaged"):
        assert len(cache.array("log_prob", [1], lambda: next(answers))) == 4
    assert len(cache.array("log_prob", [1], lambda: next(answers))) == 4
    with pytest.raises(StopIteration):  # another model, or another question, is not answered from it
        AnswerCache(tmp_path, load_model(runs[1])).array("log_prob", [1], lambda: next(answers))


@pytest.mark.slow
def test_another_file_and_samples_that_are_not_finite(higlow, runs, tmp_path, monkeypatch):
    """The count stands on top of the page; what needs the training maps is not measured, and the page says why."""
    maps, params = write_lognormal(tmp_path, simulations=5, map_size=16, maps_per_simulation=2, seed=9)
    decode = ConditionalGlow.decode

    def with_a_hole(self, z, theta):
        drawn = decode(self, z, theta).numpy()
        drawn[0, 3, 3] = np.nan
        return SimpleNamespace(numpy=lambda: drawn)

    monkeypatch.setattr(ConditionalGlow, "decode", with_a_hole)
    out = tmp_path / "out"
    few = ("--posterior-maps", 0, "--cosmologies", 2, "--maps-per-cosmology", 2, "--map-classifier")
    result = higlow("evaluate", runs[0], "--maps", maps, "--params", params, *few, "--out", out)
    assert result.exit_code == 0, result.stderr
    assert numbers(out)["nonfinite_samples"]["value"] == 1
    page = (out / "report.html").read_text()
    alert = "1 of 10 generated maps, and 1 of those at single cosmologies, have pixels that are not finite"
    assert page.index(alert) < page.index("checks pass")
    assert 0 <= numbers(out)["classifier_maps_auc"]["value"] <= 1
    assert "Map classifier" in page
    assert "--posterior-maps 0 --map-classifier --seed 0" in page
    assert numbers(out)["unusable_samples"]["value"] == numbers(out)["unusable_samples_at_cosmologies"]["value"] == 1
    # One of two maps is too few for the first of the two cosmologies, and the page says so.
    left_out = page[page.index("Not measured") :]
    assert left_out.count("P(k) at simulation") == 1
    assert "there are 2 simulated and 1 generated ones" in left_out
    assert "the file is not the one that the model was trained on" in page[page.index("Not measured") :]
    assert "nearest_training_distance_ratio" not in numbers(out)


def test_a_model_of_other_maps_cannot_be_compared(higlow, data, runs, tmp_path):
    other = HIFlow.from_preset("hiflow16", map_size=8, width=4)
    save_model(other, tmp_path / "other")
    result = higlow("evaluate", runs[0], *data, "--compare", tmp_path / "other", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "expected a model of 16 pixels a side" in result.stderr
    assert not (tmp_path / "out").exists()
