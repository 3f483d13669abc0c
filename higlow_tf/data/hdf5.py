"""Maps, parameters and what they are, in one HDF5 file."""

from dataclasses import dataclass

import numpy as np

from higlow_tf.data.checks import number_distinct_rows
from higlow_tf.data.tables import ParameterTable, names_without_header
from higlow_tf.errors import InputError

__all__ = ["HDF5_SUFFIXES", "HDF5Content", "read_hdf5"]

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

    Args:
        path: The file.

    Returns:
        `HDF5Content`.

    Raises:
        InputError: If the file is missing or damaged, has a newer format, or does not hold what is described above.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            attributes = _attributes(file, path)
            maps = _maps(file, path)
            return HDF5Content(maps, *_table(file, path, len(maps)), attributes)
    except OSError as error:
        reason = "an empty file" if path.is_file() and not path.stat().st_size else error
        raise InputError(f"{path} must be a readable, whole HDF5 file of maps. Received: {reason}.") from None


def _attributes(file, path):
    version = file.attrs.get("format_version", _FORMAT_VERSION)
    if not isinstance(version, (int, np.integer)) or version > _FORMAT_VERSION:
        raise InputError(f"{path} must have the format version {_FORMAT_VERSION} or older. Received: {version}.")
    found = {}
    for name in (*_TEXTS, *_NUMBERS):
        if name not in file.attrs:
            continue
        value = file.attrs[name]
        is_right = isinstance(value, str) if name in _TEXTS else np.ndim(value) == 0 and np.isreal(value)
        if not is_right:
            kind = "a text" if name in _TEXTS else "a number"
            raise InputError(f"{path} must have {kind} as its attribute {name}. Received: {value!r}.")
        found[name] = value if name in _TEXTS else float(value)
    return found


def _maps(file, path):
    maps = _dataset(file, "maps", path)
    if maps is None:
        raise InputError(f"{path} must hold the dataset 'maps'. Received: {', '.join(file) or 'no dataset'}.")
    if maps.dtype.kind != "f":
        raise InputError(f"{path} must hold floating-point maps. Received: dtype {maps.dtype}.")
    offset = maps.id.get_offset()  # None where the file holds them in pieces, or compressed
    if offset is None or not maps.size:
        return maps[()]
    return np.memmap(path, maps.dtype, "r", offset=offset, shape=maps.shape)


def _dataset(file, name, path):
    import h5py

    found = file.get(name)
    if found is not None and not (isinstance(found, h5py.Dataset) and found.ndim):
        raise InputError(f"{path} must hold {name!r} as an array. Received: a group or a single value.")
    return found


def _table(file, path, num_maps):
    theta = _dataset(file, "theta", path)
    if theta is None:
        return None, None
    if theta.ndim != 2 or not len(theta) or num_maps % len(theta) or theta.dtype.kind not in "iuf":
        raise InputError(
            f"{path} must hold theta as numbers [N, P] or [S, P] for its {num_maps} maps. "
            f"Received: {theta.dtype} of shape {theta.shape}."
        )
    theta = theta[()].astype(np.float64)
    names = np.atleast_1d(file.attrs.get("parameters", [""] * theta.shape[1]))
    names = [name.decode() if isinstance(name, bytes) else str(name) for name in names]
    names = names_without_header(names, path)
    if len(set(names)) != theta.shape[1]:
        raise InputError(f"{path} must name each of the {theta.shape[1]} columns of theta once. Received: {names}.")
    simulation = _dataset(file, "simulation", path)
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
    return table, index if simulation is None else simulation[()].astype(np.int64)
