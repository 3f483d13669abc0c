"""Reader of the files of the CAMELS Multifield Dataset (CMD), and of files in their layout."""

import warnings
from dataclasses import replace

import numpy as np

from higlow_tf.data.dataset import HIMapDataset
from higlow_tf.data.file_names import (
    CAMELS_SUITES,
    FileName,
    check_same_origin,
    numbers_in_labels,
    own_suite,
    parse_maps_name,
    parse_table_name,
    set_in_labels,
)
from higlow_tf.data.map_files import agreed, read_maps
from higlow_tf.data.parameter_choice import condition_space
from higlow_tf.data.tables import read_parameter_table
from higlow_tf.errors import InputError, InputWarning

__all__ = ["load_cmd", "parameters_of_maps"]

# Five slabs along each of three axes.
_MAPS_PER_SIMULATION = 15


def load_cmd(
    maps_file,
    params_file=None,
    parameters=("Omega_m", "sigma_8"),
    *,
    nuisance=(),
    map_size=None,
    slab_thickness_mpc_h=None,
    box_size_mpc_h=None,
    redshift=None,
    map_transform="log10",
):
    """Reads maps and the parameters of their simulations.

    Files:
        `Maps_{field}_{suite}_{set}_z={z}.npy` or `Images_{field}_{suite}_z={z}.npy` (with or without the set): floating
        point `[N, H, H]`, no pickles. `Grids_{field}_{suite}_{set}_{N}_z={z}.npy`: `[S, N, N, N]`, projected to slabs along
        three axes, see `project_grids`. `.h5`, `.hdf5`: maps, and perhaps parameters, see `read_hdf5`. `.npy` files of other
        names are read too, `[N, H, H]` or `[N, H, H, C]`; suite, set, field and redshift are then None. Tables: see
        `read_parameter_table`.

    Units:
        As CMD states them for each field; HI and other mass maps are in (Msun/h)/(Mpc/h)^2. Grids of densities are
        multiplied by the length of a cell and summed, which gives the same units.

    Ordering:
        Map i belongs to row i // (N / rows), and grid i to row i. Two things are checked. N must be a multiple of the rows.
        The files must name the same suite and the same set, if their names say these (N-body twins share the table of their
        suite).

    Args:
        maps_file: The maps: one path, or several, whose maps are the channels in this order. float32 files stay on disk,
            memory-mapped, unless they are regridded or projected, or there are several.
        params_file: The table; None for an HDF5 file with parameters.
        parameters: Columns of theta, in this order: names of the CAMELS registry, or `ParameterSpec`s (or mappings with
            name, low, high, transform) of other columns; "all" for all columns but the seed; or the path of an
            `Info_*.txt` file of CAMELS, for all parameters that it lists.
        nuisance: Columns that theta has behind these, in the order of the table: what varies and is not asked for. As
            `parameters`; "all" and a file then mean all that are not among `parameters`, "known" those of them that have a known
            prior, if they are not more than four.
        map_size: Pixels a side to regrid to, at most as many as the maps have; each is an area-weighted mean. None: as
            in the file.
        slab_thickness_mpc_h: Depth of the maps that grids are projected to, a divisor of the box; None: 5.
        box_size_mpc_h: Side of the maps; None: what the files say, otherwise 25.
        redshift: Redshift; None: what the files say.
        map_transform: What a model of the maps will see: "log10", or "identity", with which pixels may be negative.

    Returns:
        `HIMapDataset` with maps `[N, H, H]` (`[N, H, H, C]` for several files), theta `[N, P]`; the other columns are in
        `other_parameters`.

    Raises:
        InputError: If a file is missing or damaged, if it does not hold what is described above, or if it contradicts another
            file, its own name, or an argument.

    Warns:
        InputWarning: If a file of CAMELS does not have 15 maps a simulation, or if the rows of the table are not in the order
            of their names.

    References:
        [1] Villaescusa-Navarro et al. The CAMELS Multifield Dataset. ApJS 259, 61, arXiv:2109.10915. MIT licence.
    """
    table_name = FileName() if params_file is None else parse_table_name(params_file)
    box = agreed("box_size_mpc_h", [(box_size_mpc_h, "The argument"), (table_name.box_size_mpc_h, str(params_file))])
    found = read_maps(
        maps_file,
        map_size=map_size,
        slab_thickness_mpc_h=slab_thickness_mpc_h,
        box_size_mpc_h=box,
        redshift=redshift,
        map_transform=map_transform,
    )
    table, simulation = parameters_of_maps(found, params_file)
    space = condition_space(parameters, nuisance, table)
    columns = {name: table.column(name) for name in table.names}
    return HIMapDataset(
        maps=found.maps,
        theta=np.stack([columns.pop(name) for name in space.names], axis=1),
        parameters=space,
        simulation=simulation,
        box_size_mpc_h=found.box_size_mpc_h,
        redshift=found.redshift,
        units=found.units,
        suite=found.suite,
        set_name=found.set_name,
        field=found.field,
        other_parameters=columns,
        source=found.source + (() if params_file is None else (str(params_file),)),
        native_size=found.native_size,
        slab_thickness_mpc_h=found.slab_thickness_mpc_h,
        map_transform=map_transform,
    )


