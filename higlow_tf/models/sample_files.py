"""Draws new maps into a file, chunk by chunk, so that memory stays small however many there are."""

import contextlib
import math
import warnings
from pathlib import Path

import h5py
import numpy as np

from higlow_tf.errors import InputError, InputWarning
from higlow_tf.expected_rows import expect_rows
from higlow_tf.files import check_room, whole_path
from higlow_tf.map_transforms import default_units, map_transform_of

__all__ = ["first_samples", "sample_paths", "write_samples"]

_FORMAT_VERSION = 1
_CHUNK = 256
# What HDF5 writes beside the arrays: measured 10 kB.
_MAX_HDF5_OVERHEAD = 2**14


def write_samples(model, theta, out, *, seed=0, temperature=1.0, progress=None):
    """Writes one map for each row of theta: the maps of `model.sample(theta, seed, temperature)`. Files are replaced.

    Files:
        .npy: maps float32 `[N, H, W]`, and beside it OUT_params.txt, a table with a header.
        .h5: maps, theta, seed, units; attributes: these two again, parameters, temperature, format_version.

    Args:
        model: `ConditionalGlow`, `HIFlow` or `TRENF`.
        theta: Parameters `[N, P]`, physical.
        out: The file, .npy or .h5.
        seed: Row i depends on (seed, i) and its parameters alone.
        temperature: Factor of the latents' standard deviation.
        progress: Called as `progress("maps", done, total)`, or None.

    Returns:
        How many maps have pixels that are not finite. They are kept.

    Raises:
        InputError: If the file has another suffix or cannot be written.

    Warns:
        InputWarning: If parameters lie outside the prior; once, with by how much.
    """
    out, theta = Path(out), np.asarray(theta)
    sample_paths(out)
    outside = model.parameters.describe_outside(theta)
    if outside:
        warnings.warn(f"The model extrapolates: {outside}.", InputWarning, stacklevel=2)
    num_bad = 0
    with contextlib.ExitStack() as stack:
        stack.enter_context(expect_rows(len(theta)))
        open_writer = _open_hdf5 if out.suffix == ".h5" else _open_npy
        write = open_writer(stack, model, out, theta, seed, temperature)
        for start in range(0, len(theta), _CHUNK):
            rows = slice(start, min(start + _CHUNK, len(theta)))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", InputWarning)  # said above, for all rows at once
                maps = np.asarray(model.sample(theta[rows], seed=seed, temperature=temperature, first_row=start))
            num_bad += int(np.sum(~np.isfinite(maps).all(axis=tuple(range(1, maps.ndim)))))
            write(rows, maps.astype("<f4", copy=False))
            if progress is not None:
                progress("maps", rows.stop, len(theta))
    return num_bad


def sample_paths(out):
    """The files that `write_samples` writes for this path.

    Raises:
        InputError: If the suffix is none that it knows.
    """
    out = Path(out)
    if out.suffix not in (".npy", ".h5"):
        raise InputError(f"--out: expected a file name that ends in .npy or .h5. Received: {out}.")
    return [out] if out.suffix == ".h5" else [out, _table_path(out)]


def first_samples(out, count):
    """The first maps of a file of `write_samples`, as an array of `count` maps or of all that there are."""
    if Path(out).suffix == ".h5":
        with h5py.File(out) as file:
            return file["maps"][:count]
    return np.array(np.load(out, mmap_mode="r")[:count])


def _table_path(out):
    return out.with_name(f"{out.stem}_params.txt")


def _shape(model, theta):
    channels = [model.num_channels] if model.num_channels > 1 else []
    return (len(theta), model.map_size, model.map_size, *channels)


def _units(model):
    return model.split["units"] if model.split else default_units(map_transform_of(model))


def _open_npy(stack, model, out, theta, seed, temperature):
    """Both files take their names at the end, or neither does."""
    table = stack.enter_context(whole_path(_table_path(out)))
    np.savetxt(table, theta, header=" ".join(model.parameters.names))
    file = stack.enter_context(open(stack.enter_context(whole_path(out)), "wb"))
    header = {"descr": "<f4", "fortran_order": False, "shape": _shape(model, theta)}
    np.lib.format.write_array_header_1_0(file, header)
    return lambda rows, maps: file.write(maps.tobytes())


def _open_hdf5(stack, model, out, theta, seed, temperature):
    part, shape = stack.enter_context(whole_path(out)), _shape(model, theta)
    check_room(part, 4 * math.prod(shape) + theta.nbytes + _MAX_HDF5_OVERHEAD)
    file = stack.enter_context(h5py.File(part, "w"))
    dataset = file.create_dataset("maps", shape, dtype="<f4")
    file["theta"] = theta
    facts = {"seed": seed, "units": _units(model)}
    for name, fact in facts.items():
        file[name] = fact
    names = list(model.parameters.names)
    file.attrs.update(facts | {"parameters": names, "temperature": temperature, "format_version": _FORMAT_VERSION})
    return dataset.__setitem__
