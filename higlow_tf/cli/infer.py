"""higlow infer: the posterior of the parameters of maps."""

import enum
import shutil
from pathlib import Path
from typing import Annotated

import typer

from higlow_tf.cli.console import load_tensorflow, print_table, progress_bar, say
from higlow_tf.cli.options import Ensemble, MapsFiles, Overwrite, Run, Seed
from higlow_tf.errors import InputError
from higlow_tf.files import check_new

__all__ = ["infer"]

_MOST_ROWS = 20
_MOST_NOTES = 12
# Standard errors from which on the share of truths inside is not chance.
_SURE = 3.0


class Method(enum.StrEnum):
    """Ways to evaluate a posterior."""

    GRID = "grid"
    IMPORTANCE = "importance"
    NUTS = "nuts"


def infer(
    run: Run,
    maps: MapsFiles,
    out: Annotated[Path, typer.Option(metavar="posterior.h5", help="File for the posteriors.")],
    method: Annotated[Method, typer.Option(help="How the posterior is evaluated.")] = Method.GRID,
    rows: Annotated[
        str | None, typer.Option("--rows", metavar="A:B", help="Maps A to B - 1 of the file only.", show_default="all")
    ] = None,
    maps_per_simulation: Annotated[
        int | None,
        typer.Option(min=1, help="Number of consecutive maps of one simulation; they get one posterior together."),
    ] = None,
    independent: Annotated[
        bool, typer.Option("--independent", help="One posterior for all maps, which are of different simulations.")
    ] = False,
    raw: Annotated[bool, typer.Option("--raw", help="Without the stored calibration.")] = False,
    ensemble: Ensemble = None,
    figure: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png|pdf", help="Picture of the first three posteriors (two parameters)."),
    ] = None,
    params: Annotated[
        Path | None,
        typer.Option("--params", help="Table of the true parameters, which --figure marks; .h5 files may hold them."),
    ] = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
):
    """Infer the parameters of maps, with the run's calibration, and warn of maps unlike those of training.

    Without --ensemble, as many flows count as the calibration was fitted with. Ctrl-C leaves finished posteriors beside the
    output, and the same command continues with the others. A map takes about a
    second of a CPU core, and with nuisance parameters some fifty times as long.

    Example: higlow infer RUN --maps MAPS.npy --rows 0:10 --out posterior.h5 --figure posterior.png
    """
    check_new(out, overwrite)
    if independent and maps_per_simulation is not None:
        raise InputError("Expected --independent or --maps-per-simulation. Received: both.")
    if params is not None and figure is None:
        raise InputError("--params: expected with --figure, in which the true parameters are marked. Received: alone.")
    load_tensorflow()
    from higlow_tf import inference
    from higlow_tf.models import load_model
    from higlow_tf.reports.posterior_pictures import check_drawable, write_posterior_figure
    from higlow_tf.runs import load_maps_like, true_parameters

    model = load_model(run)
    if figure is not None:
        check_drawable(model, method.value, figure, overwrite)
    files = load_maps_like(model.split, maps, map_transform=model.map_transform)
    chosen = _slice(rows, len(files.maps))
    hi_maps = files.maps[chosen]
    combine = "independent" if independent else _simulations(maps_per_simulation, len(hi_maps))
    truth = None
    if figure is not None:
        truth = true_parameters(files, params, inference.parameters_of_interest(model).names, chosen, combine)
    if not raw and model.calibration is None:
        say(f"Note: {run} has no calibration; the posteriors are raw. See: higlow calibrate --help")
    cache = out.with_name(f".{out.name}.unfinished")
    with progress_bar() as progress:
        posterior = inference.infer(
            model,
            hi_maps,
            method=method.value,
            combine=combine,
            calibration=None if raw else "stored",
            progress=progress,
            num_flows=ensemble,
            seed=seed,
            cache_dir=cache,
        )
    posterior.save(out, overwrite=overwrite)
    shutil.rmtree(cache, ignore_errors=True)
    _say_table(posterior, chosen.start if combine is None else 0)
    _say_lines([*posterior.notes, *([] if raw else _failed_test(run))])
    if figure is not None:
        write_posterior_figure(posterior, figure, overwrite, truth=truth)
        say(f"Wrote {figure}")
    say(f"Wrote {out}")


def _slice(rows, num_maps):
    if rows is None:
        return slice(0, num_maps)
    first, colon, last = rows.partition(":")
    if not colon or not all(part == "" or part.isdigit() for part in (first, last)):
        raise InputError(f"--rows: expected A:B, two whole numbers. Received: {rows!r}.")
    start, stop = int(first or 0), int(last or num_maps)
    if not 0 <= start < stop <= num_maps:
        raise InputError(f"--rows: expected a range within the {num_maps} maps. Received: {rows!r}.")
    return slice(start, stop)


def _simulations(maps_per_simulation, num_maps):
    if maps_per_simulation is None:
        return None
    if num_maps % maps_per_simulation:
        raise InputError(
            f"--maps-per-simulation: expected a divisor of the {num_maps} maps. Received: {maps_per_simulation}."
        )
    return [row // maps_per_simulation for row in range(num_maps)]


def _say_table(posterior, first):
    names = posterior.parameters.names
    rows = [
        (first + i, *[f"{mean:.4f} ± {sd:.4f}" for mean, sd in zip(posterior.mean[i], posterior.sd[i], strict=True)])
        for i in range(min(len(posterior), _MOST_ROWS))
    ]
    title = f"Posterior mean ± sd ({posterior.method}; {_calibration_text(posterior.calibration, len(names))})"
    print_table(("map" if posterior.combine == "none" else "group", *names), rows, title)
    if len(posterior) > _MOST_ROWS:
        say(f"... and {len(posterior) - _MOST_ROWS} more in the file")


def _calibration_text(calibration, num_parameters):
    if calibration is None:
        return "raw, not calibrated"
    widening = ", ".join(f"{value:.3g}" for value in calibration.widening_of(num_parameters))
    copies = f", mean over {calibration.num_symmetries} copies" if calibration.num_symmetries > 1 else ""
    flows = f", of {calibration.num_flows} flows" if calibration.num_flows > 1 else ""
    return f"calibrated: tempering {calibration.tempering:.3g}, widening {widening}{copies}{flows}"


def _failed_test(run):
    """A sentence if `higlow calibrate` found on test simulations that 68 % regions of this run hold another share of truths."""
    from higlow_tf.diagnostics import read_metrics
    from higlow_tf.gallery import find_run

    judged = find_run(run) / "calibration" / "metrics.json"
    coverage = read_metrics(judged).get("coverage_68") if judged.is_file() else None
    if coverage is None or coverage.error is None or abs(coverage.value - 0.68) <= _SURE * coverage.error:
        return []
    return [
        f"on test simulations the 68 % regions of this run held {100 * coverage.value:.0f} ± {100 * coverage.error:.0f} % of the "
        f"truths, after the repair: do not quote these errors. See {judged.with_name('report.html')}"
    ]


def _say_lines(lines):
    for line in lines[:_MOST_NOTES]:
        say(f"Note: {line}")
    if len(lines) > _MOST_NOTES:
        say(f"... and {len(lines) - _MOST_NOTES} more notes, all of them in the file")
