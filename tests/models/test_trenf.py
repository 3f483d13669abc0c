"""What is special about TRENF, and its runs; the rest is in the contract."""

import numpy as np
import pytest
from flow_cases import CASES, randomise
from toy_models import make_maps

from higlow_tf.errors import InputError
from higlow_tf.models import TRENF, TRENF_PRESETS, HIFlow, load_model, preset
from higlow_tf.networks import FilterNetwork, wave_numbers
from higlow_tf.runs import RunConfig, RunDirectory, train_run
from higlow_tf.symmetries import NUM_SQUARE_SYMMETRIES, square_symmetry

SMALL = {"map_size": 8, "width": 4}
# Of densities: float64 sums of some hundred terms, in another order.
ROUNDING = 1e-11


def test_the_density_knows_no_origin_and_no_axes():
    model = CASES["TRENF"].build(map_size=8)
    theta = model.parameters.sample_uniform(NUM_SQUARE_SYMMETRIES, seed=0)[:1].repeat(NUM_SQUARE_SYMMETRIES, axis=0)
    hi_map = 10.0 ** np.random.default_rng(0).normal(6.5, 0.4, (1, 8, 8))
    copies = [np.roll(square_symmetry(hi_map, n)[0], (n, 2 * n), (0, 1)) for n in range(NUM_SQUARE_SYMMETRIES)]
    log_prob = np.asarray(model.log_prob(np.stack(copies), theta))
    np.testing.assert_allclose(log_prob, log_prob[0], rtol=ROUNDING)
    swapped = hi_map.copy()
    swapped[0, 0, [0, 3]] = swapped[0, 0, [3, 0]]
    assert abs(model.log_prob(swapped, theta[:1])[0] - log_prob[0]) > 1e5 * ROUNDING * abs(log_prob[0])


def _whiteness(latents):
    """Mean square of the waves of latents `[N, H * H]`, by ring of wave numbers from 1 up."""
    side = int(np.sqrt(latents.shape[1]))
    squares = np.mean(np.abs(np.fft.fft2(latents.reshape(-1, side, side), norm="ortho")) ** 2, axis=0)
    ring = np.rint(wave_numbers(side))
    return np.array([squares[ring == k].mean() for k in range(1, side // 2 + 1)])


def test_a_fresh_model_whitens_the_training_maps(dataset):
    model = TRENF.from_preset("trenf", **SMALL)
    model.compile(jit_compile=False)
    model.initialize(dataset)
    log10_maps = np.log10(dataset.maps.astype(np.float64)).reshape(dataset.num_maps, -1)
    before = _whiteness((log10_maps - log10_maps.mean()) / log10_maps.std())
    after = _whiteness(np.asarray(model.encode(dataset.maps, dataset.theta)))
    assert np.abs(np.log(before)).max() > 1.0
    assert np.abs(np.log(after)).max() < 0.3


def test_a_filter_is_the_nearest_that_its_knots_allow():
    layer = FilterNetwork(16, 1, 2, num_knots=7, width=3, dtype="float64")
    layer.build(None)
    wave_number = wave_numbers(16)
    # A power law has a logarithm that is linear in ln k: the knots allow it. The mean has a knot of its own.
    wanted = np.where(wave_number > 0.0, 0.3 - 0.4 * np.log(np.maximum(wave_number, 1.0)), 0.7)
    layer.start_at(wanted[None])
    found = layer(np.zeros((1, 2)))[0, :, :, 0]
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_presets_have_the_stated_number_of_weights():
    for name in TRENF_PRESETS:
        config = preset(name)
        width, knots = config["width"], config["num_filter_knots"] + 2 * config["num_curve_knots"]
        # Of two parameters; four numbers of the scaler.
        expected = config["num_blocks"] * (6 * width + knots * (width + 1)) + 4
        assert TRENF.from_preset(name).count_params() == expected < 12_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "hiflow16"}, "Expected one of the presets trenf. Received: 'hiflow16'"),
        ({"name": "trenf", "num_knots": 4}, "did you mean 'num_curve_knots'|did you mean 'num_filter_knots'"),
        ({"name": "trenf", "num_curve_knots": 2}, "num_curve_knots of at least 3. Received: 2"),
        ({"name": "trenf", "num_blocks": 0}, "num_blocks of at least 1. Received: 0"),
    ],
)
def test_wrong_arguments_are_one_sentence(arguments, message):
    with pytest.raises(InputError, match=message):
        TRENF.from_preset(**arguments)
    with pytest.raises(InputError, match="Received: 'trenf'"):
        HIFlow.from_preset("trenf")


@pytest.mark.slow
def test_a_run_learns_and_its_model_is_loaded(tmp_path):
    maps, theta = make_maps(20, 4)
    np.save(tmp_path / "Maps_HI_Toy_LH_z=6.00.npy", maps.astype("f4"))
    np.savetxt(tmp_path / "params_LH_Toy.txt", theta[::4], header="Omega_m sigma_8")
    content = {
        "data": {"maps": tmp_path / "Maps_HI_Toy_LH_z=6.00.npy", "params": tmp_path / "params_LH_Toy.txt"},
        "preset": "trenf",
        "model": {"width": 4, "num_blocks": 2},
        "training": {"epochs": 4, "batch_size": 8, "warmup_steps": 2, "learning_rate": 1e-2, "jit_compile": False},
    }
    train_run(RunConfig.model_validate(content), tmp_path / "run")
    history = RunDirectory(tmp_path / "run").read_history()
    assert history["loss"][3] < history["loss"][0] - 0.01
    loaded = load_model(tmp_path / "run")
    assert isinstance(loaded, TRENF)
    randomise(loaded)
    loaded.compile(jit_compile=False)
    assert np.isfinite(loaded.sample([[0.3, 0.8]], seed=2)).all()
