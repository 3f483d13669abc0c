"""What a model has computed for a report, kept by content: a second report asks the model nothing."""

import hashlib
import json
import shutil
import warnings
import zipfile
from pathlib import Path

import numpy as np

from higlow_tf.errors import InputWarning
from higlow_tf.files import whole_path
from higlow_tf.inference import load_posterior
from higlow_tf.versions import versions

__all__ = ["EvaluationCache"]

_DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


class EvaluationCache:
    """Arrays and posteriors in a folder, each named after all that it was computed from.

    A name holds the hash of the model's weights and configuration, of the inputs, and of the versions of the packages:
    a file is found again only by the same question to the same model. A damaged file is computed again, with an
    `InputWarning`.

    Args:
        model: The model whose results are kept.
        folder: Where the files go; None to keep nothing.
    """

    def __init__(self, model, folder=None):
        self._folder = None if folder is None else Path(folder)
        self._model_hash = None if folder is None else _hash_of(_configuration(model), *map(np.asarray, model.weights))

    def array(self, name, inputs, compute):
        """The array that `compute()` returns, or has returned for equal inputs before.

        Args:
            name: What it is; the beginning of the file's name.
            inputs: Arrays, and JSON-compatible values, that the result depends on beside the model.
            compute: Function without arguments.
        """
        return self._get_or_compute(self._path(name, inputs, ".npz"), _read_array, _write_array, compute)

    def posterior(self, inputs, compute):
        """As `array` for a `Posterior`; `compute(folder)` may keep in that folder (or None) what it has finished."""
        path = self._path("posteriors", inputs, ".h5")
        unfinished = None if path is None else path.with_suffix(".unfinished")
        result = self._get_or_compute(
            path,
            load_posterior,
            lambda posterior, file: posterior.save(file, overwrite=True),
            lambda: compute(unfinished),
        )
        if unfinished is not None:
            shutil.rmtree(unfinished, ignore_errors=True)
        return result

    def _path(self, name, inputs, suffix):
        if self._folder is None:
            return None
        return self._folder / f"{name}_{_hash_of(self._model_hash, versions(), *inputs)}{suffix}"

    def _get_or_compute(self, path, read, write, compute):
        if path is not None and path.exists():
            try:
                return read(path)
            except _DAMAGED as error:
                warnings.warn(f"{path} is damaged ({error}), and is computed again.", InputWarning, stacklevel=3)
        result = compute()
        if path is not None:
            write(result, path)
        return result


def _configuration(model):
    """What the weights do not say; the name of a model does not change its results."""
    return {key: value for key, value in model.get_config().items() if key != "name"}


def _hash_of(*parts):
    digest = hashlib.blake2b(digest_size=10)
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.shape} {part.dtype}".encode())
            digest.update(np.ascontiguousarray(part).tobytes())
        else:
            digest.update(json.dumps(part, sort_keys=True, default=str).encode())
    return digest.hexdigest()


def _read_array(path):
    # The zip archive holds a checksum: bits that have changed are noticed. NumPy leaves a damaged file open, `with` does not.
    with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
        return file["values"]


def _write_array(values, path):
    with whole_path(path) as part, open(part, "wb") as file:
        np.savez(file, values=values)
