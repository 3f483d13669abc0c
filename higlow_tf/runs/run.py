"""A run that was trained, or is being trained: what a notebook needs from it."""

from functools import cached_property
from pathlib import Path

import numpy as np

from higlow_tf.errors import InputError
from higlow_tf.files import write_json
from higlow_tf.gallery import find_run
from higlow_tf.models import load_model
from higlow_tf.models.posterior_record import CALIBRATION_FILE, TYPICALITY_FILE
from higlow_tf.models.split_file import SUBSETS
from higlow_tf.ownership import owned_folder
from higlow_tf.runs.directory import RUN_FILES, RunDirectory
from higlow_tf.runs.reading import load_data_like
from higlow_tf.runs.split_record import subset_of

__all__ = ["Run", "open_run", "store_calibration"]


class Run:
    """A run on disk. Nothing is read before it is asked for.

    Args:
        path: Folder of the run, or the name of a published one.

    Attributes:
        path: The folder.
        config: `RunConfig`.
        split: Content of split.json: which simulations are in which subset, known by content.
        history: Columns of history.csv, one row an epoch.
        model: The model of the best validation epoch, with averaged weights.
        end_layer_fit: `EndLayerFit`, where `train` has just made it; else None.

    Raises:
        InputError: If this is not a run, or a newer version has written it.
    """

    def __init__(self, path):
        self.path = find_run(path)
        self._directory = RunDirectory(self.path)
        self.config, self.split = self._directory.open()
        self.end_layer_fit = None
        self._last_read = None  # files and what was read from them: the subsets need the same

    def __repr__(self):
        return f"Run({str(self.path)!r})"

    @property
    def history(self):
        """Columns of history.csv as float arrays; empty before the first epoch has ended."""
        return self._directory.read_history()

    @cached_property
    def model(self):
        """The model of the best validation epoch; see `load_model`."""
        return load_model(self.path)

    @property
    def best_epoch(self):
        """Row of `history` with the lowest validation loss, from 0.

        Raises:
            InputError: If no epoch had a finite validation loss.
        """
        losses = self.history.get("val_loss", np.array([]))
        if not np.isfinite(losses).any():
            raise InputError(
                f"{self.path}: expected an epoch with a finite validation loss (try a smaller learning rate). Received: none."
            )
        return int(np.nanargmin(losses))

    def data(self, subset="test", maps=None, params=None):
        """The maps of one subset of the split, read and floored as they were for training.

        Args:
            subset: "train", "validation" or "test".
            maps, params: Where the files are now; None if they are where they were when the run was trained.

        Returns:
            `HIMapDataset`.

        Raises:
            InputError: If the subset is unknown, or the files are not those of the run (by content, not by name).
        """
        if subset not in SUBSETS:
            raise InputError(f"subset: expected one of {', '.join(SUBSETS)}. Received: {subset!r}.")
        return subset_of(self.split, self.all_data(maps, params), subset)

    def all_data(self, maps=None, params=None):
        """All maps of the file that the run was trained on, as read; the arguments are those of `data`."""
        if maps is None:
            maps, params = self.config.data.map_files, params or self.config.data.params
        files = (*np.atleast_1d(maps).tolist(), params)
        if self._last_read is None or self._last_read[0] != files:
            self._last_read = files, load_data_like(self.split, maps, params)
        return self._last_read[1]

    def store_calibration(self, fit):
        """Stores what `higlow_tf.evaluation.calibrate` has fitted, so that `infer` and the export apply it from now on.

        Args:
            fit: `PosteriorFit`: `calibration` and `typicality`, each with `to_config()`.
        """
        store_calibration(self.path, self.model, fit)


def store_calibration(directory, model, fit):
    """Stores a fit of `higlow_tf.evaluation.calibrate` with a run or a saved model, and with its loaded model."""
    model.calibration, model.typicality = fit.calibration.to_config(), fit.typicality.to_config()
    with owned_folder(directory, "run") as folder:
        # The model was loaded from here: the files with these names are those of a run or a model.
        folder.adopt(RUN_FILES)
        write_json(model.calibration, Path(directory) / CALIBRATION_FILE)
        write_json(model.typicality, Path(directory) / TYPICALITY_FILE)


def open_run(path):
    """Opens the folder of a run, as `train` or `higlow train` has written it, or a published one by its name; see `Run`."""
    return Run(path)
