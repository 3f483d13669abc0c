"""higlow batch: an exported model on as many maps as there are."""

import importlib
from pathlib import Path
from typing import Annotated

import typer

from higlow_tf.cli.console import SETTINGS, progress_bar, rate_text, say, time_text
from higlow_tf.cli.options import Overwrite, ParamsFile, Seed, Task
from higlow_tf.errors import InputError

__all__ = ["batch"]

_MOST_SKIPPED = 12


def batch(
    model: Annotated[Path, typer.Argument(help="Exported model, one version of it: saved_models/NAME/1; or its name.")],
    task: Annotated[Task, typer.Option(help="What is asked for.")],
    out: Annotated[Path, typer.Option(help="Folder; the rows are in OUT/parts/*.parquet.")],
    maps: Annotated[
        list[str] | None,
        typer.Option("--maps", metavar="GLOB", help="Files of maps: .npy, .h5, .parquet; paths, globs or addresses."),
    ] = None,
    params: ParamsFile = None,
    count: Annotated[int, typer.Option(min=1, help="sample: maps at each row of --params or of the prior.")] = 1,
    from_prior: Annotated[int | None, typer.Option(min=1, help="sample: points drawn from the prior.")] = None,
    seed: Seed = 0,
    temperature: Annotated[float, typer.Option(min=0.0, help="sample: factor of the latents' sd.")] = 1.0,
    points: Annotated[
        int | None,
        typer.Option(min=2, help="posterior: points of the grid an axis.", show_default="the model's own grid"),
    ] = None,
    grid: Annotated[bool, typer.Option("--grid", help="posterior: also the log-likelihood at every point.")] = False,
    address: Annotated[
        str | None, typer.Option(help="Ray cluster: auto, or HOST:PORT.", show_default="this machine alone")
    ] = None,
    actors: Annotated[int | None, typer.Option(min=1, help="Copies of the model.", show_default="one a core")] = None,
    part_rows: Annotated[
        int | None,
        typer.Option(min=1, help="Rows of a part.", show_default="512 log_prob, 32 posterior, 256 sample"),
    ] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out what cannot be read, and say so.")] = False,
    estimate: Annotated[bool, typer.Option("--estimate", help="Say what it would cost, and stop.")] = False,
    overwrite: Overwrite = False,
):
    """Ask an exported model about many maps, on all cores or on a Ray cluster; Parquet out.

    Ctrl-C, a kill or a full disk leaves finished parts, and the same command continues with the others.

    Example: higlow batch saved_models/compact_mock/1 --maps 'data/Maps_*.npy' --params params.txt --task log_prob --out densities
    """
    jobs = importlib.import_module("higlow_tf.batch")
    served = jobs.read_served_model(model)
    settings = jobs.TaskSettings(
        task.value, seed=seed, temperature=temperature, points_per_axis=points, with_grid=grid, part_rows=part_rows
    )
    with progress_bar() as progress:
        plan = _plan(jobs, served, task, maps, params, count, from_prior, seed, skip_bad, progress)
        where = {"address": address, "num_actors": actors, "debug": SETTINGS.debug}
        if plan.maps_per_row > 1:
            say(f"Each row of {params} is for {plan.maps_per_row} consecutive maps, counted over all files.")
        say(f"{plan.num_rows} rows of {len(plan.sources)} files; starting Ray ...")
        if estimate:
            _say_estimate(jobs.estimate_batch(served, settings, plan, out, **where))
            return
        summary = jobs.run_batch(
            served,
            settings,
            plan,
            out,
            skip_bad=skip_bad,
            overwrite=overwrite,
            on_estimate=_say_estimate,
            progress=progress,
            **where,
        )
    _say_summary(summary)


def _plan(jobs, model, task, maps, params, count, from_prior, seed, skip_bad, progress):
    if task == Task.SAMPLE:
        if maps:
            raise InputError("--maps: expected none with --task sample, which draws maps. Received: some.")
        return jobs.plan_samples(model, params=params, count=count, from_prior=from_prior, seed=seed)
    if not maps:
        raise InputError(f"--maps: expected files of maps with --task {task.value}. Received: none.")
    if from_prior is not None or count != 1:
        raise InputError(f"--from-prior, --count: expected none with --task {task.value}. Received: some.")
    needs_theta = task == Task.LOG_PROB
    if params is not None and not needs_theta:
        raise InputError("--params: expected none with --task posterior, which needs no parameters. Received: a table.")
    return jobs.plan_maps(model, maps, params=params, needs_theta=needs_theta, skip_bad=skip_bad, progress=progress)


def _say_estimate(estimate):
    done = estimate.rows - estimate.rows_left
    there = f", {done} are there" if done else ""
    say(
        f"Estimate: {estimate.rows_left} rows left{there}; {rate_text(estimate.rows_per_actor_second)} rows a second on each of "
        f"{estimate.num_actors} cores: {time_text(estimate.seconds)} once started, {estimate.core_seconds / 3600:.3g} core hours"
    )


def _say_summary(summary):
    counts = summary.counts
    say(f"Wrote {summary.out}: {counts.rows} rows in {summary.parts} parts, {counts.size / 1e6:.3g} MB")
    if summary.rows_now:
        say(
            f"This call: {summary.rows_now} rows in {time_text(summary.elapsed_seconds)}, "
            f"{rate_text(summary.rows_per_second)} rows a second"
        )
    else:
        say("This call: nothing was left to do")
    say(f"Rows that are NaN: {counts.nan_rows}", fg="yellow" if counts.nan_rows else None)
    say(f"Outside the prior: {_known(counts.outside_prior)}")
    if summary.task == Task.POSTERIOR:
        say(f"Unlike the training maps (typicality < 0.01): {_known(counts.atypical)}")
    if summary.skipped:
        say(
            f"Left out: {len(summary.skipped)} files or parts of files, {summary.rows_skipped} rows of the latter",
            fg="red",
        )
        for path, reason in list(summary.skipped.items())[:_MOST_SKIPPED]:
            say(f"  {path}: {reason}", fg="red")
        if len(summary.skipped) > _MOST_SKIPPED:
            say(f"  ... and {len(summary.skipped) - _MOST_SKIPPED} more, all of them in summary.json")


def _known(number):
    return "not known, the model does not tell" if number is None else number
