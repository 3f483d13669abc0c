"""A run's folder: what is written when, and how it is read back."""

import csv
import io
import warnings
from pathlib import Path

from higlow_tf.errors import InputError, InputWarning
from higlow_tf.files import is_empty_folder, whole_path, write_json
from higlow_tf.models.model_file import check_model_file, read_model_config
from higlow_tf.models.posterior_record import forget_posterior_records
from higlow_tf.models.saving import FORMAT_VERSION, check_format_version, write_model
from higlow_tf.models.split_file import SPLIT_FILE, read_split_file
from higlow_tf.runs.checkpoint import Checkpoints
from higlow_tf.runs.config import RunConfig, read_run_config, write_run_config
from higlow_tf.runs.history_file import read_history
from higlow_tf.versions import versions

__all__ = ["RUN_FILES", "RunDirectory"]

RUN_FILES = (
    "config.yaml", "split.json", "versions.json", "format_version", "history.csv", "model.keras", "checkpoints",
    "calibration.json", "typicality.json",
)  # fmt: skip
"""What a run may hold, by name."""


class RunDirectory:
    """What a run leaves on disk.

    Files:
        config.yaml, split.json, versions.json, format_version: before training.
        checkpoints/last.npz: after every epoch; all that a bit-exact continuation needs. previous.npz: the one before.
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
    def checkpoints(self):
        """`Checkpoints`: the last two."""
        return Checkpoints(self.path / "checkpoints")

    @property
    def model_path(self):
        """The best model."""
        return self.path / "model.keras"

    def create(self, config: RunConfig, split_record):
        """Starts a new run; there must be none in the folder."""
        paths = {name: self.path / name for name in RUN_FILES}
        found = [name for name, path in paths.items() if path.exists() and not is_empty_folder(path)]
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
        """Writes the best model so far. A calibration of the model before is removed, because it does not hold for this one.

        Returns:
            The bytes of the file.
        """
        forget_posterior_records(self.path)
        write_model(model, self.model_path)
        return self.model_path.read_bytes()

    def continue_from(self, checkpoint):
        """Makes the files of the run those of a checkpoint; what is of later epochs, or damaged, is replaced.

        Args:
            checkpoint: `Checkpoint` that `checkpoints` gave.

        Raises:
            InputError: If model.keras is damaged, and the checkpoint is of an older version, which holds no model.

        Warns:
            InputWarning: If model.keras was not the best model of the checkpoint, and was written again.
        """
        if checkpoint.best_model is not None:
            self._restore_model(checkpoint)
        elif checkpoint.state["best"] is not None:
            check_model_file(self.model_path)
        self.checkpoints.continue_from(checkpoint)
        self.write_history(checkpoint.state["history"])

    def _has_end_layers(self):
        try:
            return read_model_config(self.model_path).get("use_end_layers", False)
        except InputError:
            return False

    def _restore_model(self, checkpoint):
        if self.model_path.is_file() and self.model_path.read_bytes() == checkpoint.best_model:
            return
        is_ended = self._has_end_layers()
        forget_posterior_records(self.path)
        with whole_path(self.model_path) as part:
            part.write_bytes(checkpoint.best_model)
        if is_ended:  # the same model, which training goes on without them
            return
        warnings.warn(
            f"{self.model_path}: was missing, damaged or of a later epoch than {checkpoint.path}. It was taken from there.",
            InputWarning,
            stacklevel=3,
        )
