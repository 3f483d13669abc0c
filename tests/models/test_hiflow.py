"""HIFlow: values, derivatives, training and runs; the PyTorch oracle is in tests/peers."""

import numpy as np
import pytest
import tensorflow as tf
from toy_models import make_maps

from higlow_tf.errors import InputError
from higlow_tf.models import HIFLOW_PRESETS, ConditionalGlow, HIFlow, load_model, preset, save_model
from higlow_tf.runs import RunConfig, RunDirectory, train_run

THETA = np.array([[0.3, 0.8], [0.15, 0.95], [0.45, 0.65]])
SMALL = {"map_size": 8, "width": 16, "num_blocks": 3}
# float64 arithmetic over three blocks of 64 pixels each.
EXACT = 1e-9
# A float32 pixel is drawn from those before it: rounding of 1e-7 grows over three blocks of 64.
FLOAT32 = 1e-4


def make_model(*, sd=0.1, dtype="float64", **overrides):
    """A small model whose weights are all randomised: a fresh one is the identity."""
    model = HIFlow.from_preset("hiflow16", dtype=dtype, **{**SMALL, **overrides})
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign_add(sd * rng.standard_normal(variable.shape))
    model.map_shift.assign(np.full(model.num_channels, 6.5))
    model.map_log_scale.assign(np.full(model.num_channels, np.log(0.4)))
    model.compile(jit_compile=False)  # compiling took most of the time of these tests
    return model


@pytest.mark.parametrize("ordering", ["reversed", "random"])
def test_latents_and_maps_are_inverse_to_each_other(ordering):
    model = make_model(ordering=ordering)
    z = np.random.default_rng(0).standard_normal((3, 64))
    maps = model.decode(z, THETA)
    assert maps.shape == (3, 8, 8)
    assert np.abs(model.encode(maps, THETA) - z).max() < EXACT
    again = model.decode(model.encode(maps, THETA), THETA)
    assert np.abs(np.log10(again) - np.log10(maps)).max() < EXACT


def test_log_prob_is_the_change_of_variables_and_the_condition_matters():
    model = make_model(map_size=2, num_channels=2, num_blocks=2)
    z = tf.constant(np.random.default_rng(1).standard_normal((1, 8)))
    copies = tf.repeat(z, 8, axis=0)
    with tf.GradientTape() as tape:
        tape.watch(copies)
        log10_maps = tf.math.log(model.decode(copies, np.repeat(THETA[:1], 8, axis=0))) / np.log(10.0)
        # Copy i is differentiated for output i: one backward pass.
        outputs = tf.linalg.diag_part(tf.reshape(log10_maps, [8, 8]))
    jacobian = tape.gradient(outputs, copies)
    expected = -0.5 * np.sum(z**2) - 4.0 * np.log(2.0 * np.pi) - np.linalg.slogdet(jacobian)[1]
    maps = model.decode(z, THETA[:1])
    np.testing.assert_allclose(model.log_prob(maps, THETA[:1]), [expected], rtol=EXACT)
    by_level = model.log_prob_by_level(maps, THETA)
    assert by_level.shape == (3, 1)
    assert np.ptp(by_level) > 1.0
    assert model.latent_shapes == [(2, 2, 2)]


def test_gradients_reach_every_weight():
    model = make_model()
    maps = model.sample(THETA, seed=2)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(model.log_prob(maps, THETA))
    for gradient in tape.gradient(total, [variable.value for variable in model.trainable_variables]):
        assert np.isfinite(gradient).all()
        assert np.any(gradient != 0.0)


def test_rows_depend_on_their_seed_and_parameters_alone():
    model = make_model(dtype="float32")
    maps = model.sample(THETA, seed=3)
    np.testing.assert_allclose(np.log10(model.sample(THETA[:1], seed=3)), np.log10(maps[:1]), rtol=FLOAT32)
    other = model.sample(np.concatenate([THETA[:1], THETA[:0:-1]]), seed=3)
    np.testing.assert_allclose(np.log10(other[0]), np.log10(maps[0]), rtol=FLOAT32)
    assert np.array_equal(model.sample(THETA, seed=3), maps)
    assert not np.any(np.isclose(model.sample(THETA, seed=4), maps, rtol=1e-6))
    np.testing.assert_allclose(model.log_prob(maps[1:2], THETA[1:2]), model.log_prob(maps, THETA)[1:2], rtol=1e-5)


