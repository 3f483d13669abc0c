"""Typicality: false alarms on maps like the reference, alarms on others, and what it says of them."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from higlow_tf.data.parameters import ParameterSpace
from higlow_tf.errors import InputError
from higlow_tf.inference.typicality import Typicality, TypicalityReference
from higlow_tf.inference.typicality_features import typicality_features

SPACE = ParameterSpace.from_names(["Omega_m", "sigma_8"])
NAMES = (
    "log_prob_level_0",
    "latent_mean_level_0",
    "latent_kurtosis_level_1",
    "log10_percentile_16",
    "log10_percentile_50",
)


def features_of(num_simulations, maps=4, seed=0):
    """Correlated features, partly common to a simulation, about a quadratic in theta."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(5, 5))
    theta = np.repeat(SPACE.sample_uniform(num_simulations, seed), maps, axis=0)
    noise = rng.normal(size=(num_simulations * maps, 5)) + np.repeat(
        rng.normal(size=(num_simulations, 5)), maps, axis=0
    )
    a, b = SPACE.normalize(theta).T
    trend = np.stack([10 * a + 5 * a * b, b**2, a, 3 * a**2 - b, b], axis=1)
    features = trend + 0.1 * noise @ mixing
    features[:, 4] += 6.5
    return features, theta, np.repeat(np.arange(num_simulations), maps)


def reference_of(num_simulations=40, seed=0):
    features, theta, simulation = features_of(num_simulations, seed=seed)
    return TypicalityReference.fit(features, NAMES, theta, simulation, SPACE)


def test_false_alarms_are_about_nominal():
    shares = []
    for seed in range(20):
        features, theta, _ = features_of(30, seed=1000 + seed)
        p_value = reference_of(seed=seed).score(features, theta).p_value
        shares.append([np.mean(p_value < 0.05), np.mean(p_value < 0.5)])
    # 20 references of 40 simulations; the scatter of a share between them is about 0.04 and 0.1.
    assert np.mean(shares, axis=0) == pytest.approx([0.05, 0.5], abs=0.05)


def test_a_deviation_on_either_side_is_seen_and_named():
    reference = reference_of()
    features, theta, _ = features_of(30, 1, seed=5)
    for sign in (-1, 1):
        changed = features + [sign * 5.0, 0, 0, 0, 0]
        typicality = reference.score(changed, theta)
        assert np.all(typicality.p_value < 0.01)
        sentence = typicality.warnings()[0]
        assert sentence.startswith("map 0: unlike the training maps (p = 0.0062)")
        assert "the log-density of level 0 is" in sentence
        assert f"sd {'above' if sign > 0 else 'below'} what is usual at its parameters" in sentence


