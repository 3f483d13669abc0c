"""Training and opening a run from Python: what `higlow train`, `higlow audit` and a notebook share."""

import numpy as np
import pytest
from toy_models import make_maps

from higlow_tf.data import HIMapDataset, ZeroFloor
from higlow_tf.errors import InputError
from higlow_tf.runs import audit_run, load_data_like, maps_for_testing, open_run, train
from higlow_tf.runs.split_record import make_split_record

SMALL = {
    "epochs": 2,
    "batch_size": 16,
    "end_layers": False,
    "settings": {"model.num_levels": 1, "model.width": 4, "model.map_size": 8, "training.jit_compile": False},
}


@pytest.fixture(scope="module")
def trained(files, tmp_path_factory):
    """A run, and how its progress was told."""
    calls = []
    out = tmp_path_factory.mktemp("runs") / "run"
    run = train(preset="tiny", **files, out=out, progress=lambda *call: calls.append(call), **SMALL)
    return run, calls


def test_a_run_has_everything_a_notebook_wants(trained):
    run, _ = trained
    again = open_run(run.path)
    assert again.config == run.config
    assert again.config.training.epochs == 2
    assert list(again.history["epoch"]) == [1, 2]
    assert again.history["val_loss"][again.best_epoch] == again.history["val_loss"].min()
    assert again.model is again.model
    sizes = {name: again.data(name).num_simulations for name in ("train", "validation", "test")}
    assert sizes == {name: len(indices) for name, indices in again.split["simulations"].items()}
    assert maps_for_testing(again.split, again.data("test"))[1] == "4 test simulations of the file that was trained on"


def test_progress_grows_to_its_end(trained):
    _, calls = trained
    assert {stage for stage, _, _ in calls} == {"training"}
    done = [number for _, number, _ in calls]
    assert done == sorted(done)
    assert calls[-1] == ("training", 1000, 1000)


def test_files_that_have_moved_are_known_by_content(trained, files, tmp_path):
    run, _ = trained
    moved = tmp_path / files["maps"].name
    moved.write_bytes(files["maps"].read_bytes())
    np.testing.assert_array_equal(run.data("test", moved, files["params"]).maps, run.data("test").maps)
    np.save(moved, np.load(files["maps"])[::-1])
    with pytest.raises(InputError, match="expected the maps and parameters that the run was trained on"):
        run.data("test", moved, files["params"])


def test_an_existing_run_is_continued_or_replaced_but_never_by_default(trained, files, tmp_path):
    run, _ = trained
    with pytest.raises(InputError, match="expected a new folder"):
        train(preset="tiny", **files, out=run.path, **SMALL)
    longer = train(out=run.path, resume=True, epochs=3)
    assert list(longer.history["epoch"]) == [1, 2, 3]
    with pytest.raises(InputError, match="a run to continue, or a configuration"):
        train("config.yaml", out=run.path, resume=True)
    with pytest.raises(InputError, match="a RunConfig and options"):
        train(run.config, out=tmp_path / "other", epochs=3)
    with pytest.raises(InputError, match="Expected resume or overwrite"):
        train(out=run.path, resume=True, overwrite=True)


def test_a_continued_run_takes_over_its_length_and_nothing_else(trained):
    run, _ = trained
    before = (run.path / "config.yaml").read_bytes()
    config = run.config.model_copy(deep=True)
    config.training.batch_size += 1
    for data in (None, run.all_data()):
        with pytest.raises(InputError, match=r"no changes but epochs.*Received: training\.batch_size"):
            train(config, out=run.path, resume=True, data=data)
    assert (run.path / "config.yaml").read_bytes() == before
    epochs = len(run.history["epoch"]) + 1
    longer = train(out=run.path, resume=True, epochs=epochs, data=run.all_data())
    assert len(longer.history["epoch"]) == longer.config.training.epochs == epochs


def test_what_is_asked_wrong_is_said(trained, files):
    run, _ = trained
    with pytest.raises(InputError, match="expected one of train, validation, test. Received: 'tset'"):
        run.data("tset")
    with pytest.raises(InputError, match="expected a ParameterSpace"):
        load_data_like(None, files["maps"], files["params"])


def test_audit_tells_what_was_trained_on_and_judges_a_file(trained, files):
    run, _ = trained
    facts = audit_run(run.path)
    assert dict(facts.facts)["suite, set, redshift"] == "Toy, LH, 6.0"
    assert facts.is_usable is None
    assert sum(number for _, number, _ in facts.counts) == 20
    own = audit_run(run.path, files["maps"], files["params"])
    assert own.verdict.startswith("Yes, in part")
    assert own.is_usable


def test_test_maps_with_a_floor_are_known_by_their_simulations():
    """Pixels that got a floor are others than those of the record."""
    maps, theta = make_maps(20, 4)
    maps[:, 2, 3] = 0.0
    data = HIMapDataset.from_arrays(maps, theta)
    subsets = data.split_by_simulation((0.6, 0.2, 0.2))
    floor = ZeroFloor.fit(subsets[0])
    record = make_split_record(data, subsets, fractions=(0.6, 0.2, 0.2), seed=0, zero_floor=floor)
    assert "4 test simulations of the file" in maps_for_testing(record, floor.apply(subsets[2]))[1]
    assert "another file" in maps_for_testing(record, HIMapDataset.from_arrays(*make_maps(3, 2, seed=9)))[1]


def test_where_all_simulations_have_the_same_parameters_these_do_not_make_a_test_map():
    maps, theta = make_maps(20, 4)
    maps[:, 2, 3] = 0.0
    for set_name in ("CV", "LH"):
        theta = np.broadcast_to(theta[:1], theta.shape) if set_name == "CV" else make_maps(20, 4)[1]
        named = HIMapDataset.from_arrays(
            maps, theta, simulation=np.repeat(range(20), 4), suite="Toy", set_name=set_name
        )
        subsets = named.split_by_simulation((0.6, 0.2, 0.2))
        floor = ZeroFloor.fit(subsets[0])
        record = make_split_record(named, subsets, fractions=(0.6, 0.2, 0.2), seed=0, zero_floor=floor)
        floored_training_maps = floor.apply(named.select_simulations(subsets[0].simulation_indices))
        if set_name == "CV":
            assert "test simulations" not in maps_for_testing(record, floored_training_maps)[1]
        else:
            with pytest.raises(InputError, match="expected maps that the run was not trained on"):
                maps_for_testing(record, floored_training_maps)
