"""The end of a run: its best model gets end layers, once, also after a kill between the last epoch and them."""

import shutil

import numpy as np
import pytest
from toy_run import SMALL, with_warnings, write_files

from higlow_tf.errors import InputError
from higlow_tf.models import load_model
from higlow_tf.runs import end_of_training, open_run, train
from higlow_tf.runs import training as training_module

OPTIONS = {**SMALL, "end_layers": None, "epochs": 1}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Enough for end layers: 14 training simulations of 6 maps."""
    return write_files(tmp_path_factory.mktemp("data"), 6)


@pytest.fixture(scope="module")
def killed(files, tmp_path_factory):
    """A run that ended between its last epoch and its end layers."""
    out = tmp_path_factory.mktemp("runs") / "killed"

    def end(*arguments, **options):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_module, "end_training", end)
        with pytest.raises(KeyboardInterrupt):
            train(**OPTIONS, **files, out=out)
    assert not load_model(out).use_end_layers  # it can be used as it is
    return out


@pytest.fixture(scope="module")
def ended(killed, tmp_path_factory):
    """That run, continued: (path, progress, warnings)."""
    out = shutil.copytree(killed, tmp_path_factory.mktemp("runs") / "ended")
    stages = []
    (run, said) = with_warnings(lambda: train(out=out, resume=True, progress=lambda *stage: stages.append(stage)))
    return run, stages, said


def test_resume_adds_what_is_missing_and_trains_no_more(killed, ended):
    run, stages, _ = ended
    assert {stage for stage, _, _ in stages} == {"end layers"}
    assert stages[-1][1] == stages[-1][2]
    assert run.end_layer_fit.num_maps == 84
    assert run.model.use_end_layers
    assert (run.path / "history.csv").read_bytes() == (killed / "history.csv").read_bytes()
    bare = load_model(killed)
    for a, b in zip(bare.trainable_variables, run.model.trainable_variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_a_run_with_end_layers_is_over(ended):
    with pytest.raises(InputError, match="expected a run with time and epochs left"):
        train(out=ended[0].path, resume=True)


def test_a_longer_run_trains_on_without_and_ends_with_new_ones(ended, tmp_path):
    out = shutil.copytree(ended[0].path, tmp_path / "run")
    run, said = with_warnings(lambda: train(out=out, resume=True, epochs=2))
    assert len(run.history["epoch"]) == 2
    assert run.model.use_end_layers
    assert not [text for text in said if "model.keras" in text]
    before, after = ended[0].model.end_layer_weights, run.model.end_layer_weights
    assert not np.array_equal(before.knots_x.numpy(), after.knots_x.numpy())


def test_second_stage_starts_without_them(ended, files, tmp_path):
    run = train(
        start_from=ended[0].path, out=tmp_path / "second", epochs=1, batch_size=16, end_layers=False,
        settings={"training.jit_compile": False, "training.posterior_weight": 0.0, "training.learning_rate": 1e-12},
    )  # fmt: skip
    assert not run.model.use_end_layers
    for a, b in zip(ended[0].model.trainable_variables, run.model.trainable_variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-6)


def test_no_end_layers_leaves_them_out(killed, tmp_path):
    out = shutil.copytree(killed, tmp_path / "run")
    run = open_run(out)
    without = run.config.model_copy(update={"training": run.config.training.model_copy(update={"end_layers": False})})
    assert end_of_training.lacks_end_layers(run._directory, run.config)
    assert not end_of_training.lacks_end_layers(run._directory, without)


def test_too_few_maps_are_said_and_leave_the_model_as_it_is(killed, files, tmp_path):
    few = write_files(tmp_path, 3)
    run, said = with_warnings(lambda: train(**OPTIONS, **few, out=tmp_path / "run"))
    assert run.end_layer_fit is None
    assert not run.model.use_end_layers
    assert any("need 64 maps of 8 simulations, and 42 of 14" in text for text in said)
