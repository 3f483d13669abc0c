"""Values, derivatives and shapes of the model; the PyTorch oracle is in tests/peers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from higlow_tf.data import HIMapDataset, ParameterSpec
from higlow_tf.errors import InputError, InputWarning
from higlow_tf.models import PRESETS, ConditionalGlow
from higlow_tf.networks import coupling_network

THETA = np.array([[0.3, 0.8], [0.15, 0.95], [0.45, 0.65]])
# float64 arithmetic over two levels of two steps; the largest term of a log_prob here is 1e3.
EXACT = 1e-9
# A float32 log_prob of 1e3 has a spacing of 6e-5, and its sums run over 64-256 terms.
FLOAT32 = 1e-5


def relative_error(a, b):
    a, b = np.asarray(a), np.asarray(b)
    return np.max(np.abs(a - b) / np.maximum(1.0, np.abs(b)))


def test_latents_and_maps_are_inverse_to_each_other(make_model):
    model = make_model(sd=0.02)
    z = np.random.default_rng(0).standard_normal((3, 256))
    maps = model.decode(z, THETA)
    assert np.abs(model.encode(maps, THETA) - z).max() < EXACT
    assert relative_error(np.log10(model.decode(model.encode(maps, THETA), THETA)), np.log10(maps)) < EXACT


@pytest.mark.parametrize("overrides", [{}, {"use_act_norm": True, "injector": "scalar", "padding": "zero"}])
def test_log_prob_is_the_change_of_variables_of_the_whole_flow(make_model, overrides):
    model = make_model(map_size=4, width=4, **overrides)
    z = np.random.default_rng(1).standard_normal((1, 16))

    @tf.function(autograph=False)
    def jacobian(z):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(z)
            log10_map = tf.reshape(tf.math.log(model.generate(z, tf.constant(THETA[:1]))), [-1]) / np.log(10.0)
        return tape.jacobian(log10_map, z, experimental_use_pfor=False)[:, 0, :]

    base = -0.5 * np.sum(z**2) - 8.0 * np.log(2.0 * np.pi)
    expected = base - np.linalg.slogdet(jacobian(tf.constant(z)).numpy())[1]
    assert relative_error(model.log_prob(model.decode(z, THETA[:1]), THETA[:1]), [expected]) < EXACT


def test_levels_add_up_and_have_the_sizes_of_the_latents(make_model):
    model = make_model()
    maps = model.sample(THETA, seed=1)
    by_level = model.log_prob_by_level(maps, THETA)
    assert by_level.shape == (3, 2)
    assert relative_error(tf.reduce_sum(by_level, axis=-1), model.log_prob(maps, THETA)) < EXACT
    assert sum(model.multiscale.latent_sizes) == 256


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
    assert model._compiled_density.experimental_get_tracing_count() == 1

    def num_nodes(num_steps):
        model = make_model(num_steps_per_level=num_steps)
        specs = tf.TensorSpec([None, 16, 16, 1], tf.float64), tf.TensorSpec([None, 2], tf.float64)
        graph = tf.function(model.density_by_level, autograph=False).get_concrete_function(*specs).graph
        functions = graph.as_graph_def().library.function
        return len(graph.as_graph_def().node) + sum(len(function.node_def) for function in functions)

    assert num_nodes(3) == num_nodes(9)


def test_gradients_reach_every_weight_and_theta(make_model):
    model = make_model()
    maps = model.sample(THETA, seed=2)
    theta = tf.constant(THETA)
    with tf.GradientTape() as tape:
        tape.watch(theta)
        total = tf.reduce_sum(model.log_prob(maps, theta))
    gradients = tape.gradient(total, [theta, *[variable.value for variable in model.trainable_variables]])
    for gradient in gradients:
        assert gradient is not None
        assert np.isfinite(gradient).all()
        assert np.any(gradient != 0.0)
    step = 1e-6
    forward, backward = (np.asarray(model.log_prob(maps, THETA + [[s * step, 0.0]])) for s in (1, -1))
    # Central differences of a value of 1e3 at step 1e-6: rounding gives 1e-7.
    assert relative_error(gradients[0][:, 0], (forward - backward) / (2.0 * step)) < 1e-5


def test_rows_do_not_depend_on_their_batch(make_model):
    model = make_model(dtype="float32")
    maps = model.sample(THETA, seed=3)
    assert relative_error(np.log10(model.sample(THETA[:1], seed=3)), np.log10(maps[:1])) < FLOAT32
    assert relative_error(model.log_prob(maps[1:2], THETA[1:2]), model.log_prob(maps, THETA)[1:2]) < FLOAT32
    many = np.resize(THETA, (70, 2))
    assert relative_error(np.log10(model.sample(many, seed=3)[:3]), np.log10(maps)) < FLOAT32


def test_seeds_and_temperature(make_model):
    model = make_model()
    first, again, other = (model.sample(THETA, seed=s) for s in (4, 4, 5))
    assert np.array_equal(first, again)
    assert not np.any(np.isclose(first, other, rtol=1e-6))
    cold = model.sample(np.repeat(THETA[:1], 2, axis=0), seed=4, temperature=0.0)
    assert np.array_equal(cold[0], cold[1])
    assert np.all(first > 0.0)


def test_samples_follow_the_density(make_model):
    """E[log p] over samples is minus the entropy: for a Gaussian base that of z minus the mean log-determinant."""
    model = make_model(map_size=4, width=4)
    theta = np.repeat(THETA[:1], 512, axis=0)
    maps = model.sample(theta, seed=6)
    z = model.encode(maps, theta).numpy()
    assert abs(z.mean()) < 5.0 / np.sqrt(z.size)
    assert abs(z.var() - 1.0) < 5.0 * np.sqrt(2.0 / z.size)


def test_a_bad_map_is_nan_in_its_own_row(make_model):
    model = make_model(dtype="float32")
    maps = model.sample(THETA, seed=7).numpy()
    good = model.log_prob(maps, THETA).numpy()
    for bad in (0.0, -1.0, np.nan, np.inf):
        broken = maps.copy()
        broken[1, 3, 3] = bad
        result = model.log_prob(broken, THETA).numpy()
        assert np.isnan(result[1])
        assert np.array_equal(result[[0, 2]], good[[0, 2]])


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
        ({"name": "tiny", "paddding": "zero"}, "did you mean padding"),
        ({"name": "tiny", "map_size": 18}, "4 divides.*Received: 18"),
        ({"name": "tiny", "padding": "mirror"}, "Received: 'mirror'"),
        ({"name": "tiny", "injector": "full"}, "Received: 'full'"),
        ({"name": "tiny", "width": [4, 4, 4]}, "one a level, 2"),
    ],
)
def test_wrong_arguments_are_one_sentence(arguments, message):
    with pytest.raises(InputError, match=message):
        ConditionalGlow.from_preset(**arguments)


def test_configuration_round_trip(make_model, tmp_path):
    model = make_model(dtype="float32", width=[4, 6], use_act_norm=True, parameters=["Omega_m", "A_AGN2"])
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.saving.load_model(path)
    assert loaded.get_config() == model.get_config()
    theta = [[0.3, 1.0]]
    assert np.array_equal(loaded.sample(theta, seed=1), model.sample(theta, seed=1))
    assert len({weight.path for weight in model.weights}) == len(model.weights)


def test_initialize_whitens_training_maps_exactly_as_said(dataset):
    model = ConditionalGlow.from_preset("tiny", map_size=8, dtype="float64", num_steps_per_level=3)
    before = -np.mean(model.log_prob(dataset.maps, dataset.theta)) / 64
    model.initialize(dataset)
    z = model.encode(dataset.maps, dataset.theta).numpy()
    assert np.allclose(np.mean(z**2, axis=0).mean(), 1.0, atol=0.01)
    assert -np.mean(model.log_prob(dataset.maps, dataset.theta)) / 64 < before - 0.5
    log10_maps = np.log10(dataset.maps.astype(np.float64))
    assert np.allclose(model.map_shift, log10_maps.mean())
    assert np.allclose(np.exp(model.map_log_scale), log10_maps.std())


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
