"""higlow client: asks a served model."""

import warnings
from pathlib import Path
from typing import Annotated

import typer

from higlow_tf.cli.console import load_tensorflow, print_table, progress_bar, say
from higlow_tf.cli.options import Overwrite, ParamsFile, Seed, Task
from higlow_tf.errors import InputError, InputWarning
from higlow_tf.files import check_new

__all__ = ["client"]

_MOST_ROWS = 20


# What each task is given; everything else is of no use to it.
_NEEDS = {Task.SAMPLE: set(), Task.LOG_PROB: {"--maps", "--params"}, Task.POSTERIOR: {"--maps"}}
_TAKES = {
    Task.SAMPLE: {"--omega-m", "--sigma-8", "--theta", "--params"},
    Task.LOG_PROB: {"--maps", "--params"},
    Task.POSTERIOR: {"--maps"},
}


def client(
    address: Annotated[str, typer.Argument(help="http://HOST:PORT for REST; HOST:PORT for gRPC (extra serve).")],
    task: Annotated[Task, typer.Argument(help="What is asked.")],
    model: Annotated[str, typer.Option(help="Name of the served model.")],
    out: Annotated[Path, typer.Option(help="sample, log_prob: .npy or .h5; posterior: .h5.")],
    maps: Annotated[list[Path] | None, typer.Option("--maps", help="Maps, in any form that training reads.")] = None,
    params: ParamsFile = None,
    omega_m: Annotated[float | None, typer.Option("--omega-m", help="Omega_m of all samples.")] = None,
    sigma_8: Annotated[float | None, typer.Option("--sigma-8", help="sigma_8 of all samples.")] = None,
    theta: Annotated[
        str | None,
        typer.Option(help="All parameters of all samples, with commas: 0.3,0.8; in the order of the model card."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Samples at each parameter point.")] = 1,
    seed: Seed = 0,
    temperature: Annotated[float, typer.Option(min=0.0, help="Factor of the latents' standard deviation.")] = 1.0,
    card: Annotated[
        Path | None,
        typer.Option(
            metavar="model_card.json", help="Model card: names and prior of the parameters; its warnings are shown."
        ),
    ] = None,
    version: Annotated[int | None, typer.Option(min=0, help="Version of the model.", show_default="the newest")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Rows of a request.")] = 64,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds after which a request is given up.")] = 600.0,
    retries: Annotated[int, typer.Option(min=0, help="How often a busy or absent server is asked again.")] = 5,
    overwrite: Overwrite = False,
):
    """Ask a server (of higlow serve or TensorFlow Serving) for maps, densities or posteriors; files in, files out.

    Maps are drawn as higlow sample draws them: row i depends only on (seed, i) and on its parameters.

    Example: higlow client http://localhost:8501 sample --model compact_mock --omega-m 0.3 --sigma-8 0.8 --out maps.npy
    """
    given = {"--maps": maps, "--params": params, "--omega-m": omega_m, "--sigma-8": sigma_8, "--theta": theta}
    _check_options(task, {name for name, value in given.items() if value})
    _check_out(task, out, overwrite)
    _check_grid(task, address, card)
    load_tensorflow()
    from higlow_tf.serving import Client

    how = {"version": version, "card": card, "batch_size": batch_size, "timeout_s": timeout, "num_retries": retries}
    with Client(address, model, **how) as asked:
        for sentence in asked.card_sentences():
            say(sentence)
        with progress_bar() as progress:
            if task is Task.SAMPLE:
                rows = _rows(asked, omega_m, sigma_8, theta, params).repeat(count, axis=0)
                lines = _sample(asked, rows, out, seed, temperature, progress)
            elif task is Task.LOG_PROB:
                lines = _log_prob(asked, maps, params, out, overwrite, progress)
            else:
                lines = _posterior(asked, maps, out, overwrite, progress)
    for line in lines:
        say(line)


def _check_options(task, given):
    missing, unknown = sorted(_NEEDS[task] - given), sorted(given - _TAKES[task])
    if missing or unknown:
        found = f"{', '.join(unknown)}" if unknown else f"no {', '.join(missing)}"
        raise InputError(f"{task}: expected {', '.join(sorted(_TAKES[task]))}. Received: {found}.")


def _check_grid(task, address, card):
    if task is Task.POSTERIOR and card is None and address.startswith("http"):
        raise InputError(
            "posterior: expected --card model_card.json (in assets.extra of the model's version) or an address of gRPC, such as "
            "localhost:8500: over REST there is no word for the model's own grid. Received: neither."
        )


def _check_out(task, out, overwrite):
    suffixes = (".h5",) if task is Task.POSTERIOR else (".npy", ".h5")
    if out.suffix not in suffixes:
        raise InputError(f"--out: expected a file name that ends in {' or '.join(suffixes)}. Received: {out}.")
    check_new(out, overwrite)
    if task is Task.SAMPLE and out.suffix == ".npy":
        check_new(out.with_name(f"{out.stem}_params.txt"), overwrite)


def _rows(asked, omega_m, sigma_8, theta, params):
    """Theta `[N, P]` of the one way in which it was given."""
    from higlow_tf.data.tables import read_parameter_table
    from higlow_tf.serving.client.files import named_parameters

    space = named_parameters(asked)
    point = {name: value for name, value in (("Omega_m", omega_m), ("sigma_8", sigma_8)) if value is not None}
    if sum((bool(point), theta is not None, params is not None)) != 1:
        raise InputError("Expected one of --omega-m/--sigma-8, --theta and --params. Received: none or several.")
    if params is not None:
        return read_parameter_table(params).columns(space.names)
    if theta is not None:
        try:
            return space.point([float(word) for word in theta.split(",")], "--theta")
        except ValueError:
            raise InputError(
                f"--theta: expected {len(space)} numbers with commas between. Received: {theta!r}."
            ) from None
    if set(point) != set(space.names):
        raise InputError(f"Expected values of {', '.join(space.names)}, or --theta. Received: {', '.join(point)}.")
    return space.point([point[name] for name in space.names], "--omega-m, --sigma-8")


def _sample(asked, rows, out, seed, temperature, progress):
    from higlow_tf.models.sample_files import sample_paths
    from higlow_tf.serving.client.files import write_served_samples

    num_bad = write_served_samples(asked, rows, out, seed=seed, temperature=temperature, progress=progress)
    return [
        *(f"Wrote {path}" for path in sample_paths(out)),
        f"{len(rows)} maps; with pixels that are not finite: {num_bad}",
    ]


def _log_prob(asked, maps, params, out, overwrite, progress):
    from higlow_tf.data import load_cmd
    from higlow_tf.serving.client.files import named_parameters, write_log_prob

    space = named_parameters(asked)
    with warnings.catch_warnings():
        # Nothing is split here.
        warnings.filterwarnings("ignore", ".*share all their parameters", InputWarning)
        data = load_cmd(maps, params, space.specs, map_transform=asked.map_transform)
    log_prob = asked.log_prob(data.maps, data.theta, progress=progress)
    num_bad = write_log_prob(log_prob, data.theta, space.names, out, overwrite=overwrite)
    return [f"Wrote {out}", f"{len(log_prob)} maps; without a density: {num_bad}"]


def _posterior(asked, maps, out, overwrite, progress):
    from higlow_tf.data import load_maps_only

    posterior = asked.posterior(load_maps_only(maps, map_transform=asked.map_transform).maps, progress=progress)
    posterior.save(out, overwrite=overwrite)
    names = posterior.parameters or [f"parameter {column}" for column in range(posterior.mean.shape[1])]
    rows = [
        (
            index,
            *[f"{mean:.4f} ± {sd:.4f}" for mean, sd in zip(posterior.mean[index], posterior.sd[index], strict=True)],
        )
        for index in range(min(len(posterior), _MOST_ROWS))
    ]
    print_table(("map", *names), rows, "Posterior mean ± sd (with the calibration of the served model)")
    more = [f"... and {len(posterior) - _MOST_ROWS} more in the file"] if len(posterior) > _MOST_ROWS else []
    return [*more, f"Wrote {out}"]
