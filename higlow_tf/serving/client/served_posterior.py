"""What a server says about the parameters of maps."""

from dataclasses import dataclass, fields

import h5py
import numpy as np

from higlow_tf.errors import InputError
from higlow_tf.files import whole_path

__all__ = ["ServedPosterior"]

_KIND, _FORMAT_VERSION = "higlow served posterior", 1


@dataclass(frozen=True, eq=False)
class ServedPosterior:
    """Posteriors of N maps as the signature `posterior` gives them.

    Args:
        mean: Posterior mean with the calibration of the model, physical, `[N, P]`.
        sd: Posterior standard deviation with the calibration, `[N, P]`.
        log_prob: Raw log-densities of the maps at the points of the grid, nats, `[N, G]`.
        theta_grid: The points, the same for all maps, `[G, P]`; None where the model used its own.
        inside_prior: Whether all points lie in the prior, bool `[N]`; None from models that do not say it.
        typicality: P-value of each map, small if it is unlike the training maps, `[N]`; NaN if the model cannot tell, None from
            models that do not say it.
        parameters: Names of the parameters, or None.
    """

    mean: np.ndarray
    sd: np.ndarray
    log_prob: np.ndarray
    theta_grid: np.ndarray | None = None
    inside_prior: np.ndarray | None = None
    typicality: np.ndarray | None = None
    parameters: tuple | None = None

    def __len__(self):
        return len(self.mean)

    def save(self, file, overwrite=False):
        """Writes an HDF5 file, whole or not at all: a dataset for each field that is not None.

        Attributes: kind, format_version, and parameters (names) where they are known.
        """
        with whole_path(file, overwrite) as part, h5py.File(part, "w") as h5:
            for name in _ARRAYS:
                if getattr(self, name) is not None:
                    h5[name] = getattr(self, name)
            h5.attrs.update(kind=_KIND, format_version=_FORMAT_VERSION)
            if self.parameters is not None:
                h5.attrs["parameters"] = list(self.parameters)

    @classmethod
    def load(cls, file):
        """Reads what `save` wrote.

        Raises:
            InputError: If the file is missing or another one, or was written by a newer version.
        """
        expected = f"{file}: expected a file of higlow client posterior."
        try:
            with h5py.File(file) as h5:
                if h5.attrs.get("kind") != _KIND:
                    raise InputError(f"{expected} Received: another HDF5 file.")
                if h5.attrs["format_version"] > _FORMAT_VERSION:
                    raise InputError(f"{expected} Received: one of a newer version.")
                names = h5.attrs.get("parameters")
                arrays = {name: h5[name][()] for name in _ARRAYS if name in h5}
        except OSError as error:
            raise InputError(f"{expected} Received: {error.strerror or 'another file'}.") from error
        return cls(**arrays, parameters=None if names is None else tuple(str(name) for name in names))


_ARRAYS = tuple(part.name for part in fields(ServedPosterior) if part.name != "parameters")
