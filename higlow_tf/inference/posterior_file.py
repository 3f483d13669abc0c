"""posterior.h5: the fields of a posterior in a file.

Files:
    Datasets theta_grid `[N, G, P]`, log_posterior `[N, G]`, map_estimate, mean, sd, at_edge `[N, P]`, covariance
    `[N, P, P]`, boxes `[N, 2, P]` (`[N, 0, P]` for draws), simulation `[N]` where there is one, and a group
    diagnostics. Attributes format_version, method, combine, shape; as JSON parameters, prior, calibration, notes.
"""

import io
import json

import h5py
import numpy as np

from higlow_tf.data.parameters import ParameterSpace
from higlow_tf.errors import InputError
from higlow_tf.files import whole_path
from higlow_tf.inference.calibration import Calibration

__all__ = ["DERIVED", "FORMAT_VERSION", "read_posterior_file", "write_posterior_file"]

FORMAT_VERSION = 1
_ARRAYS = ("theta_grid", "log_posterior", "map_estimate", "boxes")
# For other readers; a `Posterior` computes them again.
DERIVED = ("mean", "sd", "covariance", "at_edge")


def write_posterior_file(file, fields, *, overwrite=False):
    """Writes a posterior, whole or not at all.

    Args:
        file: Path.
        fields: All fields of a `Posterior` by name, and those of `DERIVED`.
        overwrite: Whether the file may exist.

    Raises:
        InputError: If the file exists and may not be replaced, or cannot be written.
    """
    # In memory first: HDF5 that meets a full disk cannot be kept quiet.
    content = io.BytesIO()
    with h5py.File(content, "w") as h5:
        for name in (*_ARRAYS, *DERIVED):
            h5.create_dataset(name, data=fields[name], compression="gzip", shuffle=True)
        if fields["simulation"] is not None:
            h5["simulation"] = fields["simulation"]
        for name, values in fields["diagnostics"].items():
            h5[f"diagnostics/{name}"] = values
        calibration = fields["calibration"]
        h5.attrs.update(
            format_version=FORMAT_VERSION,
            method=fields["method"],
            combine=fields["combine"],
            shape=np.array(fields["shape"], dtype=np.int64),
            parameters=json.dumps(fields["parameters"].to_config()),
            prior=json.dumps(dict(fields["prior"])),
            calibration=json.dumps(None if calibration is None else calibration.to_config()),
            notes=json.dumps(list(fields["notes"])),
        )
    with whole_path(file, overwrite) as part:
        part.write_bytes(content.getbuffer())


def read_posterior_file(file):
    """The fields of the `Posterior` in a file, by name.

    Raises:
        InputError: If the file is missing, is no posterior, or was written by a newer version.
    """
    expected = f"{file}: expected a posterior file (HDF5)."
    try:
        with h5py.File(file) as h5:
            return _fields(file, h5)
    except FileNotFoundError:
        raise InputError(f"{expected} Received: no file.") from None
    except KeyError as error:
        raise InputError(f"{expected} Received: a file without {error.args[0]}.") from error
    except OSError as error:
        raise InputError(f"{expected} Received: another file ({error}).") from error


def _fields(file, h5):
    version = int(h5.attrs["format_version"])
    if version > FORMAT_VERSION:
        raise InputError(f"{file}: expected format_version {FORMAT_VERSION} or older. Received: {version}.")
    attributes = dict(h5.attrs)
    parsed = {key: json.loads(attributes[key]) for key in ("parameters", "prior", "calibration", "notes")}
    calibration = parsed["calibration"]
    return {
        **{name: h5[name][()] for name in _ARRAYS},
        "parameters": ParameterSpace.from_config(parsed["parameters"]),
        "shape": tuple(int(n) for n in attributes["shape"]),
        "method": attributes["method"],
        "combine": attributes["combine"],
        "prior": parsed["prior"],
        "calibration": None if calibration is None else Calibration.from_config(calibration),
        "simulation": h5["simulation"][()] if "simulation" in h5 else None,
        "notes": tuple(parsed["notes"]),
        "diagnostics": {name: values[()] for name, values in h5.get("diagnostics", {}).items()},
    }
