"""Writes the mock suite as files in the layout of the CAMELS Multifield Dataset (CMD); resumable."""

import contextlib
from dataclasses import asdict
from pathlib import Path

from higlow_tf.cores import num_cores
from higlow_tf.data.lognormal.field import check_seed
from higlow_tf.data.lognormal.power import (
    BOX_SIZE_MPC_H,
    HUBBLE_H,
    OMEGA_B,
    REDSHIFT,
    SLAB_THICKNESS_MPC_H,
    SPECTRAL_INDEX,
)
from higlow_tf.data.mock.hydrogen import column_density_per_unit
from higlow_tf.data.mock.parameter_sets import set_parameters, simulation_seeds
from higlow_tf.data.mock.partial_maps import PartialMaps
from higlow_tf.data.mock.particle_mesh import NUM_STEPS, START_REDSHIFT
from higlow_tf.data.mock.projection import MAPS_PER_SIMULATION
from higlow_tf.data.mock.simulation import check_map_size
from higlow_tf.data.mock.variants import get_variant
from higlow_tf.data.mock.workers import simulate_in_order
from higlow_tf.data.parameters import CAMELS_PARAMETERS
from higlow_tf.data.suite_files import check_count, check_new_suite, write_parameters
from higlow_tf.errors import InputError
from higlow_tf.files import resolved
from higlow_tf.ownership import owned_folder
from higlow_tf.versions import version

__all__ = ["CARD_FORMAT_VERSION", "write_mock"]

CARD_FORMAT_VERSION = 1


def write_mock(
    out_dir,
    *,
    simulations,
    variant="uniform-background",
    set_name="LH",
    map_size=64,
    mesh_size=None,
    seed=0,
    processes=None,
    resume=False,
    overwrite=False,
    progress=None,
):
    """Simulates a set of the mock suite and writes maps, parameters and a card.

    Files:
        Maps_HI_{suite}_{set}_z=6.00.npy: float32 `[simulations * 15, map_size, map_size]`.
        params_{set}_{suite}.txt: a header with the names of all six parameters, then one row a simulation, five
        decimals. The maps are made with the rounded values: the table holds exactly what was used.
        Maps_HI_{suite}_{set}_z=6.00.json: units, cosmology, constants of the variant, seed, version of this package.

    Units: (Msun/h)/(Mpc/h)**2, comoving, box 25 Mpc/h, redshift 6.

    Ordering: map i belongs to row i // 15; within a simulation it is map 5 * axis + slab. The maps of row r are
        `simulate(theta[r], [seed, n, s, r])` with the number n of the variant and s = 0 for LH, 1 for CV, 2 for 1P. For 1P
        this r is always 0. The bytes do not depend on the number of processes or on interruptions.

    Files appear whole or not at all. Finished simulations are kept in a hidden file in the same folder. If a call was
    interrupted or killed, the same call with `resume=True` continues it.

    Args:
        out_dir: Folder; made if it is missing.
        simulations: Number of simulations.
        variant: `"uniform-background"` or `"bubbles"`.
        set_name: `"LH"`, `"CV"` or `"1P"`, see `set_parameters`.
        map_size: Pixels a side, 8 to 128.
        mesh_size: Cells a side of the particle mesh, see `simulate`.
        seed: Non-negative integer.
        processes: Number of simulations that run at a time; by default one for each core. With more than one, a script needs
            `if __name__ == "__main__":`, as for every use of `multiprocessing`.
        resume: Whether to continue a call with the same arguments.
        overwrite: Whether files of these names may be replaced.
        progress: Called as `progress("simulations", done, total)` after each one.

    Returns:
        Paths of the maps, of the table and of the card.

    Raises:
        InputError: If an argument is outside its range, if a file is there already, if an interrupted call had other
            arguments, or if the files cannot be written.
    """
    check_count("simulations", simulations)
    processes = num_cores() if processes is None else processes
    check_count("processes", processes)
    check_seed(seed)
    mesh_size, variant = check_map_size(map_size, mesh_size), get_variant(variant)
    theta = set_parameters(set_name, simulations, seed, variant)
    stem = Path(out_dir) / f"Maps_HI_{variant.suite}_{set_name}_z={REDSHIFT:.2f}"
    maps_path, card_path = stem.with_name(f"{stem.name}.npy"), stem.with_name(f"{stem.name}.json")
    params_path = stem.with_name(f"params_{set_name}_{variant.suite}.txt")
    paths = maps_path, params_path, card_path
    if not resume:
        check_new_suite(paths, overwrite)
    partial = PartialMaps(maps_path, card_path, _card(variant, set_name, simulations, map_size, mesh_size, seed))
    names = [path.name for path in paths]
    with owned_folder(out_dir, "suite", names=names, overwrite=overwrite, resume=resume) as folder:
        num_done = _start(partial, paths, resume, overwrite)
        if progress is not None and num_done:
            progress("simulations", num_done, simulations)
        seeds = simulation_seeds(set_name, simulations, seed, variant)
        tasks = [
            {"theta": row, "seed": row_seed, "variant": variant.name, "map_size": map_size, "mesh_size": mesh_size}
            for row, row_seed in zip(theta[num_done:], seeds[num_done:], strict=True)
        ]
        # Closed at once when writing fails or is interrupted: no process works on.
        with contextlib.closing(simulate_in_order(tasks, processes)) as results:
            partial.append(results, num_done, progress)
        partial.check_complete()
        # Old maps go first: if the process dies in between, no table stands beside maps of another one.
        maps_path.unlink(missing_ok=True)
        write_parameters(params_path, theta, CAMELS_PARAMETERS)
        folder.claim(resolved(maps_path))
        partial.publish()
    return paths


def _start(partial, paths, resume, overwrite):
    """Begins or continues; returns the number of simulations that are done."""
    if resume and partial.exists():
        # The call that is continued was allowed to write these files, and may have been stopped while it did.
        return partial.num_done()
    check_new_suite(paths, overwrite)
    if partial.exists() and not overwrite:
        raise InputError(
            f"{partial.maps_path}: expected --resume to continue the call that was interrupted, or --overwrite to begin again. "
            "Received: neither."
        )
    partial.begin()
    return 0


def _card(variant, set_name, simulations, map_size, mesh_size, seed):
    """What the maps are and how they were made, JSON-compatible."""
    return {
        "format_version": CARD_FORMAT_VERSION,
        "summary": "Mock HI maps from a particle mesh: no gas dynamics, no radiative transfer, constants set by eye.",
        "suite": variant.suite,
        "set": set_name,
        "field": "HI",
        "units": "(Msun/h)/(Mpc/h)^2, comoving",
        "column_density_cm2_per_unit": column_density_per_unit(),
        "redshift": REDSHIFT,
        "box_size_mpc_h": BOX_SIZE_MPC_H,
        "slab_thickness_mpc_h": SLAB_THICKNESS_MPC_H,
        "h": HUBBLE_H,
        "n_s": SPECTRAL_INDEX,
        "Omega_b": OMEGA_B,
        "parameters": list(CAMELS_PARAMETERS),
        "simulations": int(simulations),
        "maps_per_simulation": MAPS_PER_SIMULATION,
        "map_size": int(map_size),
        "mesh_size": mesh_size,
        "start_redshift": START_REDSHIFT,
        "num_steps": NUM_STEPS,
        "seed": int(seed),
        "variant": asdict(variant),
        "higlow_tf_version": version(),
    }
