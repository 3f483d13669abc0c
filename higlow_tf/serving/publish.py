"""Publishes a run: a small folder with the model in both forms, its card, and answers to check a copy against."""

import os
import shutil
from pathlib import Path, PurePath

import numpy as np

from higlow_tf.errors import InputError
from higlow_tf.files import check_new, whole_path, write_json
from higlow_tf.inference.calibration import Calibration
from higlow_tf.inference.marginal_likelihood import parameters_of_interest
from higlow_tf.models import load_model
from higlow_tf.models.companions import member_folder
from higlow_tf.runs import RunConfig, RunDirectory, maps_for_testing
from higlow_tf.runs.config import write_run_config
from higlow_tf.serving.export import export_model
from higlow_tf.serving.published_card import check_additions, write_published_card
from higlow_tf.serving.reference import REFERENCE_FORMAT_VERSION, reference_answers

__all__ = ["publish_model"]

_OF_FLOW = ("model.keras", "history.csv", "format_version", "versions.json")
_COPIED = (*_OF_FLOW, "calibration.json", "typicality.json")
_PUBLISHED = ("run", "1", "examples.npz", "reference.json", "README.md")
_NUM_EXAMPLES = (3, 4)


def publish_model(run, out_dir, examples, metrics, *, changes=(), rivals=None, overwrite=False):
    """Writes what a newcomer needs to try a model, and nothing of the machine that trained it.

    Files:
        run/: the run without its checkpoints, for `load_model` and every command; paths are cut to file names. Of an ensemble,
            as many flows as the calibration was fitted with.
        1/: the SavedModel of `export_model`.
        examples.npz: hi_maps `[N, H, W]`, theta `[N, P]`, simulation `[N]`, parameters (names), units.
        reference.json: `reference_answers` on the examples, with the calibration.
        README.md: the card, made from the one for machines in `1/`.
        The folder appears whole or not at all.

    Args:
        run: Folder of a calibrated run.
        out_dir: New folder; its name is the model's.
        examples: `HIMapDataset` of three or four maps that the model was not trained on; of its parameters of interest at least.
        metrics: For the cards: name -> `Metric`, or dict with value, error, floor and n_simulations.
        changes, rivals: For the cards: what changed, and what other methods reach; see `write_published_card`.
        overwrite: Whether an existing folder may be replaced.

    Returns:
        The folder.

    Raises:
        InputError: If the run is not calibrated, if its model is not one of log10 maps, if there are too many or too few
            examples, if these are training maps, or if a file is in the way.
    """
    run, out_dir = Path(run), check_new(Path(out_dir), overwrite, is_folder=True, own_names=_PUBLISHED)
    missing = [name for name in _COPIED if not (run / name).exists()]
    if missing:
        raise InputError(f"{run}: expected a calibrated run with {', '.join(_COPIED)}. Received: no {missing[0]}.")
    low, high = _NUM_EXAMPLES
    if not low <= examples.num_maps <= high:
        raise InputError(f"examples: expected {low} to {high} maps. Received: {examples.num_maps}.")
    check_additions(changes, rivals)
    model = load_model(run)
    if model.map_transform != "log10":
        raise InputError(
            f"{run}: expected a model of log10 maps, for the answers that a copy is checked against (export_model takes any). "
            f"Received: map_transform={model.map_transform!r}."
        )
    # Compiling would take far longer than answering.
    model.compile(jit_compile=False)
    examples, _ = maps_for_testing(model.split, examples)
    with whole_path(out_dir, overwrite, is_folder=True, own_names=_PUBLISHED) as part:
        _copy_run(run, part / "run", _COPIED)
        for number in range(2, 1 + Calibration.from_config(model.calibration).num_flows):
            _copy_run(member_folder(run, number), member_folder(part / "run", number), _OF_FLOW)
        _export(model, part, out_dir.resolve().name, metrics)
        hi_maps, theta = _write_examples(examples, parameters_of_interest(model), part / "examples.npz")
        answers = reference_answers(model, hi_maps, theta)
        write_json({"format_version": REFERENCE_FORMAT_VERSION, **answers}, part / "reference.json")
        write_published_card(part, "1", changes, rivals)
    return out_dir


def _copy_run(run, out, names):
    config, split = RunDirectory(run).open()
    out.mkdir(parents=True)
    for name in names:
        shutil.copyfile(run / name, out / name)
    write_json({**split, "source": _file_names(split["source"])}, out / "split.json")
    content = config.model_dump(mode="json")
    data = content["data"]
    for name in ("maps", "params", "parameters"):
        data[name] = _file_names(data[name])
    content["start_from"] = _file_names(content["start_from"])
    write_run_config(RunConfig.model_validate(content), out / "config.yaml")


def _file_names(paths):
    """Paths without their folders. Other values (names of parameters as mappings, None) stay as they are."""
    if isinstance(paths, list):
        return [_file_names(path) for path in paths]
    return PurePath(paths).name if isinstance(paths, str) else paths


def _export(model, folder, name, metrics):
    """Exports into a folder that does not have the model's name yet."""
    version = export_model(model, folder / name, metrics=metrics)
    os.replace(version, folder / version.name)
    version.parent.rmdir()


def _write_examples(examples, parameters, path):
    """Returns the maps, and their theta of the parameters of interest."""
    hi_maps = np.asarray(examples.maps, np.float32)
    theta = np.asarray(examples.theta)[:, [examples.parameters.names.index(name) for name in parameters.names]]
    np.savez_compressed(
        path,
        hi_maps=hi_maps,
        theta=theta,
        simulation=examples.simulation,
        parameters=np.array(parameters.names),
        units=np.array(examples.units),
    )
    return hi_maps, theta
