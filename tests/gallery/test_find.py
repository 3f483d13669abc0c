"""What a word that stands for a model means."""

import os
from pathlib import Path

import pytest
from gallery_models import gallery, make_model
from model_folders import saved_model_folder

import higlow_tf as hg
from higlow_tf.batch import read_served_model
from higlow_tf.errors import InputError
from higlow_tf.gallery import find_run, find_saved_model, find_version, gallery_folders, list_models
from higlow_tf.gallery.find import is_model_name
from higlow_tf.serving.server.version_folders import check_model_folders

__all__ = ["gallery", "saved_model_folder"]

ALL = (find_run, find_saved_model, find_version)


@pytest.mark.parametrize("word", ["compact_mock", "a", "SIMBA-2.1", "_x", "a+b"])
def test_names(word):
    assert is_model_name(word)
    assert is_model_name(Path(word))


@pytest.mark.parametrize("word", ["", ".", "..", ".hidden", "-x", "a/b", "a/", "./a", "a\\b", "~", "a b", "C:a", "a\n"])
def test_what_is_no_name(word):
    assert not is_model_name(word)


def test_a_name_leads_to_each_form_of_its_model(gallery):
    folder = make_model(gallery / "one", versions=(1, 2, 10))
    assert find_run("one") == folder / "run"
    assert find_saved_model("one") == folder
    assert find_version("one") == find_version(folder) == folder / "10"
    assert list_models() == {"one": folder}


def test_the_folder_of_a_run_may_lie_in_a_gallery_itself(gallery):
    (gallery / "first").mkdir()
    (gallery / "first" / "model.keras").touch()
    assert find_run("first") == gallery / "first"


@pytest.mark.parametrize("find", ALL)
def test_a_path_comes_back_as_it_is(gallery, find):
    make_model(gallery / "one", versions=(1,))
    for word in ("somewhere/one", "/nowhere", "one/", "./one", Path("runs", "first"), gallery / "one" / "run"):
        assert find(word) == Path(word)
    Path("one").mkdir()  # a path that is there comes before the name
    assert find("one") == Path("one")


def test_the_first_folder_counts(gallery, monkeypatch, tmp_path):
    both, other = make_model(gallery / "both"), make_model(tmp_path / "second" / "other")
    make_model(tmp_path / "second" / "both")
    here = make_model(Path("saved_models", "here"))
    checkout = make_model(tmp_path / "home" / "saved_models" / "checkout")
    named = [gallery, tmp_path / "missing", tmp_path / "second"]
    monkeypatch.setenv("HIGLOW_MODELS", os.pathsep.join(map(str, named)))
    assert gallery_folders()[:3] == [gallery, tmp_path / "second", Path("saved_models").resolve()]
    assert list_models() == {"both": both, "other": other, "here": here.resolve()}
    (tmp_path / "home" / "pyproject.toml").touch()  # now it is a checkout
    assert find_run("checkout") == checkout / "run"


def test_a_user_has_a_folder_of_models(gallery, monkeypatch, tmp_path):
    monkeypatch.delenv("HIGLOW_MODELS")
    assert gallery_folders() == []
    folder = make_model(tmp_path / "home" / "higlow_tf" / "models" / "mine")
    assert find_run("mine") == folder / "run"


@pytest.mark.parametrize("find", ALL)
def test_an_unknown_name_is_answered_with_those_that_there_are(gallery, find):
    with pytest.raises(InputError, match=r"^other: expected .*no model found; HIGLOW_MODELS.* Received: neither\.$"):
        find("other")
    make_model(gallery / "two", versions=(1,))
    make_model(gallery / "one", versions=(1,))
    make_model(gallery / ".one.123.part", versions=(1,))
    (gallery / "no_model").mkdir()
    with pytest.raises(
        InputError, match=r"^other: expected .*, or the name of a model \(one, two\)\. Received: neither"
    ):
        find("other")


def test_a_model_without_the_form_that_is_asked_for_is_not_offered(gallery):
    make_model(gallery / "served", run=False, versions=(1,))
    make_model(gallery / "trained")
    with pytest.raises(InputError, match=r"^served: .*\(trained\)"):
        find_run("served")
    with pytest.raises(InputError, match=r"^trained: .*\(served\)"):
        find_version("trained")
    assert set(list_models()) == {"served", "trained"}


def test_python_takes_names_where_it_takes_folders(gallery, saved_model_folder):
    (gallery / "small").mkdir()
    (gallery / "small" / "run").symlink_to(saved_model_folder)
    make_model(gallery / "served", run=False, versions=(1,))
    assert hg.load_model("small").split == hg.load_model(saved_model_folder).split
    assert hg.runs.audit_run("small") == hg.runs.audit_run(saved_model_folder)
    assert check_model_folders(["served"]) == {"served": gallery / "served"}
    with pytest.raises(InputError, match=r"served/1/assets.extra/model_card.json: expected the model card"):
        read_served_model("served")
    with pytest.raises(InputError, match=r"run: expected a run, a folder with config\.yaml"):
        hg.runs.open_run("small")
    with pytest.raises(InputError, match=r"run: expected a run, a folder with config\.yaml"):
        hg.runs.new_config(start_from="small")
