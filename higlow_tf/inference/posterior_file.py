"""posterior.h5: a posterior in a file."""

import json

import h5py
import numpy as np

from higlow_tf.data.parameters import ParameterSpace
from higlow_tf.errors import InputError
from higlow_tf.files import whole_path
from higlow_tf.inference.calibration import Calibration
from higlow_tf.inference.posterior import Posterior

__all__ = ["FORMAT_VERSION", "load_posterior", "save_posterior"]

FORMAT_VERSION = 1
_ARRAYS = ("theta_grid", "log_posterior", "map_estimate", "boxes")
# For other readers; `load_posterior` computes them again.
_DERIVED = ("mean", "sd", "covariance", "at_edge")


def save_posterior(posterior, file, *, overwrite=False):
    """Writes a posterior, whole or not at all; the layout is that of `load_posterior`."""
    with whole_path(file, overwrite) as part, h5py.File(part, "w") as h5:
        for name in (*_ARRAYS, *_DERIVED):
            h5.create_dataset(name, data=getattr(posterior, name), compression="gzip", shuffle=True)
        if posterior.simulation is not None:
            h5["simulation"] = posterior.simulation
        for name, values in posterior.diagnostics.items():
            h5[f"diagnostics/{name}"] = values
        calibration = posterior.calibration
        h5.attrs.update(
            format_version=FORMAT_VERSION,
            method=posterior.method,
            combine=posterior.combine,
            shape=np.array(posterior.shape, dtype=np.int64),
            parameters=json.dumps(posterior.parameters.to_config()),
            prior=json.dumps(dict(posterior.prior)),
            calibration=json.dumps(None if calibration is None else calibration.to_config()),
            notes=json.dumps(list(posterior.notes)),
        )


def load_posterior(file):
    """Reads a posterior.

    Files:
        Datasets theta_grid `[N, G, P]`, log_posterior `[N, G]`, map_estimate, mean, sd, at_edge `[N, P]`, covariance
        `[N, P, P]`, boxes `[N, 2, P]` (`[N, 0, P]` for draws), simulation `[N]` where there is one, and a group
        diagnostics. Attributes format_version, method, combine, shape; as JSON parameters, prior, calibration, notes.

    Args:
        file: HDF5 file that `Posterior.save` wrote.

    Returns:
        `Posterior`.

    Raises:
        InputError: If the file is missing, is no posterior, or was written by a newer version.
    """
    expected = f"{file}: expected a posterior file (HDF5)."
    try:
        with h5py.File(file) as h5:
            version = int(h5.attrs["format_version"])
            if version > FORMAT_VERSION:
                raise InputError(f"{file}: expected format_version {FORMAT_VERSION} or older. Received: {version}.")
            attributes = dict(h5.attrs)
            parsed = {key: json.loads(attributes[key]) for key in ("parameters", "prior", "calibration", "notes")}
            calibration = parsed["calibration"]
            return Posterior(
                **{name: h5[name][()] for name in _ARRAYS},
                parameters=ParameterSpace.from_config(parsed["parameters"]),
                shape=tuple(int(n) for n in attributes["shape"]),
                method=attributes["method"],
                combine=attributes["combine"],
                prior=parsed["prior"],
                calibration=None if calibration is None else Calibration.from_config(calibration),
                simulation=h5["simulation"][()] if "simulation" in h5 else None,
                notes=tuple(parsed["notes"]),
                diagnostics={name: values[()] for name, values in h5.get("diagnostics", {}).items()},
            )
    except FileNotFoundError:
        raise InputError(f"{expected} Received: no file.") from None
    except KeyError as error:
        raise InputError(f"{expected} Received: one without {error.args[0]}.") from error
    except OSError as error:
        raise InputError(f"{expected} Received: another file ({error}).") from error
