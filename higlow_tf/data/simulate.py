"""Writes simulated suites as files in the layout of the CAMELS Multifield Dataset (CMD)."""

import contextlib
import os
from pathlib import Path

import numpy as np

from higlow_tf.data import lognormal
from higlow_tf.data.lognormal.field import PARAMETER_STREAM, check_seed, rings
from higlow_tf.data.lognormal.posterior import PARAMETER_NAMES
from higlow_tf.data.parameters import ParameterSpace
from higlow_tf.errors import InputError

__all__ = ["write_lognormal"]

_MAPS_NAME = "Maps_HI_Lognormal_LH_z=6.00.npy"
_PARAMS_NAME = "params_LH_Lognormal.txt"
_DECIMALS = 5


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
    parameters are drawn from another random stream of the seed than the fields.

    Files appear whole or not at all: they are written under a temporary name beside and renamed, the maps last.

    Args:
        out_dir: Folder; made if it is missing.
        simulations: Number of parameter points.
        map_size: Pixels a side.
        maps_per_simulation: Independent maps at each parameter point.
        seed: Non-negative integer.
        overwrite: Whether files of these names may be replaced.
        progress: Called as `progress(done, total)`, in simulations, after each one.

    Returns:
        Paths of the maps and of the table.

    Raises:
        InputError: If an argument is outside its range, a file is there already, or the files cannot be written.
    """
    for name, value in (("simulations", simulations), ("maps_per_simulation", maps_per_simulation)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise InputError(f"Expected {name} to be a positive integer. Received: {value!r}.")
    rings(map_size)
    check_seed(seed)
    maps_path, params_path = Path(out_dir) / _MAPS_NAME, Path(out_dir) / _PARAMS_NAME
    _refuse_existing((maps_path, params_path), overwrite)
    theta = _draw_parameters(simulations, seed)
    with contextlib.ExitStack() as cleanup:
        params_part = cleanup.enter_context(_temporary_beside(params_path))
        maps_part = cleanup.enter_context(_temporary_beside(maps_path))
        with _errors_name(params_path), open(params_part, "w", encoding="utf-8") as file:
            np.savetxt(file, theta, fmt=f"%.{_DECIMALS}f", header=" ".join(PARAMETER_NAMES))
        with _errors_name(maps_path), open(maps_part, "wb") as file:
            _write_maps(file, theta, map_size, maps_per_simulation, seed, progress)
        with _errors_name(maps_path):
            # Old maps go first: if the process dies in between, no table stands beside maps of another one.
            maps_path.unlink(missing_ok=True)
            os.replace(params_part, params_path)
            os.replace(maps_part, maps_path)
    return maps_path, params_path


def _draw_parameters(simulations, seed):
    stream = np.random.SeedSequence(seed, spawn_key=(PARAMETER_STREAM,))
    space = ParameterSpace.from_names(PARAMETER_NAMES)
    theta = space.latin_hypercube(simulations, seed=int(stream.generate_state(1, np.uint64)[0]))
    return np.round(theta, _DECIMALS)


def _write_maps(file, theta, map_size, maps_per_simulation, seed, progress):
    """Streams the maps, one simulation at a time; plain writes, as a full disk under a memory map ends the process."""
    header = {
        "descr": "<f4",
        "fortran_order": False,
        "shape": (len(theta) * maps_per_simulation, map_size, map_size),
    }
    np.lib.format.write_array_header_1_0(file, header)
    for i, row in enumerate(theta):
        rows = np.repeat(row[None], maps_per_simulation, axis=0)
        maps = lognormal.sample(rows, map_size, seed, first_row=i * maps_per_simulation)
        file.write(maps.astype("<f4", copy=False).tobytes())
        if progress is not None:
            progress(i + 1, len(theta))


def _refuse_existing(paths, overwrite):
    for path in paths:
        if path.exists() and not overwrite:
            raise InputError(f"Expected {path} not to exist, or overwrite=True. Received: an existing file.")


@contextlib.contextmanager
def _temporary_beside(path):
    """A temporary path in the folder of `path`, which is made if missing; what is left there is removed at the end."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with _errors_name(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield part
    finally:
        # Also when the folder has become unreadable: the error that matters is the one already on its way.
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def _errors_name(path):
    """Turns an error of the operating system into one sentence that names the file."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"Expected to be able to write {path}. Received: {reason}.") from error
