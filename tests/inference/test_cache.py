"""Answers that are kept: found again by the same question to the same model, by nothing else."""

from types import SimpleNamespace

import numpy as np
import pytest
from exact_models import TWO, BrokenModel, GaussianModel, correlated

from higlow_tf.errors import InputError, InputWarning
from higlow_tf.inference import Calibration, Prior, infer, log_likelihood_of_copies
from higlow_tf.inference.cache import AnswerCache

METHODS = [{}, {"method": "importance", "num_draws": 1000}]


@pytest.fixture
def model():
    return GaussianModel(TWO, correlated([0.1, 0.05], 0.7))


def keras_like(weight=1.0, name="first", width=4):
    """What the cache asks of a Keras model."""
    return SimpleNamespace(weights=[np.full(3, weight)], get_config=lambda: {"name": name, "width": width})


class Counted:
    """Answers with the number of the call."""

    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return np.full(4, float(self.calls))


def test_the_same_question_to_the_same_model_is_asked_once(tmp_path):
    compute = Counted()
    for name in ("first", "second"):  # the name of a model is not part of it
        answer = AnswerCache(tmp_path, keras_like(name=name)).array("density", [np.arange(3), {"seed": 1}], compute)
        np.testing.assert_array_equal(answer, np.ones(4))
    (path,) = tmp_path.iterdir()
    assert path.name.startswith("density_")


@pytest.mark.parametrize(
    ("other", "question", "inputs"),
    [
        (keras_like(weight=1.0 + 1e-12), "density", [np.arange(3), 1]),
        (keras_like(width=5), "density", [np.arange(3), 1]),
        (keras_like(), "samples", [np.arange(3), 1]),
        (keras_like(), "density", [np.arange(3.0), 1]),
        (keras_like(), "density", [np.arange(3)[None], 1]),
        (keras_like(), "density", [np.arange(3), 2]),
        (keras_like(), "density", [np.arange(3)]),
    ],
)
def test_another_question_or_model_is_asked(tmp_path, other, question, inputs):
    compute = Counted()
    AnswerCache(tmp_path, keras_like()).array("density", [np.arange(3), 1], compute)
    AnswerCache(tmp_path, other).array(question, inputs, compute)
    assert compute.calls == 2
    assert len(list(tmp_path.iterdir())) == 2


def test_other_versions_of_the_packages_are_asked_again(tmp_path, monkeypatch):
    compute = Counted()
    AnswerCache(tmp_path, keras_like()).array("density", [], compute)
    monkeypatch.setattr("higlow_tf.inference.cache.versions", lambda: {"higlow_tf": "99"})
    AnswerCache(tmp_path, keras_like()).array("density", [], compute)
    assert compute.calls == 2


def test_arrays_and_a_rest_come_back_as_they_were(tmp_path):
    stored = {"theta": np.float32([[1.5]]), "rest": np.arange(3)}, {"notes": ["a"], "k": -np.inf, "n": 1}
    cache = AnswerCache(tmp_path, keras_like())
    cache.get_or_compute("posterior", [], lambda: stored)
    arrays, rest = cache.get_or_compute("posterior", [], pytest.fail)
    assert rest == stored[1]
    assert arrays.keys() == stored[0].keys()
    for name, values in stored[0].items():
        np.testing.assert_array_equal(arrays[name], values)
        assert arrays[name].dtype == values.dtype


