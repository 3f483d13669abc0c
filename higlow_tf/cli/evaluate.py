"""higlow evaluate: a report about a model on maps that it was not trained on."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from higlow_tf.cli.console import load_tensorflow, print_table, progress_bar, say
from higlow_tf.cli.options import MapsFiles, Overwrite, ParamsFile, Run, Seed
from higlow_tf.gallery import find_run
from higlow_tf.ownership import owned_folder

__all__ = ["evaluate"]

_REPORT, _CACHE = "report.html", "cache"


def evaluate(
    run: Run,
    maps: MapsFiles,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for metrics.json, figures and report.html.")],
    params: ParamsFile = None,
    compare: Annotated[
        list[Path] | None,
        typer.Option(metavar="RUN2", help="Another run or name, on the same maps; may be given several times."),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(min=1, help="Largest number of maps to generate.", show_default="one for each test map"),
    ] = None,
    cosmologies: Annotated[int, typer.Option(min=0, help="Single test simulations to look at.")] = 4,
    maps_per_cosmology: Annotated[int, typer.Option(min=2, help="Maps to generate at each of these.")] = 15,
    posterior_maps: Annotated[
        int, typer.Option(min=0, help="Largest number of test maps whose parameters are inferred; 0 for none.")
    ] = 60,
    map_classifier: Annotated[
        bool,
        typer.Option(
            help="Train a convolutional network to tell generated from simulated maps: the sharpest judge, some minutes."
        ),
    ] = False,
    seed: Seed = 0,
    allow_training_maps: Annotated[
        bool, typer.Option("--allow-training-maps", help="Continue if maps were trained on; the results then say so.")
    ] = False,
    overwrite: Overwrite = False,
):
    """Judge a model by its density, by maps that it draws and by posteriors, and write report.html.

    Maps are read as they were for training: regridded, projected, as channels. If the file is the one that the model was
    trained on (known by content), only its test simulations are used. What the model computes is kept in DIR/cache: a second
    report does not ask the model again. 900 test maps of 64x64 are a matter of minutes on two CPU cores; --posterior-maps 0
    leaves out the longest part.

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
        map_classifier=map_classifier,
        seed=seed,
        out=out,
    )
    how_much = (samples, cosmologies, maps_per_cosmology, posterior_maps, seed, map_classifier)
    names = _names([run, *others])
    files = ["metrics.json", *(f"metrics_{name}.json" for name in names[1:])]
    folders = [find_run(word) for word in (run, *others)]
    load_tensorflow()
    with owned_folder(out, "evaluation", names=(*files, _REPORT), overwrite=overwrite):
        _evaluate(
            folders, names, run.name, maps, params, out, how_much, allow_training_maps,
            {"model": run, "seed of the generated maps": seed, "command": command},
        )  # fmt: skip
    say(f"Wrote {', '.join(str(out / file) for file in files)}")
    say(f"Open {(out / _REPORT).resolve()}", bold=True)


def _evaluate(folders, names, title, maps, params, out, how_much, allow_training_maps, facts):
    from higlow_tf.evaluation import EvaluationOptions, check_evaluable, evaluate_model
    from higlow_tf.evaluation.judged_maps import judged_maps, training_maps_of
    from higlow_tf.models import load_model
    from higlow_tf.reports import write_evaluation
    from higlow_tf.runs import RunDirectory

    models = {name: load_model(path) for name, path in zip(names, folders, strict=True)}
    for model, path in zip(models.values(), folders, strict=True):
        check_evaluable(model, path)
    data, test, label = judged_maps(models, maps, params, allow_training_maps=allow_training_maps)
    options = EvaluationOptions(*how_much)
    evaluations = {}
    for name, model in models.items():
        if len(models) > 1:
            say(f"{name}:", bold=True)
        training = training_maps_of(model, data)
        with progress_bar() as progress:
            evaluations[name] = evaluate_model(
                model, test, options, label=label, training=training, cache_dir=out / _CACHE, progress=progress
            )
    evaluation = evaluations.pop(names[0])
    _, verdict = write_evaluation(
        evaluation,
        out,
        name=title,
        others=evaluations,
        history=RunDirectory(folders[0]).read_history(),
        facts=facts,
        overwrite=True,  # refused above where it is not wanted
    )
    columns = [(row.label, row.value, row.floor, row.word, row.note) for row in verdict.rows]
    print_table(("", "value", "floor", "verdict", "how to read it"), columns)
    say(verdict.sentence)


def _names(runs):
    """The names of the runs on the page: those of their folders. Equal names are made different."""
    folders, names = [path.resolve().name for path in runs], []
    for number, folder in enumerate(folders, start=1):
        name = folder if folders.count(folder) == 1 else f"{folder}_{number}"
        while name in names or (name != folder and name in folders):
            name = f"{name}_{number}"
        names.append(name)
    return names


def _command(run, **options):
    """The call as a line for a shell: one `--name value` for each value of each option that has one, `--name` for a switch."""
    words = ["higlow", "evaluate", str(run)]
    for name, values in options.items():
        option = f"--{name.replace('_', '-')}"
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, bool):
                words += [option] if value else []
            elif value is not None:
                words += [option, str(value)]
    return shlex.join(words)
