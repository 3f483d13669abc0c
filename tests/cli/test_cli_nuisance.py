"""The whole way of a model that is given more parameters than one asks for: train, sample, evaluate, a second stage."""

import shutil
import types
import warnings
from dataclasses import replace

import h5py
import numpy as np
import pytest
from smallest_model import SETTINGS, SMALLEST

from higlow_tf.errors import InputError, InputWarning
from higlow_tf.evaluation import EvaluationOptions, evaluate_model
from higlow_tf.evaluation.judged_maps import theta_to_draw_at
from higlow_tf.evaluation.verdict import verdict_rows
from higlow_tf.models import ConditionalGlow, load_model
from higlow_tf.reports import write_evaluation
from higlow_tf.runs import open_run, read_run_config, train

NAMES = ("A_SN1", "Omega_m", "sigma_8", "A_AGN1")
ORDER = ["Omega_m", "sigma_8", "A_SN1", "A_AGN1"]
SHORT = ("--epochs", 1, "--batch-size", 16)
FEW = EvaluationOptions(num_cosmologies=2, maps_per_cosmology=4, num_posteriors=2)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """20 simulations x 4 maps of 16 x 16 pixels; a table of four columns."""
    folder, rng = tmp_path_factory.mktemp("files"), np.random.default_rng(0)
    np.save(folder / "maps.npy", (10.0 ** rng.normal(6.5, 0.4, (80, 16, 16))).astype("f4"))
    theta = rng.uniform([0.3, 0.1, 0.6, 0.3], [3.9, 0.5, 1.0, 3.9], (20, 4)).round(4)
    np.savetxt(folder / "params.txt", theta, header=" ".join(NAMES))
    np.savetxt(folder / "two.txt", theta[:, 1:3], header="Omega_m sigma_8")
    np.savetxt(folder / "three.txt", theta[:, :3], header="A_SN1 Omega_m sigma_8")
    return folder


