"""Writes the lognormal suite as files in the layout of the CAMELS Multifield Dataset (CMD)."""

from pathlib import Path

import numpy as np

from higlow_tf.data.lognormal.field import PARAMETER_STREAM, check_seed, rings, sample
from higlow_tf.data.lognormal.posterior import PARAMETER_NAMES
from higlow_tf.data.parameters import ParameterSpace
from higlow_tf.data.suite_files import DECIMALS, check_count, check_new_suite, write_maps_header, write_parameters
from higlow_tf.files import whole_path
from higlow_tf.ownership import owned_folder

__all__ = ["write_lognormal"]

_MAPS_NAME = "Maps_HI_Lognormal_LH_z=6.00.npy"
_PARAMS_NAME = "params_LH_Lognormal.txt"


def write_lognormal(
    out_dir, *, simulations, map_size=64, maps_per_simulation=15, seed=0, overwrite=False, progress=None
):
    """Writes maps of the lognormal suite and the table of their parameters.

    Files:
        Maps_HI_Lognormal_LH_z=6.00.npy: float32 `[simulations * maps_per_simulation, map_size, map_size]`.
        params_LH_Lognormal.txt: a header `# Omega_m sigma_8`, then one row a simulation, five decimals: a Latin
        hypercube over the CAMELS prior. The maps are drawn at the rounded values: the table holds exactly what was
        used.

    Units: (Msun/h)/(Mpc/h)**2, box 25 Mpc/h, redshift 6.

    Ordering: map i belongs to row i // maps_per_simulation, and is row i of `lognormal.sample` with the same seed. The
    parameters and the fields are drawn from different random streams of the seed.

    Files appear whole or not at all: they are written under a temporary name in the same folder, and then renamed, the maps
    last.

    Args:
        out_dir: Folder; made if it is missing.
        simulations: Number of parameter points.
        map_size: Pixels a side.
        maps_per_simulation: Independent maps at each parameter point.
        seed: Non-negative integer.
        overwrite: Whether files of these names may be replaced.
        progress: Called as `progress("simulations", done, total)` after each one.

    Returns:
        Paths of the maps and of the table.

    Raises:
        InputError: If an argument is outside its range, if a file is there already, or if the files cannot be written.
    """
    check_count("simulations", simulations)
    check_count("maps_per_simulation", maps_per_simulation)
    rings(map_size)
    check_seed(seed)
    maps_path, params_path = Path(out_dir) / _MAPS_NAME, Path(out_dir) / _PARAMS_NAME
    check_new_suite((maps_path, params_path), overwrite)
    theta = _draw_parameters(simulations, seed)
    with (
        owned_folder(out_dir, "suite", names=(_MAPS_NAME, _PARAMS_NAME), overwrite=overwrite),
        whole_path(maps_path) as maps_part,
    ):
        with open(maps_part, "wb") as file:
            write_maps_header(file, len(theta) * maps_per_simulation, map_size)
            _write_maps(file, theta, map_size, maps_per_simulation, seed, progress)
        # Old maps are removed first: if the process dies in between, no table is left beside maps of another table.
        maps_path.unlink(missing_ok=True)
        write_parameters(params_path, theta, PARAMETER_NAMES)
    return maps_path, params_path


def _draw_parameters(simulations, seed):
    stream = np.random.SeedSequence(seed, spawn_key=(PARAMETER_STREAM,))
    space = ParameterSpace.from_names(PARAMETER_NAMES)
    theta = space.latin_hypercube(simulations, seed=int(stream.generate_state(1, np.uint64)[0]))
    return np.round(theta, DECIMALS)


def _write_maps(file, theta, map_size, maps_per_simulation, seed, progress):
    for i, row in enumerate(theta):
        rows = np.repeat(row[None], maps_per_simulation, axis=0)
        maps = sample(rows, map_size, seed, first_row=i * maps_per_simulation)
        file.write(maps.astype("<f4", copy=False).tobytes())
        if progress is not None:
            progress("simulations", i + 1, len(theta))
