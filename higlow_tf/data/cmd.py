"""Reader of the two-dimensional maps of the CAMELS Multifield Dataset (CMD), and of files in its layout."""

import re
from pathlib import Path

import numpy as np

from higlow_tf.data.dataset import HIMapDataset
from higlow_tf.data.parameters import ParameterSpace
from higlow_tf.data.tables import read_parameter_table
from higlow_tf.errors import InputError

__all__ = ["load_cmd"]

_SET = r"(?P<set_name>LH|CV|1P|EX|BE|SB\d+)"
_MAPS_NAMES = (
    re.compile(rf"(Maps|Images)_(?P<field>[^_]+)_(?P<suite>.+)_{_SET}_z=(?P<redshift>\d+(\.\d+)?)\.npy"),
    re.compile(r"Images_(?P<field>[^_]+)_(?P<suite>.+)_z=(?P<redshift>\d+(\.\d+)?)\.npy"),
)
_TABLE_NAMES = (
    re.compile(rf"params_{_SET}_(?P<suite>.+)\.txt"),
    re.compile(r"params_(?P<suite>.+)\.txt"),
)
_KNOWN_SUITES = ("IllustrisTNG", "SIMBA", "Astrid", "Magneticum", "Swift-EAGLE", "Ramses", "Enzo")
# N-body twins run from the parameters of their hydrodynamic simulation and share its table; "Nbody" alone says nothing.
_NBODY = "Nbody"
# The other fields of CMD have units of their own, which its file names do not tell.
_SURFACE_DENSITIES = ("HI", "Mgas", "Mcdm", "Mstar", "Mtot")


def load_cmd(maps_file, params_file, parameters=("Omega_m", "sigma_8"), *, box_size_mpc_h=25.0):
    """Reads CMD maps and the parameters of their simulations; nothing is transformed.

    Files:
        `Maps_{field}_{suite}_{set}_z={z}.npy` or `Images_{field}_{suite}_z={z}.npy` (with or without the set): floating
        point `[N, H, H]`, no pickles. `params_{set}_{suite}.txt` or `params_{suite}.txt`: one row a simulation, see
        `read_parameter_table`. Files of other names are read too; suite, set, field and redshift are then None.

    Units:
        HI and other mass maps are in (Msun/h)/(Mpc/h)^2; for other fields "not stated by the file".

    Ordering:
        Map i belongs to row i // (N / rows); that N is a multiple of the rows is checked, and so is that the two
        files name the same suite and the same set, where their names say so.

    Args:
        maps_file: The maps. float32 files stay on disk, memory-mapped.
        params_file: The table.
        parameters: Columns of theta, in this order: names of the CAMELS registry, or `ParameterSpec`s of other columns.
        box_size_mpc_h: Side of the maps.

    Returns:
        `HIMapDataset` with maps `[N, H, H]`, theta `[N, P]`; the other columns are in `other_parameters`.

    Raises:
        InputError: If a file is missing or damaged, or does not hold what is described above.

    References:
        [1] Villaescusa-Navarro et al. The CAMELS Multifield Dataset. ApJS 259, 61, arXiv:2109.10915. MIT licence.
    """
    maps_file, params_file = Path(maps_file), Path(params_file)
    maps_name, table_name = _parse(_MAPS_NAMES, maps_file.name), _parse(_TABLE_NAMES, params_file.name)
    _check_same_origin(maps_file, maps_name, params_file, table_name)
    maps = _open_maps(maps_file)
    table = read_parameter_table(params_file)
    if len(maps) % len(table):
        raise InputError(
            f"{maps_file} must hold the same number of maps for each of the {len(table)} simulations of {params_file}. "
            f"Received: {len(maps)} maps."
        )
    if isinstance(parameters, str):
        parameters = (parameters,)
    for spec in parameters:
        table.column(getattr(spec, "name", spec))
    space = ParameterSpace.from_names(parameters)
    maps_per_simulation = len(maps) // len(table)
    columns = {name: np.repeat(table.column(name), maps_per_simulation) for name in table.names}
    field = maps_name.get("field")
    return HIMapDataset(
        maps=maps,
        theta=np.stack([columns.pop(name) for name in space.names], axis=1),
        parameters=space,
        simulation=np.repeat(np.arange(len(table)), maps_per_simulation),
        box_size_mpc_h=box_size_mpc_h,
        redshift=float(maps_name["redshift"]) if maps_name else None,
        suite=maps_name.get("suite"),
        set_name=maps_name.get("set_name"),
        field=field,
        other_parameters=columns,
        source=(str(maps_file), str(params_file)),
        **({} if field in (None, *_SURFACE_DENSITIES) else {"units": "not stated by the file"}),
    )


def _parse(patterns, name):
    for pattern in patterns:
        match = pattern.fullmatch(name)
        if match:
            return match.groupdict()
    return {}


def _check_same_origin(maps_file, maps_name, params_file, table_name):
    maps_suite, table_suite = _suite(maps_file.name, maps_name), _suite(params_file.name, table_name)
    if maps_suite and table_suite and maps_suite.lower() != table_suite.lower():
        raise InputError(
            f"{maps_file} needs the parameter table of its own suite, {maps_suite}. "
            f"Received: {params_file}, which is named after {table_suite}."
        )
    maps_set, table_set = maps_name.get("set_name"), table_name.get("set_name")
    if maps_set and table_set and maps_set != table_set:
        raise InputError(
            f"{maps_file} needs the parameter table of its own set, {maps_set}. "
            f"Received: {params_file}, which is named after {table_set}."
        )


def _suite(name, parsed):
    """The suite that a file name speaks of, also where it does not follow the pattern."""
    if "suite" in parsed:
        return parsed["suite"].removeprefix(_NBODY).removeprefix("_") or None
    named = [suite for suite in _KNOWN_SUITES if suite.lower() in name.lower()]
    return named[0] if len(named) == 1 else None


def _open_maps(path):
    """Opens a .npy file of maps as a read-only memory map."""
    try:
        with path.open("rb") as file:
            start = file.read(len(np.lib.format.MAGIC_PREFIX))
    except OSError as error:
        raise InputError(f"{path} must be a readable .npy file of maps. Received: {error.strerror}.") from None
    if start != np.lib.format.MAGIC_PREFIX:
        raise InputError(
            f"{path} must be a .npy file of maps. Received: {'a file of another format' if start else 'an empty file'}."
        )
    try:
        maps = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise InputError(
            f"{path} must be a whole .npy file of numbers, not truncated, without pickled objects. Received: {error}."
        ) from None
    if maps.dtype.kind != "f":
        raise InputError(f"{path} must hold floating-point maps. Received: dtype {maps.dtype}.")
    if maps.ndim != 3 or maps.shape[1] != maps.shape[2]:
        raise InputError(f"{path} must hold square maps [N, H, H]. Received: shape {maps.shape}.")
    return maps
