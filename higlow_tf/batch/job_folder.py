"""The folder of a job: which parts are there, and whether they belong to this job."""

import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from higlow_tf.errors import InputError
from higlow_tf.files import remove_parts, whole_path, write_json
from higlow_tf.text_files import read_json

__all__ = ["FILES", "JobFolder", "check_is_folder_path", "found_parts"]

PARTS, JOB_FILE, SUMMARY_FILE, GRID_FILE = "parts", "job.json", "summary.json", "theta_grid.npy"
FILES = (JOB_FILE, SUMMARY_FILE, GRID_FILE)
"""What lies in the folder of a job beside its parts."""
_FORMAT_VERSION = 1
# As a path, s3://bucket has lost a slash.
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


class JobFolder:
    """A folder that is taken for a job.

    Files:
        job.json: the task, its settings, the model. Another job is refused.
        parts/*.parquet: the rows.
        theta_grid.npy: float32 `[G, P]`, for a posterior on other points than the model's own.
        summary.json: what the last call that came to its end has said.

    Args:
        owned: `OwnedFolder`.
        path: The folder in the words of the user.
        model: `ServedModel`.
        settings: `TaskSettings`.
        parts: All parts of the job.
    """

    def __init__(self, owned, path, model, settings, parts):
        self._owned, self._path = owned, path
        self._model, self._settings, self._parts = model, settings, parts
        self.parts_path = owned.path / PARTS

    def check(self, *, overwrite):
        """Refuses a folder that holds another job, and puts the parts to come on its list.

        Args:
            overwrite: Whether another job may be there; `settle` removes it.

        Raises:
            InputError: If the folder holds another job or parts of one.
        """
        # Workers of a job that was killed wrote under their own process numbers.
        remove_parts(self._owned.path)
        if not overwrite:
            self._check_same_job()
            self._check_no_other_parts()
        self._owned.claim_names([f"{PARTS}/{part.name}" for part in self._parts])

    def settle(self):
        """Makes the folder that of this job, once it is certain that the job runs: what another left is removed."""
        asked = {f"{PARTS}/{part.name}" for part in self._parts}
        earlier = {name for name in self._owned.files if name.startswith(f"{PARTS}/")} | {SUMMARY_FILE, GRID_FILE}
        self._owned.remove_files(earlier - asked)
        write_json(self._job(), self._owned.path / JOB_FILE)
        if self._settings.task == "posterior" and len(grid := self._settings.theta_grid(self._model)):
            with whole_path(self._owned.path / GRID_FILE) as part:
                np.save(part, grid)

    def check_arrived(self, record):
        """Refuses a part that an actor says it has written and that is not here.

        Raises:
            InputError: If the machine of the actor has another folder of this name.
        """
        path = self.parts_path / self._parts[record.item].name
        if not record.problem and not path.exists():
            raise InputError(
                f"{self._path}: expected a folder that all machines of the cluster share. Received: one that only some see, "
                f"without {path.name}."
            )

    def finish(self, summary):
        """Writes the summary."""
        write_json(summary.to_json(), self._owned.path / SUMMARY_FILE)

    def _job(self):
        return {
            "format_version": _FORMAT_VERSION,
            "model_hash": self._model.content_hash,
            "model": self._model.name,
            "parameters": list(self._model.parameters.names),
            **self._settings.identity(),
        }

    def _check_same_job(self):
        path = self._owned.path / JOB_FILE
        if not path.exists():
            return
        found, wanted = read_json(path, "the record of a batch job"), self._job()
        if not isinstance(found, dict) or found.get("format_version") != _FORMAT_VERSION:
            raise InputError(f"{path}: expected the record of a batch job. Received: something else.")
        other = [name for name in wanted if name != "model" and found.get(name) != wanted[name]]
        if other:
            there, here = (f"{other[0]} {record.get(other[0])}" for record in (found, wanted))
            raise InputError(
                f"{self._path}: expected a job with {there}, whose parts are there, another folder, or --overwrite. "
                f"Received: {here}."
            )

    def _check_no_other_parts(self):
        """What is there and is not asked for would be counted as results by whoever reads the folder."""
        asked = {part.name for part in self._parts}
        if not self.parts_path.is_dir():
            return
        others = sorted(p.name for p in self.parts_path.glob("*.parquet") if p.name not in asked)
        if others:
            raise InputError(
                f"{self._path}: expected no parts but those of these files as they are now (a file that is missing, has changed "
                f"or has other parameters is another), another folder, or --overwrite. Received: {others[0]}."
            )


def check_is_folder_path(path):
    """Refuses an address: a job needs renames and locks, and would make a folder of that name on this machine.

    Raises:
        InputError: If it is one.
    """
    if _ADDRESS.match(str(path)):
        raise InputError(
            f"{path}: expected a folder of a file system that this machine has mounted. Received: an address; only maps are "
            "read from addresses."
        )


def found_parts(folder, parts):
    """The parts that are in the folder of a job, and whole.

    Args:
        folder: The folder, which may be missing.
        parts: List of `Part`.

    Returns:
        Dict: number of the part -> its counts, as `counts_of` gave them, and `size`.
    """
    found = {}
    for number, part in enumerate(parts):
        path = folder / PARTS / part.name
        try:
            counts = json.loads(pq.read_metadata(path).metadata[b"higlow"])
            if counts["rows"] == part.num_rows:
                found[number] = counts | {"size": path.stat().st_size}
        except (OSError, KeyError, TypeError, ValueError, pa.ArrowException):
            continue  # it is computed again
    return found
