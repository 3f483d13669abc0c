"""The published models answer what they answered when they were published, as a run and as a SavedModel."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import higlow_tf as hg
from higlow_tf.gallery import find_run, find_version
from higlow_tf.inference import parameters_of_interest
from higlow_tf.inference.uniform_grid import theta_grid_over_prior
from higlow_tf.serving.reference import reference_answers

SAVED_MODELS = Path(__file__).parents[1] / "saved_models"
PUBLISHED = sorted(path.parent.name for path in SAVED_MODELS.glob("*/reference.json"))
# Sums in float32 over some thousand pixels and some ten steps, in another order on another machine. Denominator max(1, |x|).
TOLERANCE = 1e-4
MAX_BYTES = 10_000_000
MAX_BYTES_OF_ALL = 25_000_000
TEXT_SUFFIXES = {".json", ".yaml", ".md", ".csv", ".txt", ""}
# A path that begins at a root, a home folder or a drive; "](/" would be a link of the page.
ABSOLUTE_PATH = re.compile(r"""(?:^|[\s"'(=\[])(?:/[\w.-]+/[\w.-]+|~/|[A-Za-z]:\\)""", re.MULTILINE)
SETTINGS = {"format_version", "sample_seed", "sample_stride", "points_per_axis"}


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def read_reference(name):
    folder = SAVED_MODELS / name
    return json.loads((folder / "reference.json").read_text()), np.load(folder / "examples.npz", allow_pickle=False)


def served_answers(path, parameters, reference, examples):
    """What the SavedModel says to the questions of `reference_answers`."""
    signatures = tf.saved_model.load(str(path)).signatures
    maps, theta = (tf.constant(examples[name], tf.float32) for name in ("hi_maps", "theta"))
    num_samples = len(reference["sample_log10_mean"])
    seeds = np.stack([np.full(num_samples, reference["sample_seed"]), np.arange(num_samples)], axis=-1)
    samples = signatures["sample"](
        theta=theta[:num_samples], seed=tf.constant(seeds, tf.int64), temperature=tf.ones(num_samples)
    )
    log10_maps = np.log10(samples["hi_map"].numpy())
    stride = reference["sample_stride"]
    grid = tf.constant(theta_grid_over_prior(parameters, reference["points_per_axis"])[None], tf.float32)
    posterior = signatures["posterior"](hi_map=maps[:1], theta_grid=grid)
    variance = np.diagonal(posterior["posterior_covariance"][0])
    np.testing.assert_allclose(np.sqrt(variance), posterior["posterior_sd"][0], rtol=1e-5)
    return {
        "log_prob": signatures["log_prob"](hi_map=maps, theta=theta)["log_prob"],
        "sample_log10_mean": log10_maps.mean(axis=(1, 2)),
        "sample_log10_sd": log10_maps.std(axis=(1, 2)),
        "sample_log10_pixels": log10_maps[:, ::stride, ::stride],
        "posterior_mean": posterior["posterior_mean"][0],
        "posterior_sd": posterior["posterior_sd"][0],
    }


def assert_same_answers(found, reference):
    names = set(reference) - SETTINGS
    assert names
    for name in names:
        actual, expected = np.asarray(found[name]), np.asarray(reference[name])
        assert actual.shape == expected.shape, name
        assert np.max(np.abs(actual - expected) / np.maximum(1.0, np.abs(expected))) < TOLERANCE, name


def test_the_model_to_try_is_there():
    assert "compact_mock" in PUBLISHED


def test_every_folder_is_a_published_model_and_all_are_small_together():
    assert sorted(path.name for path in SAVED_MODELS.iterdir() if path.is_dir()) == PUBLISHED
    assert size_of(SAVED_MODELS) < MAX_BYTES_OF_ALL


@pytest.fixture
def only_this_checkout(monkeypatch, tmp_path):
    """Nothing but the models of this checkout has a name."""
    monkeypatch.delenv("HIGLOW_MODELS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", PUBLISHED)
def test_its_name_leads_to_it(name, only_this_checkout):
    assert find_run(name) == SAVED_MODELS / name / "run"
    assert find_version(name) == SAVED_MODELS / name / "1"
    assert f"`{name}/`" in (SAVED_MODELS / "README.md").read_text(encoding="utf-8")
    assert (SAVED_MODELS / name / "README.md").read_text(encoding="utf-8").startswith(f"# {name}\n")
    assert hg.runs.open_run(name).split["num_maps"] > 0


@pytest.mark.parametrize("name", PUBLISHED)
def test_it_comes_back_from_its_archive(name, tmp_path):
    archive, digest = hg.gallery.pack_model(SAVED_MODELS / name, tmp_path)
    folder = hg.gallery.fetch_model(archive.as_uri(), sha256=digest, folder=tmp_path / "models")
    for path in filter(Path.is_file, (SAVED_MODELS / name).rglob("*")):
        copy = folder / path.relative_to(SAVED_MODELS / name)
        assert copy.read_bytes() == path.read_bytes(), path


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_run_and_saved_model_give_the_reference_answers(name, only_this_checkout):
    reference, examples = read_reference(name)
    model = hg.load_model(find_run(name))
    model.compile(jit_compile=False)
    found = reference_answers(model, examples["hi_maps"], examples["theta"])
    assert {key: found[key] for key in SETTINGS - {"format_version"}} == {
        key: reference[key] for key in SETTINGS - {"format_version"}
    }
    assert_same_answers(found, reference)
    assert_same_answers(
        served_answers(SAVED_MODELS / name / "1", parameters_of_interest(model), reference, examples), reference
    )


@pytest.mark.parametrize("name", PUBLISHED)
def test_it_is_small(name):
    assert size_of(SAVED_MODELS / name) < MAX_BYTES


@pytest.mark.parametrize("name", PUBLISHED)
def test_no_text_file_names_a_folder_of_a_machine(name):
    texts = [path for path in (SAVED_MODELS / name).rglob("*") if path.is_file() and path.suffix in TEXT_SUFFIXES]
    assert {path.name for path in texts} >= {"config.yaml", "split.json", "README.md", "model_card.json"}
    for path in texts:
        if path.name != "tf_serving_warmup_requests":  # binary
            assert not ABSOLUTE_PATH.search(path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize(
    ("text", "is_path"),
    [
        ("maps: /data/mocks/maps.npy", True),
        ('"source": "/home/me/maps.npy"', True),
        ("see ~/data", True),
        (r"C:\data\maps.npy", True),
        ("units: (Msun/h)/(Mpc/h)^2", False),
        ("a page: https://arxiv.org/abs/2211.12724", False),
        ("maps: Maps_HI_X_LH_z=6.00.npy", False),
        ("generated / simulated", False),
    ],
)
def test_paths_are_recognised(text, is_path):
    assert bool(ABSOLUTE_PATH.search(text)) is is_path


@pytest.mark.parametrize("name", PUBLISHED)
def test_cards_tell_the_same_metrics_with_errors(name):
    card = json.loads((SAVED_MODELS / name / "1" / "assets.extra" / "model_card.json").read_text())
    page = (SAVED_MODELS / name / "README.md").read_text()
    assert card["metrics"]["coverage_68"]["error"] > 0
    assert f"{card['metrics']['nll_nats_per_pixel']['value']:.3g}" in page
    assert all(limit in page for limit in card["must_not_be_used_for"])