@pytest.fixture(scope="module")
def trained(higlow, files, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "run"
    data = ("--maps", files / "maps.npy", "--params", files / "params.txt")
    return run, higlow("train", "--preset", "tiny", *data, "--nuisance", "all", *SHORT, *SETTINGS, "--out", run)


@pytest.fixture(scope="module")
def run(trained):
    return trained[0]


@pytest.fixture(scope="module")
def model(run):
    return load_model(run)


def test_a_run_says_what_is_asked_for_and_what_is_drawn(trained, model):
    run, result = trained
    assert result.exit_code == 0, result.stderr
    assert "conditioned on Omega_m, sigma_8, A_SN1, A_AGN1; preset tiny" in result.stdout
    assert (
        "Asked for: Omega_m, sigma_8. Drawn from their prior where they are not given: A_SN1, A_AGN1." in result.stdout
    )
    assert list(model.parameters.names) == ORDER
    assert model.nuisance == ("A_SN1", "A_AGN1")
    assert read_run_config(run / "config.yaml").data.nuisance == "all"
    opened = open_run(run)
    assert opened.data("test").parameters == model.parameters
    assert np.isfinite(model.log_prob(opened.data("test").maps, opened.data("test").theta)).all()


def test_a_run_from_names_without_and_with_a_missing_column(files, run, tmp_path):
    data = {"maps": files / "maps.npy", "params": files / "params.txt", "preset": "tiny", "settings": SMALLEST}
    named = train(**data, epochs=1, batch_size=16, nuisance=["A_AGN1"], end_layers=False, out=tmp_path / "named")
    assert named.model.parameters.names == ("Omega_m", "sigma_8", "A_AGN1")
    assert named.model.nuisance == ("A_AGN1",)
    with pytest.raises(InputError, match=r"two\.txt has the columns .*Received: 'A_AGN1'"):
        train(**data | {"params": files / "two.txt"}, nuisance=["A_AGN1"], out=tmp_path / "missing")
    assert not (tmp_path / "missing").exists()


def test_a_run_is_continued_and_a_second_stage_starts_from_it(higlow, files, run, model, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(run, out)
    result = higlow("train", "--resume", "--out", out, "--epochs", 2)
    assert result.exit_code == 0, result.stderr
    assert "Asked for: Omega_m, sigma_8." in result.stdout
    assert higlow("train", "--resume", "--out", out, "--nuisance", "none").exit_code == 2
    second = higlow("train", "--stage", "posterior", "--from", run, *SHORT, "--out", tmp_path / "second")
    assert second.exit_code == 0, second.stderr
    for folder in (out, tmp_path / "second"):
        assert load_model(folder).nuisance == model.nuisance
        assert load_model(folder).parameters == model.parameters


def test_samples_of_the_command_line_are_those_of_the_model(higlow, run, model, tmp_path):
    point = ("--omega-m", 0.3, "--sigma-8", 0.8, "--count", 6, "--seed", 4)
    result = higlow("sample", run, *point, "--out", tmp_path / "samples.h5")
    assert result.exit_code == 0, result.stderr
    assert "Drawn from their prior, for each map: A_SN1, A_AGN1" in result.stdout
    theta = model.complete_theta({"Omega_m": 0.3, "sigma_8": 0.8}, 6, 4)
    with h5py.File(tmp_path / "samples.h5") as file:
        np.testing.assert_array_equal(file["theta"], theta)
        assert list(file.attrs["parameters"]) == ORDER
        np.testing.assert_allclose(file["maps"], model.sample(theta, seed=4), rtol=1e-4)
    assert len(np.unique(theta[:, 2])) == 6
    again = higlow("sample", run, "--theta", "0.3,0.8", "--count", 6, "--seed", 4, "--out", tmp_path / "again.h5")
    assert again.exit_code == 0, again.stderr
    with h5py.File(tmp_path / "samples.h5") as one, h5py.File(tmp_path / "again.h5") as other:
        np.testing.assert_array_equal(one["maps"], other["maps"])
    whole = higlow("sample", run, "--theta", "0.3,0.8,1,2", "--out", tmp_path / "whole.h5")
    assert whole.exit_code == 0, whole.stderr
    assert "Drawn from" not in whole.stdout
    with h5py.File(tmp_path / "whole.h5") as file:
        np.testing.assert_array_equal(file["theta"], [[0.3, 0.8, 1.0, 2.0]])


def test_a_table_may_lack_nuisance_columns_and_no_others(higlow, files, run, model, tmp_path):
    result = higlow("sample", run, "--params", files / "three.txt", "--count", 2, "--out", tmp_path / "samples.h5")
    assert result.exit_code == 0, result.stderr
    assert "Drawn from their prior, for each map: A_AGN1" in result.stdout
    rows = np.repeat(np.loadtxt(files / "three.txt"), 2, axis=0)
    with h5py.File(tmp_path / "samples.h5") as file:
        np.testing.assert_array_equal(file["theta"][:, :3], rows[:, [1, 2, 0]])
        assert len(np.unique(file["theta"][:, 3])) == 40
    np.savetxt(tmp_path / "one.txt", rows[:, :1], header="A_SN1")
    result = higlow("sample", run, "--params", tmp_path / "one.txt", "--out", tmp_path / "none.h5")
    assert result.exit_code == 2
    assert "one.txt has the columns ['A_SN1']" in result.stderr


@pytest.mark.parametrize("options", [("--omega-m", 0.3), ("--sigma-8", 0.8), ("--theta", "0.3,0.8,1")])
def test_what_one_asks_for_must_be_given(options, higlow, run, tmp_path):
    result = higlow("sample", run, *options, "--out", tmp_path / "samples.h5")
    assert result.exit_code == 2
    assert f"{options[0]}" in result.stderr
    assert "expected" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_maps_for_judging_are_drawn_at_what_one_asks_for(run, model):
    theta = open_run(run).data("test").theta
    drawn = theta_to_draw_at(model, theta, 3)
    np.testing.assert_array_equal(drawn[:, :2], theta[:, :2])
    np.testing.assert_array_equal(drawn, model.complete_theta({"Omega_m": theta[:, 0], "sigma_8": theta[:, 1]}, seed=3))
    assert len(np.unique(drawn[:, 2])) == len(theta)


@pytest.fixture(scope="module")
def evaluated(run, model):
    """An evaluation, and the parameters at which it drew maps."""
    asked = []

    def record(self, theta, *arguments, **keywords):
        asked.append(np.asarray(theta))
        return ConditionalGlow.sample(self, theta, *arguments, **keywords)

    # The methods of the one model, so that no other test meets them.
    recorded = types.MethodType(record, model)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)  # of few simulations
        patch.setattr(model, "sample", recorded)
        return evaluate_model(model, open_run(run).data("test"), FEW), asked


@pytest.mark.slow
def test_a_report_card_draws_the_nuisance_and_judges_the_density_at_the_truth(evaluated, run, model, tmp_path):
    evaluation, (of_test_maps, of_cosmologies) = evaluated
    test = open_run(run).data("test")
    np.testing.assert_allclose(evaluation.log_prob, model.log_prob(test.maps, test.theta), rtol=1e-5)
    np.testing.assert_array_equal(of_test_maps, theta_to_draw_at(model, test.theta, 0))
    np.testing.assert_allclose(evaluation.generated, model.sample(of_test_maps, seed=0), rtol=1e-4)
    note = next(row.note for row in evaluation.verdict().rows if row.label == "Density")
    assert "at all 4 parameters of each map" in note
    page = write_evaluation(evaluation, tmp_path / "report")[0].read_text()
    assert "drew at the same Omega_m, sigma_8, with A_SN1, A_AGN1 drawn from their prior; they are not" in page
    assert "and generated ones at the same Omega_m, sigma_8, with A_SN1" in page
    assert "nuisance parameters" in page[page.rindex("Provenance") :]
    # The response of P(k): a quadratic polynomial of two parameters.
    assert "of 6 coefficients" in evaluation.not_measured["response"]
    # Single cosmologies: two of those that one asks for, and a nuisance for each map, which no other map has.
    assert [cosmology.theta.tolist() for cosmology in evaluation.at_cosmologies] == of_cosmologies[::4, :2].tolist()
    assert [len(np.unique(of_cosmologies[:, column])) for column in range(4)] == [2, 2, 8, 8]
    assert not np.isin(of_cosmologies[:, 2], of_test_maps[:, 2]).any()


@pytest.mark.slow
def test_the_density_of_a_model_without_nuisance_is_at_its_parameters(evaluated):
    note = verdict_rows(replace(evaluated[0], nuisance=()))[1].note
    assert "lower is better" in note
    assert "parameters" not in note


def test_a_table_without_the_nuisance_has_no_density(higlow, files, run, tmp_path):
    data = ("--maps", files / "maps.npy", "--params", files / "two.txt")
    result = higlow("evaluate", run, *data, "--out", tmp_path / "report")
    assert result.exit_code == 2
    assert "two.txt: expected the columns Omega_m, sigma_8, A_SN1, A_AGN1: a density" in result.stderr
    assert "Received: no A_SN1." in result.stderr
    assert not (tmp_path / "report").exists()
