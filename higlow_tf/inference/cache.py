"""Finished posteriors of single maps in a folder, so that interrupted work goes on where it stopped."""

import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np

from higlow_tf.files import whole_path
from higlow_tf.inference.result import GroupResult

__all__ = ["ResultCache"]

_ARRAYS = ("theta_grid", "log_posterior", "map_estimate", "box")


class ResultCache:
    """One small file for each finished group, named after what it was computed from.

    The name is a hash of the maps, of all settings, and of the likelihoods of the maps at three points of the prior,
    which stand for the weights of the model: a file is found again only by the same question to the same model.

    Args:
        folder: Where the files go; None to keep nothing.
        settings: JSON-compatible description of everything but model and maps.
    """

    def __init__(self, folder, settings):
        self._folder = None if folder is None else Path(folder)
        self._settings = json.dumps(settings, sort_keys=True)

    def get_or_compute(self, target, extra, compute):
        """The stored `GroupResult` of a target, or that of `compute()`, which is then stored.

        Args:
            target: `Target`.
            extra: What else the result depends on, JSON-compatible.
            compute: Function without arguments.
        """
        if self._folder is None:
            return compute()
        file = self._folder / f"{self._key(target, extra)}.npz"
        try:
            return _read(file)
        except (OSError, KeyError, ValueError, zipfile.BadZipFile):
            result = compute()
            with whole_path(file) as part, open(part, "wb") as stream:
                rest = json.dumps({"diagnostics": _plain(result.diagnostics), "notes": result.notes})
                np.savez_compressed(stream, rest=rest, **{name: getattr(result, name) for name in _ARRAYS})
            return result

    def _key(self, target, extra):
        digest = hashlib.sha256(self._settings.encode())
        digest.update(json.dumps(extra, sort_keys=True).encode())
        prior = target.prior
        probes = prior.low + np.array([[0.25], [0.5], [0.75]]) * (prior.high - prior.low)
        for likelihood in target.likelihoods:
            digest.update(str((likelihood.hi_map.shape, likelihood.hi_map.dtype)).encode())
            digest.update(np.ascontiguousarray(likelihood.hi_map).tobytes())
            # Five digits: another machine rounds a float32 likelihood differently, another model changes more.
            digest.update(" ".join(f"{x:.4e}" for x in likelihood.raw(prior.parameters.denormalize(probes))).encode())
        return digest.hexdigest()[:32]


def _read(file):
    with np.load(file, allow_pickle=False) as arrays:
        rest = json.loads(str(arrays["rest"]))
        diagnostics = {
            name: np.array(value) if isinstance(value, list) else value for name, value in rest["diagnostics"].items()
        }
        return GroupResult(*(arrays[name] for name in _ARRAYS), diagnostics, rest["notes"])


def _plain(diagnostics):
    return {name: np.asarray(value).tolist() for name, value in diagnostics.items()}
