"""higlow evaluate: a report about a model on maps that it was not trained on."""

from pathlib import Path
from typing import Annotated

import typer

from higlow_tf.cli.console import check_new_files, load_tensorflow, print_table, say
from higlow_tf.cli.options import MapsFiles, Overwrite, ParamsFile, Run, Seed
from higlow_tf.errors import InputError

__all__ = ["evaluate", "provenance", "write_pictures"]

_METRICS, _REPORT = "metrics.json", "report.html"
_DOTS_PER_INCH = 160


def evaluate(
    run: Run,
    maps: MapsFiles,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for metrics.json, figures and report.html.")],
    params: ParamsFile = None,
    compare: Annotated[Path | None, typer.Option(metavar="RUN2", help="A second run, on the same maps.")] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Most maps to generate. [default: one a test map]")] = None,
    seed: Seed = 0,
    allow_training_maps: Annotated[
        bool, typer.Option("--allow-training-maps", help="Go on, and say so, where maps were trained on.")
    ] = False,
    overwrite: Overwrite = False,
):
    """Judge a model by its density and by maps that it draws, and write report.html.

    Maps are read the way they were for training: regridded, projected, as channels. Of the file that the model was trained
    on (known by content) only the test simulations are used.

    Example: higlow evaluate RUN --maps MAPS.npy --params PARAMS.txt --out evaluation
    """
    check_new_files(out, (_METRICS, _REPORT), overwrite)
    load_tensorflow()
    from higlow_tf.cli.evaluation import evaluate_model, verdict_rows
    from higlow_tf.diagnostics import write_metrics
    from higlow_tf.models import RunDirectory, load_model
    from higlow_tf.models.split_record import ON_TRAINING_MAPS

    model = load_model(run)
    other = None if compare is None else load_model(compare)
    test, label = _test_maps(model, other, maps, params, allow_training_maps)
    evaluation = evaluate_model(model, test, label, num_samples=samples, seed=seed)
    metrics, verdict, comparison = dict(evaluation.metrics), verdict_rows(evaluation), None
    if other is not None:
        second = evaluate_model(other, test, label, num_samples=samples, seed=seed)
        difference, comparison = _compare(evaluation, second, run, compare)
        metrics["nll_difference_nats_per_pixel"] = difference
        verdict.insert(2, _difference_row(difference, compare))
    if ON_TRAINING_MAPS in label:
        metrics = {f"on_training_maps_{name}": metric for name, metric in metrics.items()}
        verdict = [(f"{ON_TRAINING_MAPS}: {name}", value, note) for name, value, note in verdict]
    out.mkdir(parents=True, exist_ok=True)
    facts = provenance(model, test, run) | {"seed of the generated maps": seed}
    history = RunDirectory(run).read_history()
    _write_report(out, run, evaluation, verdict, comparison, history, facts, overwrite)
    write_metrics(out / _METRICS, metrics, overwrite=overwrite)
    print_table(("", "value", "how to read it"), verdict)
    say(f"Wrote {out / _METRICS}")
    say(f"Open {(out / _REPORT).resolve()}", bold=True)


def provenance(model, test, run):
    """Where the numbers come from."""
    from higlow_tf.models.saving import versions

    split = model.split or {}
    facts = {
        "model": run,
        "trainable weights": sum(int(variable.value.shape.num_elements()) for variable in model.trainable_variables),
        "test maps": ", ".join(test.source),
        "pixels a side": test.map_size
        if test.native_size == test.map_size
        else f"{test.map_size}, regridded from {test.native_size}",
    }
    if split:
        counts = {name: len(simulations) for name, simulations in split["simulations"].items()}
        facts |= {
            "trained on": ", ".join(split["source"]),
            "content of that file": split["content_hash"],
            "simulations": ", ".join(f"{name} {number}" for name, number in counts.items()),
            "seed of the split": split["seed"],
            "pixels that were zero and got a floor": test.floored_pixels,
        }
    return facts | {"versions": ", ".join(f"{name} {version}" for name, version in versions().items())}


def write_pictures(report, pictures, out):
    """Adds pictures to a report, and writes each as a PNG into the folder `out` unless that is None."""
    from higlow_tf.files import whole_path

    for picture in pictures:
        report.section(picture.title)
        if out is not None:
            with whole_path(out / f"{picture.name}.png") as part:
                picture.figure.savefig(part, dpi=_DOTS_PER_INCH, facecolor="white")
        report.figure(picture.figure, picture.caption, picture.alt)


def _test_maps(model, other, maps, params, allow_training_maps):
    """The maps on which the model, and the other one if there is one, may be judged; and which these are."""
    from higlow_tf.models import maps_for_testing
    from higlow_tf.models.split_record import ON_TRAINING_MAPS, load_data_like

    data = load_data_like(model.split, maps, params, parameters=model.parameters)
    names = ", ".join(str(file) for file in maps)
    if data.map_size != model.map_size:
        raise InputError(f"{names}: expected maps of {model.map_size} pixels a side. Received: {data.map_size}.")
    if data.num_channels != model.num_channels:
        raise InputError(
            f"{names}: expected {model.num_channels} fields, one --maps for each. Received: {data.num_channels}."
        )
    test, label = maps_for_testing(model.split, data, allow_training_maps=allow_training_maps)
    if other is None:
        return test, label
    one, two = ((m.map_size, m.num_channels, m.parameters.names) for m in (model, other))
    if one != two:
        raise InputError(
            f"--compare: expected a model of {one[0]} pixels a side, {one[1]} fields, and {', '.join(one[2])}. "
            f"Received: {two[0]}, {two[1]}, and {', '.join(two[2])}."
        )
    # As read, since the record of the other run knows maps without the floor of this one.
    same = data.select_simulations(test.simulation_indices)
    _, second_label = maps_for_testing(other.split, same, allow_training_maps=allow_training_maps)
    return test, label if ON_TRAINING_MAPS not in second_label else f"{label}; --compare {second_label}"


def _compare(one, two, run, second_run):
    """The paired difference of the densities, and a table of both runs."""
    import numpy as np

    from higlow_tf.cli.evaluation import verdict_rows
    from higlow_tf.diagnostics import Metric, paired_difference

    num_pixels = one.test.map_size**2 * one.test.num_channels
    if np.isfinite(one.log_prob).all() and np.isfinite(two.log_prob).all():
        difference = paired_difference(-one.log_prob / num_pixels, -two.log_prob / num_pixels, one.test.simulation)
    else:
        difference = Metric(None, n_simulations=one.test.num_simulations)
    seconds = {label: value for label, value, _ in verdict_rows(two)}
    rows = [(label, value, seconds.get(label, "-")) for label, value, _ in verdict_rows(one)]
    return difference, (("", str(run), str(second_run)), rows)


def _difference_row(difference, second_run):
    from higlow_tf.cli.evaluation import number_text

    note = f"nats per pixel, same maps, paired over simulations; negative: better than {second_run}"
    return ("Density minus the other's", number_text(difference, 4), note)


def _write_report(out, run, evaluation, verdict, comparison, history, facts, overwrite):
    from higlow_tf.cli.evaluation_figures import evaluation_pictures, loss_picture
    from higlow_tf.plotting import Report

    report = Report(f"Evaluation of {run.name}", f"on {evaluation.label}").verdict(verdict)
    if comparison is not None:
        report.section("Both runs").table(*comparison)
    loss = loss_picture(history)
    write_pictures(report, evaluation_pictures(evaluation) + ([] if loss is None else [loss]), out)
    report.provenance(facts).write(out / _REPORT, overwrite=overwrite)
