"""What a model has answered, in a folder: the same question to the same model is not asked again."""

import hashlib
import json
import struct
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np

from higlow_tf.errors import InputError, InputWarning
from higlow_tf.files import whole_path
from higlow_tf.versions import versions

__all__ = ["AnswerCache"]

# What NumPy and zipfile raise of a file that was cut off or changed.
_DAMAGED = (OSError, EOFError, KeyError, RuntimeError, ValueError, struct.error, zipfile.BadZipFile, zlib.error)
# Where the likelihoods of another object than a Keras model are taken, in the box of its prior.
_PROBES = 8


class AnswerCache:
    """One small file for each answer, named after the question and a hash of all that the answer was computed from.

    The hash covers the model, the inputs, and the versions of the packages. A Keras model is known by its weights and its
    configuration without its name. Any other object is known by its likelihoods of the maps in question at three points of
    its prior. A damaged file is computed again. Files appear whole or not at all, so that work that was interrupted goes on
    where it stopped.

    Args:
        folder: Where the files go; None to keep nothing.
        model: The model that answers.
    """

    def __init__(self, folder, model):
        self._model = model
        self._folder = None if folder is None else Path(folder)
        self._is_keras = hasattr(model, "get_config") and hasattr(model, "weights")
        self._model_hash = _hash_of_keras_model(model) if self._is_keras and folder is not None else None

    @property
    def is_kept(self):
        """Whether answers go to a folder."""
        return self._folder is not None

    def get_or_compute(self, question, inputs, compute, *, hi_maps=None):
        """The answer that `compute()` gives, or has given before.

        Args:
            question: What is asked; the beginning of the file's name.
            inputs: Arrays and JSON-compatible values that the answer depends on beside the model.
            compute: Function without arguments. It returns a dict of arrays, and something JSON-compatible.
            hi_maps: Maps in question, `[N, H, W]` (or `[N, H, W, C]`), by whose likelihoods an object that is no Keras model
                is known. They are not among the inputs by themselves.

        Returns:
            What `compute` returns.

        Raises:
            InputError: If the model is no Keras model and there are no maps by which it is known.

        Warns:
            InputWarning: If a file is damaged.
        """
        if self._folder is None:
            return compute()
        path = self._folder / f"{question}_{_hash_of(self._hash_of_model(hi_maps), versions(), *inputs)}.npz"
        if path.exists():
            try:
                return _read(path)
            except _DAMAGED as error:
                warnings.warn(f"{path} is damaged ({error}), and is computed again.", InputWarning, stacklevel=2)
        arrays, rest = compute()
        with whole_path(path) as part, open(part, "wb") as stream:
            np.savez_compressed(stream, rest=json.dumps(rest), **{f"array_{name}": arrays[name] for name in arrays})
        return arrays, rest

    def array(self, question, inputs, compute, *, hi_maps=None):
        """As `get_or_compute` for a `compute` that returns one array."""
        arrays, _ = self.get_or_compute(question, inputs, lambda: ({"values": compute()}, None), hi_maps=hi_maps)
        return arrays["values"]

    def _hash_of_model(self, hi_maps):
        if self._is_keras:
            return self._model_hash
        if hi_maps is None:
            raise InputError(
                "cache_dir: expected a Keras model, or a question about maps, whose likelihoods tell other objects apart. "
                f"Received: {type(self._model).__name__} without maps."
            )
        parameters = self._model.parameters
        theta = parameters.latin_hypercube(_PROBES, seed=0)
        log_prob = [self._model.log_prob(np.broadcast_to(m, (len(theta), *m.shape)), theta) for m in hi_maps]
        # Five digits: another machine rounds a float32 likelihood differently, another model changes more.
        return " ".join(f"{value:.4e}" for value in np.ravel(np.asarray(log_prob, np.float64)))


def _hash_of_keras_model(model):
    # The name of a model does not change its answers.
    config = {key: value for key, value in model.get_config().items() if key != "name"}
    return _hash_of(config, *map(np.asarray, model.weights))


def _hash_of(*parts):
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.shape} {part.dtype}".encode())
            digest.update(np.ascontiguousarray(part).tobytes())
        else:
            digest.update(json.dumps(part, sort_keys=True, default=str).encode())
        # Else two parts could mean the same as one.
        digest.update(b"\n")
    return digest.hexdigest()


def _read(path):
    # NumPy leaves a damaged file open, `with` does not. The zip archive holds a checksum: changed bits are noticed.
    with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
        arrays = {name.removeprefix("array_"): file[name] for name in file.files if name != "rest"}
        return arrays, json.loads(str(file["rest"]))