def test_correlations_count():
    """A deviation of one sd in each of two anticorrelated features is unusual though neither is alone."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(400, 1)) * [1, -1, 0, 0, 0] + 0.05 * rng.normal(size=(400, 5))
    theta = SPACE.sample_uniform(400, 0)
    reference = TypicalityReference.fit(features, NAMES, theta, np.arange(400), SPACE)
    along, across = reference.score(np.array([[1.0, -1.0, 0, 0, 0], [1.0, 1.0, 0, 0, 0]]), theta[:2]).p_value
    assert along > 0.1
    assert across == pytest.approx(1 / 401)


def test_other_units_are_always_warned_of():
    offset = np.array([3.04, -1.2, 0.9])
    typicality = Typicality(np.full(3, 0.5), np.zeros((3, 5)), NAMES, offset)
    assert typicality.warnings() == [
        "map 0: unlike the training maps (p = 0.5); its median is 3.0 dex above that of the training maps: other units?",
        "map 1: unlike the training maps (p = 0.5); its median is 1.2 dex below that of the training maps: other units?",
    ]
    features, theta, _ = features_of(10, seed=3)
    score = reference_of().score(features + [0, 0, 0, 0, 3.0], theta)
    assert score.log10_median_offset == pytest.approx(3.0, abs=1.5)
    assert len(score.warnings()) == len(features)


def test_usual_maps_have_no_warnings():
    assert Typicality(np.full(2, 0.5), np.zeros((2, 5)), NAMES, np.zeros(2)).warnings() == []
    low = Typicality(np.array([0.02]), np.array([[0, -3.5, 0, 5.0, 1.0]]), NAMES, np.zeros(1))
    assert low.warnings() == []
    assert low.warnings(threshold=0.05) == [
        "map 0: unlike the training maps (p = 0.02); its 16 % percentile is 5.0 sd above what is usual at its parameters; "
        "the mean of the latents of level 0 is 3.5 sd below what is usual at its parameters."
    ]


def test_features_that_are_not_finite_have_the_least_p_value():
    reference = reference_of()
    features, theta, _ = features_of(2, 1)
    features[0, 2] = np.nan
    typicality = reference.score(features, theta)
    assert typicality.p_value[0] == pytest.approx(1 / 161)
    assert typicality.p_value[1] > typicality.p_value[0]
    assert "the kurtosis of the latents of level 1 is not finite" in typicality.warnings()[0]


def test_copies_inside_a_simulation_do_not_change_the_fit():
    features, theta, simulation = features_of(40, 1)
    rows = np.concatenate([np.arange(40), np.arange(10), np.arange(10)])
    once = TypicalityReference.fit(features, NAMES, theta, simulation, SPACE)
    copies = TypicalityReference.fit(features[rows], NAMES, theta[rows], simulation[rows], SPACE)
    np.testing.assert_allclose(copies.coefficients, once.coefficients, atol=1e-9)
    np.testing.assert_allclose(copies.covariance, once.covariance, atol=1e-9)


@pytest.mark.parametrize(("num_simulations", "num_coefficients"), [(18, 6), (17, 3), (8, 1)])
def test_few_simulations_have_a_simpler_trend(num_simulations, num_coefficients):
    reference = reference_of(num_simulations)
    assert reference.coefficients.shape == (num_coefficients, 5)
    assert np.all(np.linalg.eigvalsh(reference.covariance) > 0)


def test_config_round_trip():
    reference = reference_of()
    restored = TypicalityReference.from_config(json.loads(json.dumps(reference.to_config(), allow_nan=False)))
    features, theta, _ = features_of(10, seed=7)
    np.testing.assert_array_equal(restored.score(features, theta).p_value, reference.score(features, theta).p_value)
    assert restored.feature_names == NAMES


def fake_model(latents):
    """A "flow" of two levels on 8 x 8 maps, which returns the given latents."""
    return SimpleNamespace(
        latent_shapes=[(2, 4, 4), (8, 2, 2)],
        log_prob_by_level=lambda maps, theta: np.tile([64.0, -32.0], (len(maps), 1)),
        encode=lambda maps, theta: latents,
    )


def test_features_are_their_definitions():
    rng = np.random.default_rng(0)
    fine, coarse = rng.normal(size=(3, 2, 4, 4)), 1.0 + 2.0 * rng.normal(size=(3, 8, 2, 2))
    latents = np.concatenate([fine.reshape(3, -1), coarse.reshape(3, -1)], axis=1)
    maps = 10 ** rng.normal(6.5, 0.4, size=(3, 8, 8))
    features, names = typicality_features(fake_model(latents), maps, np.zeros((3, 2)))
    found = dict(zip(names, features.T, strict=True))
    assert features.shape == (3, 15)
    assert found["log_prob_level_0"] == pytest.approx(2.0)
    assert found["log_prob_level_1"] == pytest.approx(-1.0)
    assert found["latent_mean_level_1"] == pytest.approx(coarse.mean(axis=(1, 2, 3)))
    assert found["latent_log_variance_level_0"] == pytest.approx(np.log(fine.var(axis=(1, 2, 3))))
    assert found["log10_percentile_50"] == pytest.approx(np.median(np.log10(maps), axis=(1, 2)))


def test_neighbours_are_those_of_the_map():
    """A gradient along one axis of every channel is correlated; whole channels that differ are not neighbours."""
    checkers = (-1.0) ** np.add.outer(np.arange(4), np.arange(4))
    fine = np.stack([checkers, -checkers])[None]
    latents = np.concatenate([fine.reshape(1, -1), np.random.default_rng(0).normal(size=(1, 32))], axis=1)
    features, names = typicality_features(fake_model(latents), np.ones((1, 8, 8)), np.zeros((1, 2)))
    assert features[0, names.index("latent_correlation_level_0")] == pytest.approx(-1.0)


def test_wrong_input():
    features, theta, simulation = features_of(10)
    with pytest.raises(InputError, match=r"features: expected the shape \[N, 5\]\. Received: \(40, 4\)"):
        TypicalityReference.fit(features[:, :4], NAMES, theta, simulation, SPACE)
    with pytest.raises(InputError, match=r"simulation: .*at least 4 simulations\. Received: 40 of 3"):
        TypicalityReference.fit(features, NAMES, theta, np.minimum(simulation, 2), SPACE)
    with pytest.raises(InputError, match="features: expected finite numbers"):
        TypicalityReference.fit(np.where(features > 0, np.nan, 0.0), NAMES, theta, simulation, SPACE)
    with pytest.raises(InputError, match="hi_maps: expected one or more maps of positive"):
        typicality_features(fake_model(np.zeros((1, 64))), np.zeros((1, 8, 8)), np.zeros((1, 2)))
