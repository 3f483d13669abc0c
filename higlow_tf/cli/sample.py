"""higlow sample: new maps at chosen parameters."""

from pathlib import Path
from typing import Annotated

import typer

from higlow_tf.cli.console import load_tensorflow, progress_bar, say
from higlow_tf.cli.options import Overwrite, Run, Seed
from higlow_tf.errors import InputError
from higlow_tf.files import check_new

__all__ = ["sample"]


def sample(
    run: Run,
    out: Annotated[Path, typer.Option(help="File: .npy (with a table of parameters beside it) or .h5.")],
    omega_m: Annotated[float | None, typer.Option("--omega-m", help="Omega_m of all maps.")] = None,
    sigma_8: Annotated[float | None, typer.Option("--sigma-8", help="sigma_8 of all maps.")] = None,
    theta: Annotated[
        str | None,
        typer.Option(help="All parameters of the model, in its order, with commas: 0.3,0.8; or all but the nuisance."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Maps at each parameter point.")] = 1,
    params: Annotated[Path | None, typer.Option(help="Table with a parameter point a row.")] = None,
    from_prior: Annotated[
        int | None, typer.Option(min=1, help="Number of parameter points drawn from the prior.")
    ] = None,
    seed: Seed = 0,
    figure: Annotated[Path | None, typer.Option(help="Picture of the first 8 maps: .png, .pdf or .svg.")] = None,
    temperature: Annotated[float, typer.Option(min=0.0, help="Factor of the latents' standard deviation.")] = 1.0,
    overwrite: Overwrite = False,
):
    """Draw new maps at given parameters, at those of a table, or at parameters drawn from the prior.

    Of a model that was trained with --nuisance, the nuisance parameters that are not given are drawn from their prior, for each
    map its own. Row i depends only on (seed, i) and on its parameters. Maps that are not finite are counted and kept.

    Example: higlow sample RUN --omega-m 0.3 --sigma-8 0.8 --count 64 --out samples.npy --figure samples.png
    """
    if out.suffix not in (".npy", ".h5"):
        raise InputError(f"--out: expected a file name that ends in .npy or .h5. Received: {out}.")
    files = [out] if out.suffix == ".h5" else [out, out.with_name(f"{out.stem}_params.txt")]
    for path in files if figure is None else [*files, figure]:
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
    from higlow_tf.models import load_model, write_samples
    from higlow_tf.models.sample_files import first_samples
    from higlow_tf.reports.picture import check_picture_name
    from higlow_tf.reports.sample_pictures import MAPS_SHOWN, write_sample_figure

    if figure is not None:
        check_picture_name(figure)
    model = load_model(run)
    if from_prior is not None:
        rows = model.parameters.sample_uniform(from_prior, seed=seed).repeat(count, axis=0)
    else:
        if params is not None:
            values = _table_values(model, params)
        elif theta is not None:
            values = _ordered_values(model, theta)
        else:
            values = _named_values(model, point)
        values = {name: column.repeat(count) for name, column in values.items()}
        rows = model.complete_theta(values, seed=seed)
        _say_drawn(model, values)
    with progress_bar() as progress:
        num_bad = write_samples(model, rows, out, seed=seed, temperature=temperature, progress=progress)
    if figure is not None:
        write_sample_figure(model, first_samples(out, MAPS_SHOWN), rows, figure, overwrite)
        files.append(figure)
    for path in files:
        say(f"Wrote {path}")
    say(f"{len(rows)} maps; with pixels that are not finite: {num_bad}", fg="red" if num_bad else None)


def _table_values(model, path):
    from higlow_tf.data.tables import read_parameter_table

    table = read_parameter_table(path)
    missing = [name for name in model.nuisance if name not in table.names]
    return {name: table.column(name) for name in model.parameters.without(missing).names}


def _ordered_values(model, text):
    """A value for each parameter, or for each that one asks for."""
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError:
        raise InputError(f"--theta: expected numbers with commas between them. Received: {text!r}.") from None
    asked = model.parameters_of_interest
    space = asked if len(numbers) == len(asked) else model.parameters
    return dict(zip(space.names, space.point(numbers, "--theta").T, strict=True))


def _named_values(model, point):
    given = {name: value for name, value in point.items() if value is not None}
    asked = model.parameters_of_interest.names
    if not set(asked) <= set(given) <= set(model.parameters.names):
        raise InputError(
            f"--omega-m, --sigma-8: expected values of {', '.join(asked)}, or --theta with these in this order. "
            f"Received: {', '.join(given)}."
        )
    space = model.parameters.without(set(model.parameters.names) - set(given))
    row = space.point([given[name] for name in space.names], "--omega-m, --sigma-8")
    return dict(zip(space.names, row.T, strict=True))


def _say_drawn(model, values):
    drawn = [name for name in model.parameters.names if name not in values]
    if drawn:
        say(f"Drawn from their prior, for each map: {', '.join(drawn)}")
