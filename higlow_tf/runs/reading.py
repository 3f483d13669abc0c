"""Reads files of maps the way those of a run were read."""

import warnings
from dataclasses import replace

import numpy as np

from higlow_tf.data import HIMapDataset, ParameterSpace, ParameterSpec, load_cmd, load_maps_only
from higlow_tf.data.cmd import parameters_of_maps
from higlow_tf.data.tables import MissingColumnError
from higlow_tf.errors import InputError, InputWarning
from higlow_tf.runs.split_record import floored

__all__ = ["load_data_like", "load_maps_like", "true_parameters"]

# File names give the redshift with two decimals, rounded or cut.
_REDSHIFT_TOLERANCE = 0.0101


def load_data_like(record, maps, params=None, *, parameters=None, nuisance=(), map_transform=None):
    """Reads maps and parameters as the maps of a run were read: same parameters, box, slabs and map size.

    Args:
        record: Content of split.json, or None for a model without one.
        maps: Path of the maps, or several for the channels.
        params: Path of the table; None for an HDF5 file that holds parameters.
        parameters: `ParameterSpace`; needed if there is no record, otherwise those of the record.
        nuisance: Names of those of them that one does not ask for: an error says why they are needed nevertheless.
        map_transform: That of the model; None for that of the record.

    Returns:
        `HIMapDataset` as read, before a floor.

    Raises:
        InputError: As in `higlow_tf.data.load_cmd`, and if the maps are not of the field of the run.

    Warns:
        InputWarning: If their redshift is not that of the run.
    """
    if parameters is None and record is None:
        raise InputError(
            "parameters: expected a ParameterSpace for a model without a record of its maps. Received: None."
        )
    parameters = parameters or ParameterSpace.from_config(record["parameters"])
    try:
        data = load_cmd(maps, params, parameters, **_reading(record, map_transform))
    except MissingColumnError as error:
        if error.column not in nuisance:
            raise
        raise InputError(
            f"{params or maps}: expected the columns {', '.join(parameters.names)}: a density is that at all parameters, also "
            f"at those that are not asked for (without them one can sample and infer). Received: no {error.column}."
        ) from error
    _check_same_kind(record, data)
    return data


def load_maps_like(record, maps, *, floor=True, map_transform=None):
    """Reads maps without parameters the way the maps of a run were read; see `load_data_like`.

    Args:
        record: Content of split.json, or None.
        maps: Path of the maps, or several for the channels.
        floor: Whether the floor for zeros of the run is applied, so that its model can take the maps.
        map_transform: That of the model; None for that of the record.

    Returns:
        `MapFiles`.
    """
    found = load_maps_only(maps, **_reading(record, map_transform))
    _check_same_kind(record, found)
    if not floor or not record or record["zero_floor"] is None:
        return found
    # A floor is applied to datasets: here with the number of each map in place of parameters.
    index = np.arange(len(found.maps))[:, None]
    numbered = HIMapDataset.from_arrays(found.maps, index, parameters=[ParameterSpec("index", "i", 0, len(index))])
    return replace(found, maps=floored(record, numbered).maps)


def true_parameters(files, params, names, rows, combine):
    """The true parameters of posteriors, if the files or a table tell them.

    Args:
        files: `MapFiles`.
        params: Path of the table, or None: only an HDF5 file may then hold the parameters.
        names: Names of the P parameters.
        rows: Slice of the maps that the posteriors are of.
        combine: As in `higlow_tf.inference.infer`: None, "independent", or the group of each map.

    Returns:
        One row a posterior, `[G, P]`; None if nothing tells them.

    Raises:
        InputError: If the table does not fit the maps, lacks a parameter, or gives the maps of one posterior different ones.
    """
    table = None if files.content is None else files.content.table
    if params is None and (table is None or not set(names) <= set(table.names)):
        return None
    theta = parameters_of_maps(files, params)[0].columns(names)[rows]
    if combine is None:
        return theta
    groups = np.zeros(len(theta), int) if isinstance(combine, str) else np.asarray(combine)
    _, first, group_of_map = np.unique(groups, return_index=True, return_inverse=True)
    if not np.array_equal(theta, theta[first][group_of_map]):
        raise InputError(
            f"{params or files.source[0]}: expected equal parameters for the maps of one posterior. Received: different ones."
        )
    return theta[first]


def _reading(record, map_transform):
    """The arguments of `load_cmd` that read a file as that of the run was; older records have fewer."""
    names = ("map_size", "slab_thickness_mpc_h", "box_size_mpc_h")
    how = {name: record.get(name) for name in names} if record else {}
    return how | {"map_transform": map_transform or (record or {}).get("map_transform", "log10")}


def _check_same_kind(record, data):
    if not record:
        return
    fields = [None if field is None else np.atleast_1d(field).tolist() for field in (record.get("field"), data.field)]
    if None not in fields and fields[0] != fields[1]:
        raise InputError(
            f"{', '.join(data.source)}: expected maps of {', '.join(map(str, fields[0]))}, as the run was trained on. "
            f"Received: {', '.join(map(str, fields[1]))}."
        )
    redshifts = [redshift for redshift in (record["redshift"], data.redshift) if redshift is not None]
    if len(redshifts) == 2 and abs(redshifts[0] - redshifts[1]) > _REDSHIFT_TOLERANCE:
        warnings.warn(
            f"{data.source[0]} is at redshift {redshifts[1]:g}, and the run was trained at {redshifts[0]:g}.",
            InputWarning,
            stacklevel=3,
        )