def test_a_bad_map_is_nan_in_its_own_row():
    model = make_model(dtype="float32")
    maps = model.sample(THETA, seed=7).numpy()
    maps[1, 3, 3] = 0.0
    np.testing.assert_array_equal(np.isnan(model.log_prob(maps, THETA)), [False, True, False])


def test_a_fresh_model_is_white_noise_about_the_training_maps(dataset):
    model = HIFlow.from_preset("hiflow16", **SMALL)
    model.compile(jit_compile=False)
    model.initialize(dataset)
    log10_maps = np.log10(dataset.maps.astype(np.float64))
    white = 0.5 * np.log(2.0 * np.pi) + 0.5 + np.log(log10_maps.std())
    assert np.isclose(-np.mean(model.log_prob(dataset.maps, dataset.theta)) / 64, white, atol=1e-4)  # sums of float32


def test_presets_have_the_stated_number_of_weights():
    counts = {name: HIFlow.from_preset(name).count_params() for name in HIFLOW_PRESETS}
    assert counts["hiflow64"] < 20_000_000
    for name, count in counts.items():
        config = preset(name)
        dimensions, width = config["map_size"] ** 2, config["width"]
        # w1 and w2; biases b1 and b2; two parameters into both layers; four numbers of the scaler.
        block = 3 * dimensions * width + 3 * (width + 2 * dimensions)
        assert count == config["num_blocks"] * block + 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "hiflow46"}, "did you mean 'hiflow64'"),
        ({"name": "tiny"}, "hiflow16, hiflow32, hiflow64.*Received: 'tiny'"),
        ({"name": "hiflow16", "widht": 4}, "did you mean width"),
        ({"name": "hiflow16", "ordering": "spiral"}, "Received: 'spiral'"),
        ({"name": "hiflow16", "num_blocks": 0}, "num_blocks of at least 1. Received: 0"),
    ],
)
def test_wrong_arguments_are_one_sentence(arguments, message):
    with pytest.raises(InputError, match=message):
        HIFlow.from_preset(**arguments)
    with pytest.raises(InputError, match="Received: 'hiflow16'"):
        ConditionalGlow.from_preset("hiflow16")


def test_save_and_load_carry_everything(tmp_path):
    model = make_model(dtype="float32", ordering="random", parameters=["Omega_m", "A_SN1"])
    save_model(model, tmp_path / "model", split={"seed": 3})
    loaded = load_model(tmp_path / "model")
    assert isinstance(loaded, HIFlow)
    assert loaded.split == {"seed": 3}
    assert loaded.get_config() == model.get_config()
    assert np.array_equal(loaded.sample([[0.3, 1.0]]), model.sample([[0.3, 1.0]]))
    assert len({weight.path for weight in model.weights}) == len(model.weights)


def test_a_run_learns_and_goes_on_where_it_stopped(tmp_path):
    maps, theta = make_maps(20, 4)
    np.save(tmp_path / "Maps_HI_Toy_LH_z=6.00.npy", maps.astype("f4"))
    np.savetxt(tmp_path / "params_LH_Toy.txt", theta[::4], header="Omega_m sigma_8")
    content = {
        "data": {"maps": tmp_path / "Maps_HI_Toy_LH_z=6.00.npy", "params": tmp_path / "params_LH_Toy.txt"},
        "preset": "hiflow16",
        "model": {"width": 16, "num_blocks": 2},
        "training": {"epochs": 2, "batch_size": 16, "warmup_steps": 2, "learning_rate": 1e-2, "jit_compile": False},
    }
    run = tmp_path / "run"
    train_run(RunConfig.model_validate(content), run)
    (run / "config.yaml").write_text((run / "config.yaml").read_text().replace("epochs: 2", "epochs: 4"))
    train_run(None, run, resume=True)
    history = RunDirectory(run).read_history()
    assert history["epoch"].tolist() == [1, 2, 3, 4]
    assert history["val_loss"][3] < history["val_loss"][0] - 0.01
    assert isinstance(load_model(run), HIFlow)
