"""The configuration of a run from options, from a file, and from both."""

from pathlib import Path

import pytest
import yaml
from toy_records import SPLIT

from higlow_tf.errors import InputError
from higlow_tf.models.presets import POSTERIOR_RECIPE, RECIPES
from higlow_tf.runs import RunDirectory, new_config, resumed_config
from higlow_tf.runs.config import TrainingConfig, read_run_config
from higlow_tf.runs.options import parse_settings

FILES = {"maps": "maps.npy", "params": "params.txt"}


def test_options_go_before_the_file_and_the_file_before_the_preset(tmp_path):
    file = tmp_path / "config.yaml"
    content = {"data": dict(FILES), "preset": "tiny", "training": {"epochs": 7}}
    file.write_text(yaml.safe_dump(content))
    config = new_config(file)
    assert (config.training.epochs, config.training.batch_size) == (7, RECIPES["tiny"]["batch_size"])
    assert config.data.maps == Path.cwd() / "maps.npy"
    config = new_config(file, preset="paper", epochs=3)
    defaults = TrainingConfig()
    # The recipe of the preset that was not chosen leaves no trace.
    assert config.training == defaults.model_copy(update={"epochs": 3})
    assert RECIPES["tiny"]["batch_size"] != defaults.batch_size


def test_hdf5_files_need_no_table():
    files = ["a.h5", "b.h5"]
    assert new_config(preset="tiny", maps=files).data.params is None
    with pytest.raises(InputError, match=r"Received: no params\."):
        new_config(preset="tiny", maps=["a.npy", "b.npy"])


def test_options_and_settings_are_known_or_refused():
    with pytest.raises(InputError, match=r"did you mean 'batch_size'\?\)\. Received: 'batchsize'"):
        new_config(preset="tiny", **FILES, batchsize=3)
    config = new_config(preset="tiny", **FILES, settings={"training.clip_norm": 0.5, "model.width": 4})
    assert (config.training.clip_norm, config.model) == (0.5, {"width": 4})
    assert parse_settings(["a.b=[1, 2]", "c=x"]) == {"a.b": [1, 2], "c": "x"}
    with pytest.raises(InputError, match="expected the path of a value. Received: preset"):
        new_config(preset="tiny", **FILES, settings={"preset.x": 1})
    assert new_config(preset="tiny", **FILES, memory="low").model == {"keep_activations": False}
    with pytest.raises(InputError, match="memory: expected high or low. Received: 'none'"):
        new_config(preset="tiny", **FILES, memory="none")


def test_new_runs_of_presets_that_gain_from_it_see_pixels_through_a_curve(tmp_path):
    for name in ("compact", "higlow"):
        assert new_config(preset=name, **FILES).model == {"use_pixel_curve": True}
    for name in ("paper", "tiny", "trenf", "hiflow64"):
        assert new_config(preset=name, **FILES).model == {}
    config = new_config(preset="compact", **FILES, settings={"model.width": 8})
    assert config.model == {"width": 8, "use_pixel_curve": True}
    for settings in ({"model.use_pixel_curve": False}, {"model.map_transform": "identity"}):
        config = new_config(preset="compact", **FILES, settings=settings)
        assert not config.model.get("use_pixel_curve", False)
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump({"data": dict(FILES), "model": {"width": 8}}))
    assert new_config(file).model == {"width": 8, "use_pixel_curve": True}
    assert read_run_config(file).model == {"width": 8}  # the file of an older run


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ("Omega_m, A_SN1", ["Omega_m", "A_SN1"]),
        (("sigma_8",), ["sigma_8"]),
        ("all", "all"),
        (None, ["Omega_m", "sigma_8"]),
    ],
)
def test_parameters_are_names_in_any_form(parameters, expected):
    assert new_config(preset="tiny", **FILES, parameters=parameters).data.parameters == expected


@pytest.mark.parametrize(
    ("nuisance", "expected"),
    [
        ("A_SN1, A_AGN1", ["A_SN1", "A_AGN1"]),
        (("A_SN1",), ["A_SN1"]),
        ("all", "all"),
        ("none", []),
        ("known", "known"),
        (None, "known"),
        ("Info_Toy.txt", str(Path.cwd() / "Info_Toy.txt")),
    ],
)
def test_nuisance_is_names_in_any_form(nuisance, expected):
    assert new_config(preset="tiny", **FILES, nuisance=nuisance).data.nuisance == expected


def test_nuisance_in_a_file_is_overridden_by_the_option(tmp_path):
    file = tmp_path / "config.yaml"
    for in_file, expected in (("none", []), ("all", "all"), ("A_SN1", ["A_SN1"]), (["A_SN1"], ["A_SN1"])):
        file.write_text(yaml.safe_dump({"data": {**FILES, "nuisance": in_file}, "preset": "tiny"}))
        assert new_config(file).data.nuisance == expected
        assert new_config(file, nuisance="none").data.nuisance == []
    file.write_text(yaml.safe_dump({"data": FILES, "preset": "tiny"}))
    assert new_config(file).data.nuisance == "known"
    assert read_run_config(file).data.nuisance == []  # the file of an older run


def test_a_second_stage_takes_over_the_first(tmp_path):
    first = new_config(preset="tiny", **FILES, nuisance="all", split_seed=3, settings={"model.width": 4})
    RunDirectory(tmp_path / "first").create(first, SPLIT)
    second = new_config(start_from=tmp_path / "first", epochs=2)
    assert (second.data, second.model, second.preset) == (first.data, first.model, "tiny")
    assert second.start_from == (tmp_path / "first").resolve()
    assert second.training.posterior_weight == POSTERIOR_RECIPE["posterior_weight"]
    with pytest.raises(InputError, match="Received: both"):
        new_config(tmp_path / "config.yaml", start_from=tmp_path / "first")


def test_a_run_without_checkpoint_or_with_other_changes_is_not_continued(tmp_path):
    RunDirectory(tmp_path / "run").create(new_config(preset="tiny", **FILES), SPLIT)
    with pytest.raises(
        InputError, match="expected a checkpoint, made by the first epoch; to start again, .*--overwrite"
    ):
        resumed_config(tmp_path / "run", epochs=9)
    with pytest.raises(InputError, match="expected no changes but epochs.*Received: batch_size"):
        resumed_config(tmp_path / "run", batch_size=9)
    with pytest.raises(InputError, match="Received: training.seed"):
        resumed_config(tmp_path / "run", settings={"training.seed": 1})
