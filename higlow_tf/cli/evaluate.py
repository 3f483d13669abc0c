"""higlow evaluate: a report about a model on maps that it was not trained on."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from higlow_tf.cli.console import check_new_files, load_tensorflow, print_table, say
from higlow_tf.cli.options import MapsFiles, Overwrite, ParamsFile, Run, Seed
from higlow_tf.errors import InputError

__all__ = ["evaluate"]

_METRICS, _REPORT, _CACHE = "metrics.json", "report.html", "cache"


def evaluate(
    run: Run,
    maps: MapsFiles,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for metrics.json, figures and report.html.")],
    params: ParamsFile = None,
    compare: Annotated[
        list[Path] | None,
        typer.Option(metavar="RUN2", help="Another run, on the same maps; may be given several times."),
    ] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Most maps to generate. [default: one a test map]")] = None,
    cosmologies: Annotated[int, typer.Option(min=0, help="Single test simulations to look at.")] = 4,
    maps_per_cosmology: Annotated[int, typer.Option(min=2, help="Maps to generate at each of these.")] = 15,
    posterior_maps: Annotated[int, typer.Option(min=0, help="Most test maps to infer parameters of; 0 for none.")] = 60,
    seed: Seed = 0,
    allow_training_maps: Annotated[
        bool, typer.Option("--allow-training-maps", help="Go on, and say so, where maps were trained on.")
    ] = False,
    overwrite: Overwrite = False,
):
    """Judge a model by its density, by maps that it draws and by posteriors, and write report.html.

    Maps are read the way they were for training: regridded, projected, as channels. Of the file that the model was trained
    on (known by content) only the test simulations are used. What the model computes is kept in DIR/cache: a second
    report asks it nothing.

    Example: higlow evaluate RUN --maps MAPS.npy --params PARAMS.txt --out evaluation
    """
    others = compare or []
    command = _command(
        run,
        maps=maps,
        params=params,
        compare=others,
        samples=samples,
        cosmologies=cosmologies,
        maps_per_cosmology=maps_per_cosmology,
        posterior_maps=posterior_maps,
        seed=seed,
        out=out,
    )
    names = _names([run, *others])
    files = [_METRICS, *(f"metrics_{name}.json" for name in names[1:])]
    check_new_files(out, (*files, _REPORT), overwrite)
    load_tensorflow()
    from higlow_tf.diagnostics import write_metrics
    from higlow_tf.evaluation.evaluate_model import EvaluationOptions, evaluate_model
    from higlow_tf.evaluation.metrics import evaluation_metrics
    from higlow_tf.models import load_model
    from higlow_tf.reports.evaluation_page import EvaluatedRun, differences_of_densities, provenance, write_page
    from higlow_tf.runs import RunDirectory
    from higlow_tf.runs.split_record import ON_TRAINING_MAPS

    models = [load_model(one) for one in (run, *others)]
    data, test, label = _test_maps(models, others, maps, params, allow_training_maps)
    options = EvaluationOptions(samples, cosmologies, maps_per_cosmology, posterior_maps, seed)
    runs = []
    for name, model in zip(names, models, strict=True):
        if len(models) > 1:
            say(f"{name}:", bold=True)
        training = training_maps(model, data)
        evaluation = evaluate_model(model, test, label, options, training=training, cache_dir=out / _CACHE)
        runs.append(EvaluatedRun(name, model, evaluation, evaluation_metrics(evaluation)))
    runs[0].metrics.update(differences_of_densities(runs))
    prefix = ON_TRAINING_MAPS if ON_TRAINING_MAPS in label else ""
    facts = provenance(models[0], test, run) | {"seed of the generated maps": seed, "command": command}
    rows = write_page(
        out / _REPORT,
        runs,
        RunDirectory(run).read_history(),
        facts,
        out,
        title=f"Evaluation of {run.name}",
        subtitle=f"on {label}",
        verdict_prefix=prefix,
        overwrite=overwrite,
    )
    for file, one in zip(files, runs, strict=True):
        metrics = (
            {f"on_training_maps_{name}": metric for name, metric in one.metrics.items()} if prefix else one.metrics
        )
        write_metrics(out / file, metrics, overwrite=overwrite)
    columns = [(row.label, row.value, row.floor, row.word, row.note) for row in rows]
    print_table(("", "value", "floor", "verdict", "how to read it"), columns)
    say(f"Wrote {', '.join(str(out / file) for file in files)}")
    say(f"Open {(out / _REPORT).resolve()}", bold=True)


def training_maps(model, data):
    """The maps `[T, H, W]` that a model learned from, if the data are those of its run; otherwise in words why not."""
    from higlow_tf.runs import subset_of

    if model.split is None:
        return "the model carries no record of its training maps"
    if data.content_hash() != model.split["content_hash"]:
        return "the file is not the one that the model was trained on, whose maps are not at hand"
    return subset_of(model.split, data, "train").maps


def _names(runs):
    """What the runs are called on the page: their folders' names, made different where they are not."""
    names = [path.resolve().name for path in runs]
    return [name if names.count(name) == 1 else f"{name}_{number}" for number, name in enumerate(names, start=1)]


def _command(run, **options):
    """The call as a line for a shell: one `--name value` for each value of each option that has one."""
    words = ["higlow", "evaluate", str(run)]
    for name, values in options.items():
        for value in values if isinstance(values, list) else [values]:
            words += [] if value is None else [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)


def _test_maps(models, others, maps, params, allow_training_maps):
    """All data, the maps on which every model may be judged, and which these are."""
    from higlow_tf.runs import maps_for_testing
    from higlow_tf.runs.split_record import ON_TRAINING_MAPS, load_data_like

    model = models[0]
    data = load_data_like(model.split, maps, params, parameters=model.parameters)
    names = ", ".join(str(file) for file in maps)
    if data.map_size != model.map_size:
        raise InputError(f"{names}: expected maps of {model.map_size} pixels a side. Received: {data.map_size}.")
    if data.num_channels != model.num_channels:
        raise InputError(
            f"{names}: expected {model.num_channels} fields, one --maps for each. Received: {data.num_channels}."
        )
    test, label = maps_for_testing(model.split, data, allow_training_maps=allow_training_maps)
    for path, other in zip(others, models[1:], strict=True):
        one, two = ((m.map_size, m.num_channels, m.parameters.names) for m in (model, other))
        if one != two:
            raise InputError(
                f"--compare {path}: expected a model of {one[0]} pixels a side, {one[1]} fields, and {', '.join(one[2])}. "
                f"Received: {two[0]}, {two[1]}, and {', '.join(two[2])}."
            )
        # As read, since the record of the other run knows maps without the floor of this one.
        same = data.select_simulations(test.simulation_indices)
        _, other_label = maps_for_testing(other.split, same, allow_training_maps=allow_training_maps)
        if ON_TRAINING_MAPS in other_label:
            label = f"{label}; --compare {other_label}"
    return data, test, label
