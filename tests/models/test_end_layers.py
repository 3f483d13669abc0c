"""The end layers: fitted to the statistics of training maps, in every verb, and nothing where there is nothing to do."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from toy_models import make_maps

from higlow_tf.data import HIMapDataset
from higlow_tf.errors import InputError, InputWarning
from higlow_tf.models import ConditionalGlow, fit_end_layers, load_model, save_model
from higlow_tf.models.end_layer_statistics import TrainingStatistics, curve_knots, transport, wave_power
from higlow_tf.networks import EndLayerWeights, condition_features, wave_numbers

NUM_SIMULATIONS, MAPS_PER_SIMULATION = 40, 8


@pytest.fixture(scope="module")
def train():
    return HIMapDataset.from_arrays(*make_maps(NUM_SIMULATIONS, MAPS_PER_SIMULATION))


def _model(train, sd=0.03, **config):
    """A flow that has started at a whitening of the maps, and then went astray."""
    model = ConditionalGlow.from_preset("tiny", map_size=train.map_size, num_channels=train.num_channels, **config)
    model.initialize(train)
    rng = np.random.default_rng(3)
    for variable in model.trainable_variables:
        variable.assign_add(sd * rng.standard_normal(variable.shape))
    model.compile(jit_compile=False)
    return model


@pytest.fixture(scope="module")
def model(train):
    return _model(train)


@pytest.fixture(scope="module")
def fit(model, train):
    return fit_end_layers(model, train, seed=5)


def _log10(maps):
    return np.log10(np.asarray(maps, np.float64))


def _shared(maps):
    """Mean and ln of the standard deviation of each log10 map: what a whole map shares."""
    maps = _log10(maps).reshape(len(maps), -1)
    return np.stack([maps.mean(axis=1), np.log(maps.std(axis=1))])


def _residual_sd(maps, theta):
    features = condition_features(np.asarray(theta))
    shared = _shared(maps).T
    return (shared - features @ np.linalg.lstsq(features, shared, rcond=None)[0]).std(axis=0)


def test_drawn_maps_have_the_statistics_of_training(model, fit, train):
    theta = np.asarray(train.theta)
    real, before, after = (
        _log10(m) for m in (train.maps, model.sample(theta, seed=99), fit.model.sample(theta, seed=99))
    )
    levels = [0.01, 0.1, 0.5, 0.9, 0.99]
    wanted = np.quantile(real, levels)
    assert np.abs(np.quantile(before, levels) - wanted).max() > 0.1  # there is something to mend
    assert np.abs(np.quantile(after, levels) - wanted).max() < 0.03

    def power(maps):
        waves = np.fft.fft2(maps - maps.mean(axis=(1, 2), keepdims=True), norm="ortho")
        squares = (np.abs(waves) ** 2).mean(axis=0)
        number = np.rint(wave_numbers(train.map_size))
        return np.array([squares[number == k].mean() for k in range(1, train.map_size // 2 + 1)])

    assert np.abs(power(before) / power(real) - 1).max() > 0.15
    assert np.abs(power(after) / power(real) - 1).max() < 0.05
    spread = [_residual_sd(10.0**maps, theta) / _residual_sd(train.maps, theta) for maps in (before, after)]
    assert np.abs(spread[0] - 1).max() > 0.15
    assert np.abs(spread[1] - 1).max() < 0.08
    assert max(fit.after.values()) < 0.3 < max(fit.before.values())


def test_fit_is_a_function_of_its_seed(model, train, fit):
    again, other = fit_end_layers(model, train, seed=5), fit_end_layers(model, train, seed=6)
    pairs = zip(again.model.weights, fit.model.weights, strict=True)
    assert all(np.array_equal(a.numpy(), b.numpy()) for a, b in pairs)
    assert any(
        not np.array_equal(a.numpy(), b.numpy()) for a, b in zip(other.model.weights, fit.model.weights, strict=True)
    )


def test_the_flow_itself_stays(model, fit):
    """The new model is the old one with layers: the trained weights are the same, and the old model is not touched."""
    assert model.end_layers is None
    for a, b in zip(model.trainable_variables, fit.model.trainable_variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert not fit.model.end_layer_weights.trainable_variables


def test_finds_nothing_where_nothing_is_wrong(model, train):
    """Maps that the flow drew itself: every layer is the identity to sampling errors."""
    maps = model.sample(np.asarray(train.theta), seed=77).numpy()
    own = dataclasses.replace(train, maps=maps)
    weights = fit_end_layers(model, own, seed=5).model.end_layer_weights
    assert np.abs(weights.log_transfer.numpy()).max() < 0.06
    assert np.abs(weights.band_matrix.numpy() - np.eye(weights.band_matrix.shape[0])).max() < 0.2
    inner = slice(8, -8)
    moved = weights.knots_y.numpy()[:, inner] - weights.knots_x.numpy()[:, inner]
    assert np.abs(moved).max() < 0.1


def test_is_saved_with_the_model(fit, train, tmp_path):
    save_model(fit.model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert loaded.use_end_layers
    theta = np.asarray(train.theta[:3])
    np.testing.assert_array_equal(loaded.sample(theta, seed=1).numpy(), fit.model.sample(theta, seed=1).numpy())


def test_end_layers_are_fitted_anew(fit, train):
    """A model that has them gives the same fit as the flow without them."""
    again = fit_end_layers(fit.model, train, seed=5)
    for a, b in zip(again.model.weights, fit.model.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_two_channels_have_a_curve_each():
    maps, theta = make_maps(NUM_SIMULATIONS, MAPS_PER_SIMULATION)
    others = 10.0 ** (4.0 + 0.3 * (np.log10(make_maps(NUM_SIMULATIONS, MAPS_PER_SIMULATION, seed=9)[0]) - 6.0))
    both = HIMapDataset.from_arrays(np.stack([maps, others], axis=-1), theta)
    model = fit_end_layers(_model(both), both).model
    drawn = _log10(model.sample(np.asarray(both.theta), seed=3))
    for channel in range(2):
        wanted = np.quantile(_log10(both.maps)[..., channel], [0.05, 0.5, 0.95])
        assert np.abs(np.quantile(drawn[..., channel], [0.05, 0.5, 0.95]) - wanted).max() < 0.05


def test_few_simulations_have_fewer_terms(train):
    few = train.select(range(10 * MAPS_PER_SIMULATION))
    with pytest.warns(InputWarning, match="3 of 6 terms"):
        weights = fit_end_layers(_model(few), few).model.end_layer_weights
    assert not np.any(weights.band_coefficients.numpy()[3:])


@pytest.mark.parametrize(("stop", "found"), [(7 * MAPS_PER_SIMULATION, "56 of 7"), (60, "60 of 8")])
def test_refuses_too_few(model, train, stop, found):
    with pytest.raises(InputError, match=f"at least 64 maps of 8 simulations. Received: {found}"):
        fit_end_layers(model, train.select(range(stop)))


def test_refuses_other_maps_than_those_of_training(model, train):
    hashes = train.map_hashes()
    model.split = {"content_hash": "0" * 32, "map_hashes": {"train": hashes[:-3]}, "zero_floor": None}
    try:
        with pytest.raises(InputError, match="trained on. Received: 3 others among 320"):
            fit_end_layers(model, train)
        model.split["content_hash"] = train.content_hash()
        with pytest.raises(InputError, match="Received: all maps of its file"):
            fit_end_layers(model, train)
    finally:
        model.split = None


def _with_bad_rows(model, monkeypatch, rows):
    sample = type(model).sample

    def broken(self, theta, **arguments):
        maps = sample(self, theta, **arguments).numpy()
        maps[[row - arguments["first_row"] for row in rows if 0 <= row - arguments["first_row"] < len(maps)], 0, 0] = (
            np.inf
        )
        return tf.constant(maps)

    monkeypatch.setattr(type(model), "sample", broken)


def test_refuses_a_model_that_draws_what_is_not_finite(model, train, monkeypatch):
    _with_bad_rows(model, monkeypatch, [3])
    with pytest.raises(InputError, match="one drawn map in a thousand that is not finite. Received: 1 of 320"):
        fit_end_layers(model, train)


def test_leaves_out_and_counts_what_is_not_finite(model, train, monkeypatch):
    many = HIMapDataset.from_arrays(np.repeat(train.maps, 4, axis=0), np.repeat(train.theta, 4, axis=0))
    _with_bad_rows(model, monkeypatch, [700])
    with pytest.warns(InputWarning, match="1 of 1280 drawn maps"):
        fit = fit_end_layers(model, many)
    assert fit.num_unusable == 1


# ---- the pieces


def test_transport_is_exact_for_gaussians():
    """Means and covariances of Gaussian summaries with a mean linear in the condition are recovered."""
    rng = np.random.default_rng(2)
    simulation = np.repeat(np.arange(400), 10)
    condition = np.repeat(rng.uniform(-1, 1, (400, 2)), 10, axis=0)
    root = np.array([[1.0, 0.0], [0.5, 0.8]])
    drawn = 0.3 * rng.standard_normal((2, 4000)) + condition.T
    real = 0.3 * (root @ rng.standard_normal((2, 4000))) + np.stack([condition[:, 0] + 0.2, 1.5 * condition[:, 1]])
    matrix, coefficients, num_terms = transport(drawn, real, condition, condition, simulation, simulation)
    assert num_terms == 6
    moved = matrix @ drawn + coefficients.T @ condition_features(condition).T
    mean = np.stack([condition[:, 0] + 0.2, 1.5 * condition[:, 1]])
    assert np.abs((moved - mean).mean(axis=1)).max() < 0.02
    np.testing.assert_allclose(np.cov(moved - mean), 0.09 * root @ root.T, atol=0.01)


def test_curve_takes_quantiles_to_quantiles():
    rng = np.random.default_rng(0)
    simulation = np.repeat(np.arange(10), 20)
    real = rng.gamma(3.0, size=(1, 8, 8, 200)).astype("float32")
    statistics = TrainingStatistics.measure(real, real, simulation)
    drawn = rng.normal(size=real.shape).astype("float32")
    x, y, slope = curve_knots(drawn, statistics)
    assert np.all(np.diff(x) > 0)
    assert np.all(np.diff(y) > 0)
    assert np.all(slope > 0)
    np.testing.assert_allclose(x[0], np.quantile(drawn, statistics.levels), atol=1e-3)
    np.testing.assert_allclose(y[0], np.quantile(real, statistics.levels), atol=1e-3)


def test_wave_power_is_that_of_the_fourier_transform():
    maps = np.random.default_rng(1).standard_normal((1, 8, 8, 5))
    waves = np.asarray(_waves_of(maps))
    squares = (np.abs(np.fft.fft2(maps[0], axes=(0, 1), norm="ortho")) ** 2).mean(axis=-1)
    number = np.rint(wave_numbers(8))
    np.testing.assert_allclose(wave_power(waves)[0], [squares[number == k].mean() for k in (1, 2, 3, 4)], rtol=1e-12)


def _waves_of(maps):
    from higlow_tf.bijectors import HartleyTransform

    return HartleyTransform().forward_and_log_det(tf.constant(maps))[0]


def test_filter_is_a_periodic_isotropic_convolution():
    """The transfer function of the weights, by Hartley, equals a Fourier filter that interpolates between wave numbers."""
    weights = EndLayerWeights(8, 1, 2, dtype="float64")
    weights.build(None)
    weights.log_transfer.assign([[0.1, -0.2, 0.3, 0.25]])
    expected = np.interp(wave_numbers(8), np.arange(5), [0.0, 0.1, -0.2, 0.3, 0.25])
    np.testing.assert_allclose(weights.transfer()[0], expected, atol=1e-12)
    maps = np.random.default_rng(4).standard_normal((1, 8, 8, 2))
    filtered = _waves_of(np.asarray(_waves_of(maps)) * np.exp(expected)[None, ..., None])
    by_fourier = np.fft.ifft2(np.fft.fft2(maps[0], axes=(0, 1)) * np.exp(expected)[..., None], axes=(0, 1)).real
    np.testing.assert_allclose(filtered[0], by_fourier, atol=1e-12)
