"""What `infer` says of maps that are unlike those of training, or that were trained on."""

import warnings

import numpy as np
import pytest
from exact_models import TWO, GaussianModel

from higlow_tf.data import HIMapDataset
from higlow_tf.data.map_hash import map_hash
from higlow_tf.errors import InputWarning
from higlow_tf.inference import TypicalityReference, infer, typicality_features

COARSE = {"points_per_axis": 4, "max_rounds": 2, "calibration": None}


class FlowLike(GaussianModel):
    """With the verbs of a flow of one level; the map's first pixel is the noise beside its two parameters."""

    latent_shapes = ((3, 1, 1),)

    def log_prob(self, hi_maps, theta):
        return super().log_prob(np.log(np.asarray(hi_maps))[:, :1, 1:, 0], theta)

    def log_prob_by_level(self, hi_maps, theta):
        return self.log_prob(hi_maps, theta)[:, None]

    def encode(self, hi_maps, theta):
        return np.log(np.asarray(hi_maps)).reshape(len(hi_maps), -1)

    def typical_maps(self, num_maps, seed):
        rng = np.random.default_rng(seed)
        theta = self.parameters.sample_uniform(num_maps, seed)
        return theta, np.exp(np.concatenate([rng.normal(0, 0.1, (num_maps, 1)), self.parameters.normalize(theta)], 1))


@pytest.fixture
def model():
    """A model with a reference of typical maps, as a run stores it."""
    flow = FlowLike(TWO, 0.3**2 * np.eye(2))
    theta, maps = flow.typical_maps(60, 0)
    features, names = typicality_features(flow, maps[:, None, :, None], theta)
    flow.typicality = TypicalityReference.fit(features, names, theta, np.arange(60), flow.parameters).to_config()
    return flow


def heard(function):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function()
    assert all(warning.category is InputWarning for warning in caught)
    return result, [str(warning.message) for warning in caught], caught


def usual_and_unusual(model):
    _, maps = model.typical_maps(3, seed=1)
    maps[1] *= 1000.0
    return maps[:, None, :, None]


def test_maps_unlike_those_of_training_are_warned_of(model):
    maps = usual_and_unusual(model)
    posterior, sentences, caught = heard(lambda: infer(model, maps, **COARSE))
    (sentence,) = sentences
    assert sentence.startswith("map 1: unlike the training maps (p = ")
    assert sentence.endswith("its median is 3.0 dex above that of the training maps: other units?")
    assert caught[0].filename == __file__  # the line that called `infer`
    quiet, sentences, _ = heard(lambda: infer(model, maps, warn_of_maps=False, **COARSE))
    assert sentences == []
    np.testing.assert_array_equal(quiet.log_posterior, posterior.log_posterior)


def test_each_map_of_a_group_is_looked_at(model):
    maps = usual_and_unusual(model)
    arguments = COARSE | {"calibration": "stored", "map_correlation": 0.5}
    _, sentences, _ = heard(lambda: infer(model, maps, combine=[5, 3, 5], **arguments))
    assert [sentence.split(":")[0] for sentence in sentences] == ["map 1"]


def test_many_sentences_become_twelve_and_a_count(model):
    _, maps = model.typical_maps(20, seed=2)
    _, sentences, _ = heard(lambda: infer(model, 1000.0 * maps[:, None, :, None], **COARSE))
    assert len(sentences) == 13
    assert sentences[-1] == "... and 8 more maps like these."


def test_maps_that_were_trained_on_are_warned_of():
    model = GaussianModel(TWO, 0.3**2 * np.eye(2))
    maps = np.float32(model.maps_at([0.1, 0.2], [0.3, 0.4], [0.5, 0.6]))
    model.split = {"map_hashes": {"train": [map_hash(maps[2])], "validation": [map_hash(maps[0])], "test": ["c"]}}
    model.split["map_hashes"]["test"].append(map_hash(maps[1]))
    _, sentences, caught = heard(lambda: infer(model, maps, **COARSE))
    tail = "maps, so that its posterior says little about those of new maps."
    assert sentences == [f"map 0: one of the model's validation {tail}", f"map 2: one of the model's training {tail}"]
    assert caught[0].filename == __file__
    assert heard(lambda: infer(model, maps, warn_of_maps=False, **COARSE))[1] == []


@pytest.mark.parametrize("attributes", [{}, {"typicality": None, "split": None}, {"split": {"seed": 0}}])
def test_a_model_without_records_says_nothing(attributes):
    model = GaussianModel(TWO, 0.3**2 * np.eye(2))
    vars(model).update(attributes)
    assert heard(lambda: infer(model, model.maps_at([0.1, 0.2]), **COARSE))[1] == []


def test_the_hash_of_a_map_is_that_of_its_dataset(rng):
    maps = rng.uniform(1.0, 2.0, (3, 4, 4))
    hashes = HIMapDataset.from_arrays(maps, rng.uniform(0.6, 1.0, (3, 2)) * [0.5, 1.0]).map_hashes()
    assert [map_hash(hi_map) for hi_map in maps] == hashes
    assert [map_hash(hi_map[..., None]) for hi_map in np.float32(maps)] == hashes