def parameters_of_maps(found, params_file=None):
    """The parameters of each map of files that were read, and the simulation of each.

    Args:
        found: `MapFiles`.
        params_file: The table; None for an HDF5 file with parameters.

    Returns:
        The pair (`ParameterTable` with a row a map, int `[N]`).

    Raises:
        InputError: As in `load_cmd`.
    """
    if params_file is None:
        return _own_parameters(found)
    return _parameters_of_table(found, read_parameter_table(params_file), params_file, parse_table_name(params_file))


def _own_parameters(found):
    """The parameters that an HDF5 file of maps holds: one row a map, and the simulation of each map."""
    if found.content is None or found.content.table is None:
        raise InputError(
            f"{found.source[0]} must come with a table of parameters, or be an HDF5 file that holds them. Received: no table."
        )
    return found.content.table, found.content.simulation


def _parameters_of_table(found, table, params_file, table_name):
    """The row of each map, and the number of that row as the simulation of each map."""
    if found.content is not None and found.content.table is not None:
        raise InputError(
            f"{found.source[0]} holds parameters itself and must come without a table. Received: {params_file}."
        )
    table_name = replace(table_name, set_name=set_in_labels(table.labels) or table_name.set_name)
    for path in found.source:
        name = FileName(suite=found.suite or parse_maps_name(path).suite, set_name=found.set_name)
        check_same_origin(path, name, params_file, table_name, "the parameter table")
    num_maps, number = len(found.maps), found.maps_per_simulation
    if number is not None and num_maps != number * len(table):
        raise InputError(
            f"{found.source[0]} must hold one grid for each of the {len(table)} simulations of {params_file}. "
            f"Received: {num_maps // number} grids."
        )
    if num_maps % len(table):
        raise InputError(
            f"{found.source[0]} must hold the same number of maps for each of the {len(table)} simulations of "
            f"{params_file}. Received: {num_maps} maps."
        )
    if number is None and own_suite(found.suite) in CAMELS_SUITES and num_maps != _MAPS_PER_SIMULATION * len(table):
        warnings.warn(
            f"{found.source[0]}: files of CAMELS hold {_MAPS_PER_SIMULATION} maps a simulation. Received: {num_maps} maps "
            f"for the {len(table)} simulations of {params_file}.",
            InputWarning,
            stacklevel=3,
        )
    numbers = numbers_in_labels(table.labels)
    if numbers != sorted(numbers):
        warnings.warn(
            f"{params_file}: the rows are not in the order of their names; the order of the rows is taken for the maps.",
            InputWarning,
            stacklevel=3,
        )
    simulation = np.repeat(np.arange(len(table)), num_maps // len(table))
    return replace(table, values=table.values[simulation], labels=()), simulation
