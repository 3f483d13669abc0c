"""Saved models: a folder with the weights, the configuration and where they come from."""

import re
from pathlib import Path

import keras

from higlow_tf.errors import InputError
from higlow_tf.files import whole_path, write_json
from higlow_tf.gallery import find_run
from higlow_tf.models.companions import Companions
from higlow_tf.models.model_file import EXPECTED, check_model_file
from higlow_tf.models.posterior_record import CALIBRATION_FILE, TYPICALITY_FILE, read_posterior_records
from higlow_tf.models.split_file import SPLIT_FILE, check_split, read_split_file
from higlow_tf.text_files import read_text
from higlow_tf.versions import versions

__all__ = ["FORMAT_VERSION", "check_format_version", "load_model", "save_model", "write_model"]

FORMAT_VERSION = 1
_MODEL_FILES = ("model.keras", "split.json", "versions.json", "format_version", CALIBRATION_FILE, TYPICALITY_FILE)
_MAX_VERSION_BYTES = 100


def save_model(model, directory, *, split=None, overwrite=False):
    """Saves a model so that `load_model` gives it back with everything it needs.

    Files:
        model.keras (weights, configuration, scalers), split.json (with `split`, or the split that the model was loaded
        with), versions.json, format_version; calibration.json and typicality.json if the model was loaded with them.

    Args:
        model: `ConditionalGlow`, `HIFlow` or `TRENF`.
        directory: New folder.
        split: What the model was trained on, a dict as in a run's split.json; JSON-compatible.
        overwrite: Whether an existing folder may be replaced.

    Raises:
        InputError: If the folder exists and `overwrite` is false, or cannot be written, or the split is no such record.
    """
    split = model.split if split is None else split
    if split is not None:
        check_split(split)
    with whole_path(directory, overwrite, is_folder=True, own_names=_MODEL_FILES) as part:
        part.mkdir()
        write_model(model, part / "model.keras")
        write_json(versions(), part / "versions.json")
        if split is not None:
            write_json(split, part / SPLIT_FILE)
        for name, record in ((CALIBRATION_FILE, model.calibration), (TYPICALITY_FILE, model.typicality)):
            if record is not None:
                write_json(record, part / name)
        (part / "format_version").write_text(f"{FORMAT_VERSION}\n")


def load_model(directory):
    """Loads what `save_model` or a training run has written.

    A run's model is the one of its best validation epoch, with averaged weights.

    Args:
        directory: A folder of `save_model`, or a run; or the name of a model, such as "compact_mock", if there is no such
            folder (see `higlow_tf.gallery.gallery_folders`).

    Returns:
        The model; its attributes `split`, `calibration` and `typicality` hold the content of split.json and of what
        `higlow calibrate` has found, or None; `companions` finds the other flows of its ensemble, if it has some.

    Raises:
        InputError: If there is no model, it is damaged, or a newer version has written it. An unknown name is answered with the
            names that there are.
    """
    directory = find_run(directory)
    path = directory / "model.keras"
    if not directory.is_dir():
        raise InputError(f"{directory}: expected the folder of a model or a run. Received: no such folder.")
    check_format_version(directory)
    if not path.exists():
        raise InputError(
            f"{path}: expected a model, which appears after the first epoch of a run. Received: no such file."
        )
    check_model_file(path)
    try:
        model = keras.saving.load_model(path, compile=False)
    except Exception as error:  # whatever three libraries make of a file that was changed with its checksums
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: expected {EXPECTED}. Received: {reason}.") from error
    split_file = directory / SPLIT_FILE
    model.split = read_split_file(split_file) if split_file.exists() else None
    model.calibration, model.typicality = read_posterior_records(directory, model.parameters, model.nuisance)
    model.companions = Companions(directory, load_model)
    return model


def check_format_version(directory):
    """Refuses a folder that a newer version of this package has written, or whose format version is no number."""
    path = Path(directory) / "format_version"
    if path.exists():
        expected = f"format version {FORMAT_VERSION} or older"
        text = read_text(path, expected, _MAX_VERSION_BYTES).strip()
        # Not isdigit(): that is true for other digits than 0-9, too.
        if not re.fullmatch("[1-9][0-9]*", text) or int(text) > FORMAT_VERSION:
            raise InputError(f"{path}: expected {expected}. Received: {text!r}.")


def write_model(model, path):
    """Writes the weights and configuration of a model, without its optimizer, whole or not at all."""
    bare = type(model).from_config(model.get_config())
    for target, source in zip(bare.weights, model.weights, strict=True):
        target.assign(source.numpy())
    with whole_path(path) as part:
        bare.save(part)
