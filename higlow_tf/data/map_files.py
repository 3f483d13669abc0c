"""Maps from files of any known form, with what the files say about them."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from higlow_tf.data.big_arrays import map_chunks, new_maps
from higlow_tf.data.checks import as_float32_maps, check_pixels
from higlow_tf.data.file_names import CMD_FIELDS, FileName, check_same_origin, parse_maps_name
from higlow_tf.data.grids import project_grids
from higlow_tf.data.hdf5 import HDF5_SUFFIXES, HDF5Content, read_hdf5
from higlow_tf.data.npy_files import open_npy
from higlow_tf.data.regrid import regrid_maps
from higlow_tf.errors import InputError
from higlow_tf.map_transforms import check_map_transform, default_units

__all__ = ["BOX_SIZE_MPC_H", "SLAB_THICKNESS_MPC_H", "MapFiles", "agreed", "load_maps_only", "read_maps"]

BOX_SIZE_MPC_H = 25.0
SLAB_THICKNESS_MPC_H = 5.0
# Names give two decimals, rounded or cut; the box is given in whole Mpc/h or with few digits.
_TOLERANCES = {"redshift": 0.0101, "box_size_mpc_h": 0.01}


@dataclass(frozen=True, eq=False)
class MapFiles:
    """Maps as read, without parameters.

    Args:
        maps: float32 `[N, H, H]`, or `[N, H, H, C]` for several files; a memory map if nothing had to be computed.
        source: Paths of the files.
        field: Name of the field, a tuple of them for several files, or None.
        units: Of the pixels.
        suite: Name of the suite of simulations, or None.
        set_name: Name of its set, or None.
        redshift: Redshift, or None.
        box_size_mpc_h: Side of the maps.
        slab_thickness_mpc_h: Depth of the maps, if they were projected from grids; otherwise None.
        native_size: Pixels a side before regridding.
        maps_per_simulation: Their number, if the form of the file says it (grids); otherwise None.
        content: `HDF5Content`, whose parameters may belong to the maps, or None.
    """

    maps: np.ndarray
    source: tuple
    field: str | tuple | None
    units: str
    suite: str | None
    set_name: str | None
    redshift: float | None
    box_size_mpc_h: float
    slab_thickness_mpc_h: float | None
    native_size: int
    maps_per_simulation: int | None = None
    content: HDF5Content | None = None


def load_maps_only(
    files, *, map_size=None, slab_thickness_mpc_h=None, box_size_mpc_h=None, redshift=None, map_transform="log10"
):
    """Reads maps whose parameters are not known. They are checked like those of a dataset.

    Args:
        files: One path, or several, whose maps are the channels. They have the forms of `load_cmd`.
        map_size: Pixels a side to regrid to; None: as in the file.
        slab_thickness_mpc_h: Depth of the maps that 3D grids are projected to; None: 5 Mpc/h.
        box_size_mpc_h: Side of the maps; None: what the files say, otherwise 25 Mpc/h.
        redshift: Redshift; None: what the files say.
        map_transform: "log10"; with "identity" pixels may be negative.

    Returns:
        `MapFiles`, with maps `[N, H, H]` or `[N, H, H, C]`.

    Raises:
        InputError: As in `load_cmd`.
    """
    found = read_maps(
        files,
        map_size=map_size,
        slab_thickness_mpc_h=slab_thickness_mpc_h,
        box_size_mpc_h=box_size_mpc_h,
        redshift=redshift,
        map_transform=map_transform,
    )
    name = ", ".join(found.source)
    maps = as_float32_maps(found.maps, name)
    check_pixels(maps, name, map_transform=map_transform)
    return replace(found, maps=maps)


def read_maps(files, *, map_transform="log10", **how):
    """Reads maps as `load_maps_only` does, with the same arguments. Only maps that are regridded or projected are checked."""
    check_map_transform(map_transform)
    files = [files] if isinstance(files, (str, Path)) else list(files)
    if not files or len({str(file) for file in files}) != len(files):
        raise InputError(f"Expected one file of maps, or several different ones. Received: {[str(f) for f in files]}.")
    found = [_read_file(Path(file), map_transform, **how) for file in files]
    return found[0] if len(found) == 1 else _as_channels(found)


def agreed(what, values, default=None):
    """The one value on which several sources agree.

    Args:
        what: A key of `_TOLERANCES`.
        values: Pairs (value or None, source in words).
        default: The value if no source says anything.

    Raises:
        InputError: If two of them differ.
    """
    known = [(float(value), source) for value, source in values if value is not None]
    for value, source in known[1:]:
        if not math.isclose(value, known[0][0], rel_tol=0.0, abs_tol=_TOLERANCES[what]):
            raise InputError(
                f"{known[0][1]} and {source} must agree on {what}. Received: {known[0][0]:g} and {value:g}."
            )
    return known[0][0] if known else default


def _read_file(path, map_transform, *, map_size=None, slab_thickness_mpc_h=None, box_size_mpc_h=None, redshift=None):
    name, content = parse_maps_name(path), None
    if path.suffix in HDF5_SUFFIXES:
        content = read_hdf5(path)
        name = _with_attributes(path, name, content.attributes)
    maps = open_npy(path) if content is None else content.maps
    if maps.ndim < 3 or not maps.size:
        raise InputError(f"{path} must hold square maps [N, H, H], at least one map. Received: shape {maps.shape}.")
    said = {} if content is None else content.attributes
    box = agreed(
        "box_size_mpc_h", [(box_size_mpc_h, "The argument"), (said.get("box_size_mpc_h"), str(path))], BOX_SIZE_MPC_H
    )
    found = MapFiles(
        maps=maps,
        source=(str(path),),
        field=name.field,
        units=said.get("units") or _units_of_field(name.field, map_transform),
        suite=name.suite if name.kind or content else None,
        set_name=name.set_name,
        redshift=agreed("redshift", [(redshift, "The argument"), (name.redshift, str(path))]),
        box_size_mpc_h=box,
        slab_thickness_mpc_h=None,
        native_size=maps.shape[1],
        content=content,
    )
    if content is None and (name.kind == "Grids" or (name.kind is None and _are_cubes(maps))):
        thickness = SLAB_THICKNESS_MPC_H if slab_thickness_mpc_h is None else slab_thickness_mpc_h
        return _projected(found, name, map_size, thickness, map_transform)
    may_have_channels = name.kind is None or content is not None
    if maps.ndim not in ((3, 4) if may_have_channels else (3,)) or maps.shape[1] != maps.shape[2]:
        raise InputError(f"{path} must hold square maps [N, H, H]. Received: shape {maps.shape}.")
    if map_size is None:
        return found
    return replace(found, maps=regrid_maps(maps, map_size, str(path), map_transform=map_transform))


def _units_of_field(field, map_transform):
    return CMD_FIELDS[field].units if field in CMD_FIELDS else default_units(map_transform)


def _are_cubes(maps):
    """Whether maps [N, H, H, C] must be grids: nobody has as many channels as pixels."""
    return maps.ndim == 4 and len(set(maps.shape[1:])) == 1 and maps.shape[1] > 1


def _projected(found, name, map_size, thickness, map_transform):
    path, grids = found.source[0], found.maps
    for what, length in (("box_size_mpc_h", found.box_size_mpc_h), ("slab_thickness_mpc_h", thickness)):
        if not 0 < length < math.inf:
            raise InputError(f"{path}: expected a positive {what}. Received: {length:g}.")
    if grids.ndim != 4 or len(set(grids.shape[1:])) != 1:
        raise InputError(f"{path} must hold grids [S, N, N, N]. Received: shape {grids.shape}.")
    if name.grid_size not in (None, grids.shape[1]):
        raise InputError(f"{path} must hold grids of {name.grid_size} cells a side. Received: shape {grids.shape}.")
    is_density = name.field is None or CMD_FIELDS[name.field].is_density
    how = {"is_density": is_density, "map_size": map_size, "map_transform": map_transform}
    maps = project_grids(grids, found.box_size_mpc_h, thickness, path, **how)
    return replace(found, maps=maps, slab_thickness_mpc_h=thickness, maps_per_simulation=len(maps) // len(grids))


def _with_attributes(path, name, attributes):
    """What the name of an HDF5 file and its attributes say together."""
    said = FileName(
        field=attributes.get("field"), suite=attributes.get("suite"), set_name=attributes.get("set"),
        redshift=attributes.get("redshift"),
    )  # fmt: skip
    check_same_origin(path, name, f"{path} (its attributes)", said, "attributes")
    if name.field and said.field and name.field != said.field:
        raise InputError(f"{path} must have attributes of its own field, {name.field}. Received: {said.field}.")
    redshift = agreed("redshift", [(name.redshift, f"The name {path.name}"), (said.redshift, "its attributes")])
    suite = said.suite or (name.suite if name.kind else None)
    return FileName(name.kind, name.field or said.field, suite, name.set_name or said.set_name, redshift)


def _as_channels(found):
    """Stacks maps of several fields as channels, in their order, after checking that they belong together."""
    first = found[0]
    names = [FileName(suite=channel.suite, set_name=channel.set_name) for channel in found]
    for channel, name in zip(found[1:], names[1:], strict=True):
        check_same_origin(first.source[0], names[0], channel.source[0], name, "further channels")
        for what in ("redshift", "box_size_mpc_h"):
            agreed(what, [(getattr(each, what), each.source[0]) for each in (first, channel)])
        if channel.maps.shape != first.maps.shape or channel.maps.ndim != 3:
            raise InputError(
                f"{channel.source[0]} must hold maps {first.maps.shape} like {first.source[0]}, to be a channel beside it. "
                f"Received: shape {channel.maps.shape}."
            )
    _check_same_parameters(found)
    maps = new_maps((*first.maps.shape, len(found)))
    with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is refused later, with its place
        for chunks in zip(*(map_chunks(channel.maps) for channel in found), strict=True):
            start, number = chunks[0][0], len(chunks[0][1])
            maps[start : start + number] = np.stack([chunk for _, chunk in chunks], axis=-1)
    units = list(dict.fromkeys(channel.units for channel in found))
    return replace(
        first,
        maps=maps,
        source=tuple(channel.source[0] for channel in found),
        field=tuple(channel.field for channel in found),
        units=units[0] if len(units) == 1 else ", ".join(channel.units for channel in found),
    )


def _check_same_parameters(found):
    """HDF5 files that are channels of one another hold the same parameters, or none."""
    tables = [
        None if channel.content is None or channel.content.table is None else channel.content.table for channel in found
    ]
    for channel, table in zip(found, tables, strict=True):
        if (table is None) != (tables[0] is None) or (table and not np.array_equal(table.values, tables[0].values)):
            raise InputError(
                f"{channel.source[0]} must hold the parameters of {found[0].source[0]}, to be a channel beside it. "
                f"Received: {'others' if table else 'none'}."
            )