def damages(content):
    yield b""
    yield b"broken"
    for length in (10, len(content) // 2, len(content) - 30):
        yield content[:length]
    for place in range(0, len(content), 7):
        yield content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


@pytest.mark.filterwarnings("ignore:.* is damaged:higlow_tf.errors.InputWarning")
def test_whatever_the_damage_the_answer_is_right(tmp_path):
    cache = AnswerCache(tmp_path, keras_like())
    expected = np.arange(40.0)
    cache.array("density", [], lambda: expected)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    for damaged in damages(content):
        path.write_bytes(damaged)
        np.testing.assert_array_equal(cache.array("density", [], lambda: expected), expected)


def test_a_damaged_file_is_named_and_replaced(tmp_path):
    cache, compute = AnswerCache(tmp_path, keras_like()), Counted()
    cache.array("density", [], compute)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.warns(InputWarning, match=f"{path.name} is damaged .*, and is computed again"):
        assert cache.array("density", [], compute)[0] == 2.0
    assert cache.array("density", [], compute)[0] == 2.0


def test_a_computation_that_fails_leaves_no_file(tmp_path):
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        AnswerCache(tmp_path, keras_like()).array("density", [], interrupt)
    assert not list(tmp_path.iterdir())


def test_without_a_folder_nothing_is_kept():
    compute = Counted()
    cache = AnswerCache(None, keras_like())
    assert [cache.array("density", [], compute)[0] for _ in range(2)] == [1.0, 2.0]


def test_an_object_that_is_no_keras_model_is_known_by_likelihoods_of_maps(model, tmp_path):
    with pytest.raises(InputError, match="expected a Keras model, or a question about maps.*Received: GaussianModel"):
        AnswerCache(tmp_path, model).array("density", [], pytest.fail)


@pytest.mark.parametrize("options", METHODS)
def test_interrupted_work_goes_on(model, tmp_path, options):
    maps = model.maps_at([0.2, 0.1], [-0.3, 0.4], [0.0, 0.0])
    expected = infer(model, maps, **options)

    def stop(stage, done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        infer(model, maps, cache_dir=tmp_path / "parts", progress=stop, **options)
    assert len(list((tmp_path / "parts").iterdir())) == 2
    next((tmp_path / "parts").iterdir()).write_bytes(b"broken")
    with pytest.warns(InputWarning, match="is damaged"):
        resumed = infer(model, maps, cache_dir=tmp_path / "parts", **options)
    for name in ("theta_grid", "log_posterior", "map_estimate", "boxes"):
        np.testing.assert_array_equal(getattr(resumed, name), getattr(expected, name))
    assert resumed.diagnostics.keys() == expected.diagnostics.keys()
    for name, values in expected.diagnostics.items():
        np.testing.assert_array_equal(resumed.diagnostics[name], values)
    model.num_rows = 0
    infer(model, maps, cache_dir=tmp_path / "parts", **options)
    assert model.num_rows == 8 * len(maps)  # eight points recognise the model


def test_other_questions_are_not_answered_from_the_cache(model, tmp_path):
    maps = model.maps_at([0.2, 0.1])
    infer(model, maps, cache_dir=tmp_path)
    infer(model, maps + 1e-9, cache_dir=tmp_path)
    infer(model, maps, cache_dir=tmp_path, calibration=Calibration(tempering=0.5))
    infer(model, maps, cache_dir=tmp_path, calibration=Calibration(widening=0.1))
    infer(GaussianModel(TWO, correlated([0.1, 0.06], 0.7)), maps, cache_dir=tmp_path)
    for power in (1, 2):  # functions of one name
        infer(model, maps, Prior(log_prob=lambda theta, power=power: power * np.log(theta[:, 0])), cache_dir=tmp_path)
    assert len(list(tmp_path.iterdir())) == 7


def test_what_is_said_of_a_kept_posterior_names_the_map_of_this_call(tmp_path):
    model = BrokenModel(TWO, 0.1**2 * np.eye(2))
    maps = model.maps_at([-0.5, 0.1], [-0.5, 0.0])
    infer(model, maps, cache_dir=tmp_path)
    alone = infer(model, maps[1:], cache_dir=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    assert "likelihoods of map 0 were NaN" in alone.notes[0]


def test_likelihoods_of_copies_go_on(tmp_path):
    model = GaussianModel(["Omega_m"], [[0.1**2]])
    maps = np.array([[[0.2]], [[0.3]], [[0.1]]])
    arguments = {"points_per_axis": 5, "num_symmetries": 2}
    theta_grid, expected = log_likelihood_of_copies(model, maps, **arguments)
    stages = []

    def stop(stage, done, total):
        stages.append((stage, done, total))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        log_likelihood_of_copies(model, maps, **arguments, progress=stop, cache_dir=tmp_path)
    assert stages == [("likelihoods", 1, 3), ("likelihoods", 2, 3)]
    model.num_rows = 0
    again = log_likelihood_of_copies(model, maps, **arguments, cache_dir=tmp_path)
    assert model.num_rows == 8 * len(maps) + 2 * len(theta_grid)  # to recognise the model, and the third map
    np.testing.assert_array_equal(again[0], theta_grid)
    np.testing.assert_array_equal(again[1], expected)
