"""What is special about the conditional Glow; the rest is in the contract, the PyTorch oracle in tests/peers."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import ndtr

from higlow_tf.data import HIMapDataset, ParameterSpec
from higlow_tf.errors import InputError, InputWarning
from higlow_tf.models import PRESETS, ConditionalGlow
from higlow_tf.networks import coupling_network

THETA = np.array([[0.3, 0.8], [0.15, 0.95], [0.45, 0.65]])
# float64 arithmetic over two levels of two steps; the largest term of a log_prob here is 1e3.
EXACT = 1e-9


def relative_error(a, b):
    a, b = np.asarray(a), np.asarray(b)
    return np.max(np.abs(a - b) / np.maximum(1.0, np.abs(b)))


def test_the_network_is_evaluated_once_a_level_for_one_log_prob(make_model, monkeypatch):
    calls = []
    original = coupling_network.conv1x1
    monkeypatch.setattr(coupling_network, "conv1x1", lambda *args: (calls.append(1), original(*args))[1])
    model = make_model(num_steps_per_level=5)
    maps = tf.fill([1, 16, 16, 1], tf.constant(10.0**6.5, tf.float64))
    tf.function(model.density_by_level, autograph=False).get_concrete_function(maps, tf.constant(THETA[:1]))
    # Two levels, each traced once as the body of its loop, and one split prior.
    assert len(calls) == 3


def test_equal_shapes_are_traced_once_and_the_graph_does_not_grow_with_the_steps(make_model):
    model = make_model()
    maps = model.sample(THETA, seed=0)
    for _ in range(3):
        model.log_prob(maps, THETA)
        model.log_prob(maps[:2], THETA[:2])
    assert model._compiled_density.plain.experimental_get_tracing_count() == 1

    def num_nodes(num_steps):
        model = make_model(num_steps_per_level=num_steps)
        specs = tf.TensorSpec([None, 16, 16, 1], tf.float64), tf.TensorSpec([None, 2], tf.float64)
        graph = tf.function(model.density_by_level, autograph=False).get_concrete_function(*specs).graph
        functions = graph.as_graph_def().library.function
        return len(graph.as_graph_def().node) + sum(len(function.node_def) for function in functions)

    assert num_nodes(3) == num_nodes(9)


def test_the_gradient_for_theta_is_that_of_differences(make_model):
    model = make_model(map_size=8)
    maps = model.sample(THETA, seed=2)
    theta = tf.constant(THETA)
    with tf.GradientTape() as tape:
        tape.watch(theta)
        total = tf.reduce_sum(model.log_prob(maps, theta))
    step = 1e-6
    forward, backward = (np.asarray(model.log_prob(maps, THETA + [[s * step, 0.0]])) for s in (1, -1))
    # Central differences of a value of 1e3 at step 1e-6: rounding gives 1e-7.
    assert relative_error(tape.gradient(total, theta)[:, 0], (forward - backward) / (2.0 * step)) < 1e-5


def test_one_row_serves_all_and_shapes_are_checked(make_model):
    model = make_model()
    maps = model.sample(THETA, seed=8)
    spread = model.log_prob(maps[:1], THETA)
    assert relative_error(spread, model.log_prob(np.repeat(maps[:1], 3, axis=0), THETA)) < EXACT
    with pytest.raises(InputError, match=r"shape \[N, 16, 16\].*Received: shape \(3, 8, 16\)"):
        model.log_prob(maps[:, ::2], THETA)
    with pytest.raises(InputError, match="Omega_m, sigma_8.*Received"):
        model.sample(THETA[:, :1])
    with pytest.raises(InputError, match="as many maps as rows"):
        model.log_prob(maps, THETA[:2])
    with pytest.warns(InputWarning, match="extrapolates.*sigma_8"):
        model.sample([[0.3, 1.2]])


def test_several_channels_and_parameters(make_model):
    names = ["Omega_m", "A_SN1", ParameterSpec("wind", "w", 0.0, 2.0)]
    model = make_model(num_channels=2, parameters=names, map_size=8)
    theta = model.parameters.sample_uniform(3, seed=0)
    maps = model.sample(theta)
    assert maps.shape == (3, 8, 8, 2)
    assert np.allclose(model.normalize(theta), model.parameters.normalize(theta), atol=1e-12)
    assert model.log_prob(maps, theta).shape == (3,)
    drawn, drawn_maps = model.sample_from_prior(4, seed=1)
    assert drawn.shape == (4, 3)
    assert drawn_maps.shape == (4, 8, 8, 2)


def test_presets_have_the_stated_number_of_weights():
    counts = {name: ConditionalGlow.from_preset(name).count_params() for name in ("tiny", "compact", "paper")}
    assert counts == {"tiny": 5440, "compact": 327_920, "paper": 1_598_884}
    assert counts["compact"] <= 1_000_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "compcat"}, "did you mean 'compact'"),
        ({"name": "tiny", "paddding": "zero"}, "did you mean 'padding'"),
        ({"name": "tiny", "map_size": 18}, "4 divides.*Received: 18"),
        ({"name": "tiny", "padding": "mirror"}, "Received: 'mirror'"),
        ({"name": "tiny", "injector": "full"}, "Received: 'full'"),
        ({"name": "tiny", "width": [4, 4, 4]}, "one a level, 2"),
        ({"name": "tiny", "num_steps_per_level": 0}, "num_steps of at least 1. Received: 0"),
        ({"name": "tiny", "max_log_scale": 0.0}, "positive max_log_scale. Received: 0.0"),
    ],
)
def test_wrong_arguments_are_one_sentence(arguments, message):
    with pytest.raises(InputError, match=message):
        ConditionalGlow.from_preset(**arguments)


def test_initialize_whitens_training_maps_exactly_as_said(dataset):
    model = ConditionalGlow.from_preset("tiny", map_size=8, dtype="float64", num_steps_per_level=3)
    model.compile(jit_compile=False)
    before = -np.mean(model.log_prob(dataset.maps, dataset.theta)) / 64
    model.initialize(dataset)
    z = model.encode(dataset.maps, dataset.theta).numpy()
    assert np.allclose(np.mean(z**2, axis=0).mean(), 1.0, atol=0.01)
    assert -np.mean(model.log_prob(dataset.maps, dataset.theta)) / 64 < before - 0.5
    log10_maps = np.log10(dataset.maps.astype(np.float64))
    assert np.allclose(model.map_shift, log10_maps.mean())
    assert np.allclose(np.exp(model.map_log_scale), log10_maps.std())


def model_of_pixel_curve(dataset):
    model = ConditionalGlow.from_preset("tiny", map_size=8, dtype="float64", use_pixel_curve=True)
    model.compile(jit_compile=False)
    return model.initialize(dataset)


def test_a_pixel_curve_gives_the_pixels_of_a_simulation_a_normal_distribution(dataset):
    skewed = np.exp(0.5 * (np.log10(dataset.maps.astype(np.float64)) - 6.0))
    dataset = HIMapDataset.from_arrays(10.0**skewed, dataset.theta)
    model = model_of_pixel_curve(dataset)
    log10_maps = np.log10(dataset.maps.astype(np.float64))
    by_simulation = log10_maps.reshape(dataset.num_simulations, -1)
    x = by_simulation - by_simulation.mean(axis=1, keepdims=True)
    x /= x.std(axis=1, keepdims=True)
    levels = [-2.0, -1.0, 0.0, 1.0, 2.0]
    normal = model.pixel_curve.inverse(tf.constant(x.reshape(-1, 8, 8, 1))).numpy()
    np.testing.assert_allclose(np.quantile(normal, ndtr(levels)), levels, atol=0.03)
    assert np.max(np.abs(np.quantile(x, ndtr(levels)) - levels)) > 0.1
    z = model.encode(dataset.maps, dataset.theta).numpy()
    assert np.allclose(np.mean(z**2, axis=0).mean(), 1.0, atol=0.01)


def test_a_pixel_curve_is_a_line_where_pixels_are_normal_at_fixed_parameters():
    """All together they are a mixture of widths, which is not normal."""
    rng = np.random.default_rng(0)
    theta = np.repeat(np.stack([np.linspace(0.15, 0.45, 12), np.full(12, 0.8)], axis=1), 30, axis=0)
    normal = rng.standard_normal((len(theta), 8, 8))
    log10_maps = 6.5 + theta[:, :1, None] + (0.1 + theta[:, :1, None]) * normal
    model = model_of_pixel_curve(HIMapDataset.from_arrays(10.0**log10_maps, theta))
    levels = np.linspace(-2.0, 2.0, 9)
    found = model.pixel_curve.inverse(tf.constant(levels.reshape(1, 9, 1, 1))).numpy().ravel()
    np.testing.assert_allclose(found, levels, atol=0.03)
    mixed = (log10_maps - log10_maps.mean()) / log10_maps.std()
    assert np.max(np.abs(np.quantile(mixed, ndtr(levels)) - levels)) > 0.06


def test_initialize_refuses_what_cannot_be_trained_on(dataset):
    with pytest.raises(InputError, match="16 x 16.*Received: 8 x 8"):
        ConditionalGlow.from_preset("tiny").initialize(dataset)
    with pytest.raises(InputError, match="Omega_m, A_SN1.*Received: Omega_m, sigma_8"):
        ConditionalGlow.from_preset("tiny", map_size=8, parameters=["Omega_m", "A_SN1"]).initialize(dataset)
    outside = HIMapDataset.from_arrays(dataset.maps, dataset.theta + [[0.0, 0.3]])
    with pytest.raises(InputError, match="sigma_8 of .* lies outside"):
        ConditionalGlow.from_preset("tiny", map_size=8).initialize(outside)


def test_all_presets_are_complete():
    assert set(PRESETS) == {"paper", "higlow", "compact", "tiny"}
