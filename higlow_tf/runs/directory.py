"""A run's folder: what is written when, and how it is read back."""

import csv
import io
import json
import zipfile
import zlib
from pathlib import Path

import numpy as np

from higlow_tf.errors import InputError
from higlow_tf.files import whole_path, write_json
from higlow_tf.models.posterior_record import forget_posterior_records
from higlow_tf.models.saving import FORMAT_VERSION, check_format_version, write_model
from higlow_tf.models.split_file import SPLIT_FILE, read_split_file
from higlow_tf.runs.config import RunConfig, read_run_config, write_run_config
from higlow_tf.runs.history_file import read_history
from higlow_tf.versions import versions

__all__ = ["RUN_FILES", "RunDirectory"]

RUN_FILES = (
    "config.yaml", "split.json", "versions.json", "format_version", "history.csv", "model.keras", "checkpoints",
    "calibration.json", "typicality.json",
)  # fmt: skip
"""What a run may hold, by name."""

_CHECKPOINT = "last.npz"


class RunDirectory:
    """What a run leaves on disk.

    Files:
        config.yaml, split.json, versions.json, format_version: before training.
        checkpoints/last.npz: after every epoch; all that a bit-exact continuation needs.
        model.keras: at every best validation epoch, with averaged weights.
        history.csv: after every epoch.
        calibration.json, typicality.json: by `higlow calibrate`.

    Each appears whole or not at all.

    Args:
        path: The folder.
    """

    def __init__(self, path):
        self.path = Path(path)

    @property
    def checkpoint_path(self):
        """The last checkpoint."""
        return self.path / "checkpoints" / _CHECKPOINT

    @property
    def model_path(self):
        """The best model."""
        return self.path / "model.keras"

    def create(self, config: RunConfig, split_record):
        """Starts a new run; there must be none in the folder."""
        found = [name for name in RUN_FILES if (self.path / name).exists()]
        if found:
            raise InputError(
                f"{self.path}: expected a new folder (or --resume, or --overwrite). Received: a folder with {found[0]}."
            )
        write_json(split_record, self.path / SPLIT_FILE)
        write_json(versions(), self.path / "versions.json")
        with whole_path(self.path / "format_version") as part:
            part.write_text(f"{FORMAT_VERSION}\n")
        write_run_config(config, self.path / "config.yaml")

    def open(self):
        """Reads the configuration and the split record of an existing run.

        Raises:
            InputError: If this is not a run, or a newer version has written it.
        """
        check_format_version(self.path)
        config_path = self.path / "config.yaml"
        if not config_path.exists():
            raise InputError(f"{self.path}: expected a run, a folder with config.yaml. Received: no such file.")
        return read_run_config(config_path), read_split_file(self.path / SPLIT_FILE)

    def is_readable(self):
        """Whether the folder holds a run: a configuration and a split record that can be read."""
        try:
            return isinstance(self.open()[1], dict)
        except (InputError, OSError, ValueError):
            return False

    def read_history(self):
        """Columns of history.csv as float arrays; empty if nothing was written yet.

        Raises:
            InputError: If the file is damaged.
        """
        path = self.path / "history.csv"
        return read_history(path) if path.exists() else {}

    def write_history(self, rows):
        """Writes one line an epoch from dicts with the same keys."""
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        with whole_path(self.path / "history.csv") as part:
            part.write_text(text.getvalue())

    def write_model(self, model):
        """Writes the best model so far. A calibration of the model before is removed, because it does not hold for this one."""
        forget_posterior_records(self.path)
        write_model(model, self.model_path)

    def write_checkpoint(self, model, average, state):
        """Writes weights, optimizer state, average, and a JSON-compatible state."""
        arrays = {
            **_numbered("weight", [np.array(v) for v in model.weights]),
            **_numbered("optimizer", [np.array(v) for v in model.optimizer.variables]),
            **_numbered("average", average.get_state()),
        }
        with whole_path(self.checkpoint_path) as part, open(part, "wb") as file:
            np.savez(file, state=json.dumps(state), **arrays)

    def restore_checkpoint(self, model, average):
        """Sets a compiled model and its average to the last checkpoint, and returns the state."""
        try:
            with np.load(self.checkpoint_path, allow_pickle=False) as file:
                _assign(model.weights, _in_order("weight", file))
                model.optimizer.build(model.trainable_variables)
                _assign(model.optimizer.variables, _in_order("optimizer", file))
                average.set_state(_in_order("average", file))
                return json.loads(str(file["state"]))
        except FileNotFoundError:
            raise InputError(
                f"{self.checkpoint_path}: expected a checkpoint to continue from. Received: no such file."
            ) from None
        except (ValueError, OSError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise InputError(
                f"{self.checkpoint_path}: expected a whole checkpoint of this model. Received: {error}."
            ) from error


def _numbered(name, arrays):
    return {f"{name}_{index:04d}": array for index, array in enumerate(arrays)}


def _in_order(name, file):
    return [file[key] for key in sorted(file.files) if key.startswith(f"{name}_")]


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
