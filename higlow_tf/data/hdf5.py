"""Maps, parameters and what they are, in one HDF5 file."""

import contextlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from higlow_tf.data.checks import number_distinct_rows
from higlow_tf.data.hdf5_datasets import READ_ERRORS, check_whole, dataset, read_array, refusal
from higlow_tf.data.tables import ParameterTable, names_without_header
from higlow_tf.errors import InputError

__all__ = ["HDF5_SUFFIXES", "HDF5Content", "read_hdf5", "read_hdf5_layout"]

HDF5_SUFFIXES = (".h5", ".hdf5")
_FORMAT_VERSION = 1
_TEXTS, _NUMBERS = ("suite", "set", "field", "units"), ("redshift", "box_size_mpc_h")


@dataclass(frozen=True, eq=False)
class HDF5Content:
    """What a file holds.

    Args:
        maps: `[N, H, H]` or `[N, H, H, C]`: a memory map if the file holds them in one piece, otherwise in memory.
        table: `ParameterTable` with one row a map, or None.
        simulation: Index of the simulation of each map `[N]`, or None.
        attributes: Those of the file, among suite, set, field, units, redshift, box_size_mpc_h.
    """

    maps: np.ndarray
    table: ParameterTable | None
    simulation: np.ndarray | None
    attributes: dict


def read_hdf5(path):
    """Reads a file of maps, such as `higlow sample` writes.

    Files:
        Datasets: `maps`, floating point `[N, H, H]` or `[N, H, H, C]`; `theta`, one row a map `[N, P]` or one row a simulation
        `[S, P]`, with N / S maps each (may be missing: then a table is needed); `simulation`, integers `[N]` (may be missing:
        then equal rows of theta are one simulation).
        Attributes of the file (each may be missing): `parameters`, the names of the columns of theta (without names, two
        columns are Omega_m and sigma_8, and six columns are those of CAMELS); `suite`, `set`, `field`, `units`; `redshift`,
        `box_size_mpc_h`; `format_version`, at most 1.
        The datasets are in this file, not in another that it links to; where they are compressed, they are at most a
        hundred times as large as the file.

    Args:
        path: The file.

    Returns:
        `HDF5Content`.

    Raises:
        InputError: If the file is missing or damaged, has a newer format, or does not hold what is described above.
    """
    path = Path(path)
    if path.exists() and not path.is_file():  # a pipe may never end
        raise InputError(f"{refusal(path)} something else than a file.")
    num_bytes = path.stat().st_size if path.exists() else None
    with _opened(path, path, num_bytes) as file:
        attributes = _attributes(file, path)
        maps = read_array(_maps(file, path, num_bytes), path, on_disk=True)
        return HDF5Content(maps, *_table(file, path, len(maps), num_bytes), attributes)


def read_hdf5_layout(source, path, num_bytes):
    """What `read_hdf5` checks, without reading the maps.

    Args:
        source: The file: its path, or a binary file that can seek.
        path: Its name, for the error and the table.
        num_bytes: Its size.

    Returns:
        The pair of the shape of the maps, and the `ParameterTable` with one row a map, or None.

    Raises:
        InputError: As `read_hdf5`; a damaged piece inside shows only when it is read.
    """
    with _opened(source, path, num_bytes) as file:
        _attributes(file, path)
        maps = _maps(file, path, num_bytes)
        check_whole(maps, path, num_bytes)
        return maps.shape, _table(file, path, len(maps), num_bytes)[0]


@contextlib.contextmanager
def _opened(source, path, num_bytes):
    """The file in h5py; what it says of a file that it cannot read becomes one sentence."""
    import h5py

    try:
        with h5py.File(source, "r") as file:
            yield file
    except InputError:
        raise
    except READ_ERRORS as error:
        reason = str(error).splitlines()[0] if str(error) else "damaged data"
        raise InputError(f"{refusal(path)} {'an empty file' if num_bytes == 0 else reason}.") from None


def _attributes(file, path):
    version = file.attrs.get("format_version", _FORMAT_VERSION)
    if not isinstance(version, (int, np.integer)) or version > _FORMAT_VERSION:
        raise InputError(f"{path} must have the format version {_FORMAT_VERSION} or older. Received: {version}.")
    found = {}
    for name in (*_TEXTS, *_NUMBERS):
        if name not in file.attrs:
            continue
        value = file.attrs[name]
        is_right = isinstance(value, str) if name in _TEXTS else _is_finite_number(value)
        if not is_right:
            kind = "a text" if name in _TEXTS else "a number"
            raise InputError(f"{path} must have {kind} as its attribute {name}. Received: {value!r}.")
        found[name] = value if name in _TEXTS else float(value)
    return found


def _is_finite_number(value):
    return isinstance(value, (int, float, np.integer, np.floating)) and math.isfinite(value)


def _maps(file, path, num_bytes):
    maps = dataset(file, "maps", path, num_bytes)
    if maps is None:
        raise InputError(f"{path} must hold the dataset 'maps'. Received: {', '.join(file) or 'no dataset'}.")
    if maps.dtype.kind != "f":
        raise InputError(f"{path} must hold floating-point maps. Received: dtype {maps.dtype}.")
    return maps


def _table(file, path, num_maps, num_bytes):
    theta = dataset(file, "theta", path, num_bytes)
    if theta is None:
        return None, None
    if theta.ndim != 2 or not len(theta) or num_maps % len(theta) or theta.dtype.kind not in "iuf":
        raise InputError(
            f"{path} must hold theta as numbers [N, P] or [S, P] for its {num_maps} maps. "
            f"Received: {theta.dtype} of shape {theta.shape}."
        )
    theta = read_array(theta, path).astype(np.float64)
    names = np.atleast_1d(file.attrs.get("parameters", [""] * theta.shape[1]))
    names = [name.decode() if isinstance(name, bytes) else str(name) for name in names]
    names = names_without_header(names, path)
    if len(set(names)) != theta.shape[1]:
        raise InputError(f"{path} must name each of the {theta.shape[1]} columns of theta once. Received: {names}.")
    simulation = dataset(file, "simulation", path, num_bytes)
    if simulation is not None and (simulation.shape != (num_maps,) or simulation.dtype.kind not in "iu"):
        raise InputError(
            f"{path} must hold simulation as integers [{num_maps}]. "
            f"Received: {simulation.dtype} of shape {simulation.shape}."
        )
    if len(theta) < num_maps:
        index = np.repeat(np.arange(len(theta)), num_maps // len(theta))
        theta = theta[index]
    else:
        index = number_distinct_rows(theta)
    table = ParameterTable(str(path), tuple(names), theta)
    return table, index if simulation is None else _as_int64(read_array(simulation, path), path)


def _as_int64(simulation, path):
    if simulation.dtype.kind == "u" and simulation.max(initial=0) > np.iinfo(np.int64).max:
        raise InputError(f"{path} must hold simulation as integers below 2**63. Received: {simulation.max()}.")
    return simulation.astype(np.int64)
