"""What is special about HIFlow, and its runs; the rest is in the contract, the PyTorch oracle in tests/peers."""

import numpy as np
import pytest
from flow_cases import randomise
from toy_models import make_maps
from toy_records import SPLIT

from higlow_tf.errors import InputError
from higlow_tf.models import HIFLOW_PRESETS, ConditionalGlow, HIFlow, load_model, preset, save_model
from higlow_tf.runs import RunConfig, RunDirectory, train_run

SMALL = {"map_size": 8, "width": 16, "num_blocks": 3}


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
        ({"name": "hiflow16", "widht": 4}, "did you mean 'width'"),
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
    model = HIFlow.from_preset("hiflow16", **SMALL, ordering="random", parameters=["Omega_m", "A_SN1"])
    randomise(model)
    model.compile(jit_compile=False)
    save_model(model, tmp_path / "model", split=SPLIT)
    loaded = load_model(tmp_path / "model")
    loaded.compile(jit_compile=False)
    assert isinstance(loaded, HIFlow)
    assert loaded.split == SPLIT
    assert loaded.get_config() == model.get_config()
    assert np.array_equal(loaded.sample([[0.3, 1.0]]), model.sample([[0.3, 1.0]]))


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
