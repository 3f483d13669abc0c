"""An ensemble as a run: trained in turn, continued, replaced, found by `load_model`, calibrated, exported and published."""

import numpy as np
import pytest
import tensorflow as tf
from toy_models import make_maps
from toy_run import SMALL, StopIn

from higlow_tf.errors import InputError
from higlow_tf.evaluation import CalibrationOptions, calibrate_on_own_maps
from higlow_tf.files import write_json
from higlow_tf.inference import Calibration, FlowEnsemble, ensemble_of, infer, num_flows_of
from higlow_tf.models import load_model
from higlow_tf.ownership import owned_folder
from higlow_tf.runs import open_run, store_calibration, train
from higlow_tf.serving import export_model


@pytest.fixture(scope="module")
def ensemble(files, tmp_path_factory):
    """A run of two flows."""
    return train(**SMALL, **files, out=tmp_path_factory.mktemp("runs") / "ensemble", ensemble=2).path


def weights_of(model):
    return np.concatenate([np.ravel(weight) for weight in model.get_weights()])


def test_each_flow_is_a_run_of_its_own_seed(ensemble, files, tmp_path):
    folders = [ensemble, ensemble / "member_2"]
    first, second = (open_run(folder) for folder in folders)
    assert (first.config.training.seed, second.config.training.seed) == (0, 1)
    assert second.config.model == first.config.model | {"seed": 1}
    assert first.config.data == second.config.data
    assert first.split == second.split
    models = [load_model(folder) for folder in folders]
    assert np.abs(weights_of(models[0]) - weights_of(models[1])).max() > 0.01
    # The second is what its seeds give by themselves.
    settings = SMALL["settings"] | {"training.seed": 1, "model.seed": 1}
    alone = train(**{**SMALL, "settings": settings}, **files, out=tmp_path / "alone")
    assert alone.history["val_loss"] == pytest.approx(second.history["val_loss"], abs=1e-3)


def test_load_model_finds_the_others_when_they_are_asked_for(ensemble):
    model = load_model(ensemble)
    assert num_flows_of(model) == 2
    flows = ensemble_of(model, 2).flows
    assert flows[0] is model
    assert ensemble_of(model, 2).flows[1] is flows[1]  # loaded once
    assert len(model.get_weights()) == len(load_model(ensemble / "member_2").get_weights())
    assert num_flows_of(load_model(ensemble / "member_2")) == 1
    maps = open_run(ensemble).data("test").maps[:3]
    theta = model.parameters.sample_uniform(3, seed=0)
    expected = np.mean([flow.log_prob(maps, theta) for flow in flows], axis=0)
    np.testing.assert_allclose(ensemble_of(model, 2).log_prob(maps, theta), expected, rtol=1e-6)


def test_an_interrupted_ensemble_goes_on_where_it_stopped(files, tmp_path):
    out = tmp_path / "run"

    class StopInSecondFlow(StopIn):
        def on_epoch_begin(self, epoch, logs=None):
            if (out / "member_2").exists():
                super().on_epoch_begin(epoch, logs)

    with pytest.raises(KeyboardInterrupt):
        train(**SMALL, **files, out=out, ensemble=2, callbacks=[StopInSecondFlow(1)])
    first, second = (out / "model.keras").read_bytes(), open_run(out / "member_2")
    assert len(second.history["epoch"]) == 1
    train(out=out, resume=True, ensemble=2)
    assert (out / "model.keras").read_bytes() == first
    assert len(open_run(out / "member_2").history["epoch"]) == 2
    # A finished run gets more flows in the same way, and a repair of its posteriors does not hold any more.
    with owned_folder(out, "run"):
        write_json({"tempering": 0.5, "widening": 0.0, "num_flows": 2}, out / "calibration.json")
    train(out=out, resume=True, ensemble=3)
    assert num_flows_of(load_model(out)) == 3
    assert load_model(out).calibration is None
    with pytest.raises(InputError, match="expected a run with time and epochs left"):
        train(out=out, resume=True)


@pytest.mark.slow
def test_replacing_a_run_replaces_its_members(files, tmp_path):
    out = tmp_path / "run"
    train(**SMALL, **files, out=out, ensemble=2)
    mine = out / "notes.txt"
    mine.write_text("mine")
    train(**SMALL, **files, out=out, overwrite=True)
    assert num_flows_of(load_model(out)) == 1
    assert not (out / "member_2").exists()
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("value", [0, -1, 1.5, True, 65])
def test_a_number_of_flows_to_train_is_checked(files, tmp_path, value):
    with pytest.raises(InputError, match=r"ensemble: expected a number of flows, 1-64\. Received"):
        train(**SMALL, **files, out=tmp_path / "run", ensemble=value)
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def wide_files(tmp_path_factory):
    """40 simulations: four to validate."""
    folder = tmp_path_factory.mktemp("wide")
    maps, theta = make_maps(40, 2)
    files = {"maps": folder / "Maps_HI_Toy_LH_z=6.00.npy", "params": folder / "params_LH_Toy.txt"}
    np.save(files["maps"], maps.astype("f4"))
    np.savetxt(files["params"], theta[::2], header="Omega_m sigma_8")
    return files


@pytest.mark.slow
def test_a_calibrated_ensemble_infers_and_serves_alike(wide_files, tmp_path):
    run = train(**SMALL, **wide_files, out=tmp_path / "run", ensemble=2)
    model = load_model(run.path)
    flows = ensemble_of(model, 2).flows
    for flow in flows:
        flow.compile(jit_compile=False)
    fit = calibrate_on_own_maps(model, run.all_data(), CalibrationOptions(num_symmetries=2))
    assert fit.calibration.num_flows == 2
    store_calibration(run.path, model, fit)
    assert Calibration.from_config(load_model(run.path).calibration).num_flows == 2
    maps = np.asarray(run.data("test").maps[:3], np.float32)
    posterior = infer(model, maps)
    np.testing.assert_allclose(posterior.mean, infer(FlowEnsemble(flows), maps).mean, rtol=1e-6)
    served = tf.saved_model.load(str(export_model(model, tmp_path / "served")))
    found = served.signatures["posterior"](hi_map=tf.constant(maps), theta_grid=tf.zeros([3, 0, 2]))
    assert np.abs((found["posterior_mean"] - posterior.mean) / posterior.sd).max() < 0.05
    np.testing.assert_allclose(found["posterior_sd"], posterior.sd, rtol=0.05)
    # The density is that of the first flow: a mean of log-densities is no density.
    theta = model.parameters.sample_uniform(3, seed=1).astype(np.float32)
    log_prob = served.signatures["log_prob"](hi_map=tf.constant(maps), theta=tf.constant(theta))["log_prob"]
    np.testing.assert_allclose(log_prob, model.log_prob(maps, theta), rtol=1e-5)
