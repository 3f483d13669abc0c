"""higlow sample: new maps at chosen parameters."""

import contextlib
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from higlow_tf.cli.console import load_tensorflow, progress_bar, say
from higlow_tf.cli.options import Overwrite, Run, Seed
from higlow_tf.errors import InputError
from higlow_tf.evaluation.chunks import generate_in_chunks, warn_outside
from higlow_tf.files import check_new, whole_path

__all__ = ["sample", "write_samples"]

_FORMAT_VERSION = 1
_UNITS = "(Msun/h)/(Mpc/h)^2"


def sample(
    run: Run,
    out: Annotated[Path, typer.Option(help="File: .npy (with a table of parameters beside it) or .h5.")],
    omega_m: Annotated[float | None, typer.Option("--omega-m", help="Omega_m of all maps.")] = None,
    sigma_8: Annotated[float | None, typer.Option("--sigma-8", help="sigma_8 of all maps.")] = None,
    theta: Annotated[
        str | None, typer.Option(help="All parameters of the model, in its order, with commas: 0.3,0.8")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Maps at each parameter point.")] = 1,
    params: Annotated[Path | None, typer.Option(help="Table with a parameter point a row.")] = None,
    from_prior: Annotated[
        int | None, typer.Option(min=1, help="Number of parameter points drawn from the prior.")
    ] = None,
    seed: Seed = 0,
    temperature: Annotated[float, typer.Option(min=0.0, help="Factor of the latents' standard deviation.")] = 1.0,
    overwrite: Overwrite = False,
):
    """Draw new maps at given parameters, at those of a table, or at parameters drawn from the prior.

    Row i depends on (seed, i) and its parameters only. Maps that are not finite are counted and kept.

    Example: higlow sample RUN --omega-m 0.3 --sigma-8 0.8 --count 64 --out samples.npy
    """
    for path in _files(out):
        check_new(path, overwrite)
    point = {"Omega_m": omega_m, "sigma_8": sigma_8}
    ways = {
        "--omega-m/--sigma-8": any(value is not None for value in point.values()),
        "--theta": theta is not None,
        "--params": params is not None,
        "--from-prior": from_prior is not None,
    }
    chosen = [way for way, is_chosen in ways.items() if is_chosen]
    if len(chosen) != 1:
        raise InputError(f"Expected exactly one of {', '.join(ways)}. Received: {', '.join(chosen) or 'none'}.")
    load_tensorflow()
    from higlow_tf.models import load_model

    model = load_model(run)
    if from_prior is not None:
        rows = model.parameters.sample_uniform(from_prior, seed=seed)
    elif params is not None:
        rows = _table_rows(model.parameters, params)
    elif theta is not None:
        rows = _numbers(model.parameters, theta)
    else:
        rows = _named_point(model.parameters, point)
    write_samples(model, np.repeat(rows, count, axis=0), out, seed=seed, temperature=temperature)


def write_samples(model, theta, out, *, seed=0, temperature=1.0):
    """Writes one map for each row of theta, chunk by chunk; an existing file is replaced.

    Files:
        .npy: maps float32 `[N, H, W]`, and beside it OUT_params.txt, a table with a header.
        .h5: maps, theta, seed, units; attributes: these two again, parameters, temperature, format_version.

    Returns:
        How many maps have pixels that are not finite.
    """
    warn_outside(model.parameters, theta)
    shape = (len(theta), *([model.map_size] * 2), *([model.num_channels] if model.num_channels > 1 else []))
    num_bad = 0
    with contextlib.ExitStack() as stack:
        report = stack.enter_context(progress_bar("maps"))
        open_writer = _open_hdf5 if out.suffix == ".h5" else _open_npy
        write = open_writer(stack, model, out, theta, shape, seed, temperature)
        for rows, maps in generate_in_chunks(model, theta, seed=seed, temperature=temperature, progress=report):
            num_bad += int(np.sum(~np.isfinite(maps).all(axis=tuple(range(1, maps.ndim)))))
            write(rows, maps.astype("<f4", copy=False))
    for path in _files(out):
        say(f"Wrote {path}")
    say(f"{len(theta)} maps; with pixels that are not finite: {num_bad}", fg="red" if num_bad else None)
    return num_bad


def _files(out):
    if out.suffix not in (".npy", ".h5"):
        raise InputError(f"--out: expected a file name that ends in .npy or .h5. Received: {out}.")
    return [out] if out.suffix == ".h5" else [out, _table_path(out)]


def _table_path(out):
    return out.with_name(f"{out.stem}_params.txt")


def _open_npy(stack, model, out, theta, shape, seed, temperature):
    """Both files take their names at the end, or neither does."""
    table = stack.enter_context(whole_path(_table_path(out)))
    np.savetxt(table, theta, header=" ".join(model.parameters.names))
    file = stack.enter_context(open(stack.enter_context(whole_path(out)), "wb"))
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return lambda rows, maps: file.write(maps.tobytes())


def _open_hdf5(stack, model, out, theta, shape, seed, temperature):
    import h5py

    file = stack.enter_context(h5py.File(stack.enter_context(whole_path(out)), "w"))
    dataset = file.create_dataset("maps", shape, dtype="<f4")
    file["theta"] = theta
    split = model.split
    facts = {"seed": seed, "units": split["units"] if split else _UNITS}
    for name, fact in facts.items():
        file[name] = fact
    names = list(model.parameters.names)
    file.attrs.update(facts | {"parameters": names, "temperature": temperature, "format_version": _FORMAT_VERSION})
    return dataset.__setitem__


def _table_rows(parameters, path):
    from higlow_tf.data.tables import read_parameter_table

    table = read_parameter_table(path)
    return np.stack([table.column(name) for name in parameters.names], axis=1)


def _numbers(parameters, text):
    try:
        rows = np.array([[float(word) for word in text.split(",")]])
    except ValueError:
        raise InputError(f"--theta: expected numbers with commas between them. Received: {text!r}.") from None
    return _checked(parameters, rows, "--theta")


def _named_point(parameters, point):
    if set(parameters.names) != set(point) or None in point.values():
        raise InputError(
            f"--omega-m, --sigma-8: expected both, for a model of these two; else --theta with the values of "
            f"{', '.join(parameters.names)}. Received: {point}."
        )
    return _checked(parameters, np.array([[point[name] for name in parameters.names]]), "--omega-m, --sigma-8")


def _checked(parameters, rows, name):
    if rows.shape[1] != len(parameters) or not np.isfinite(rows).all():
        raise InputError(
            f"{name}: expected {len(parameters)} finite values, {', '.join(parameters.names)}. "
            f"Received: {rows[0].tolist()}."
        )
    return rows
