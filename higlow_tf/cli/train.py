"""higlow train: a run that can be interrupted, continued and audited."""

import contextlib
import enum
from pathlib import Path
from typing import Annotated

import typer

from higlow_tf.cli.console import load_tensorflow, say
from higlow_tf.cli.options import MemoryOption, Overwrite
from higlow_tf.cli.training import join_with_words, train_with_progress
from higlow_tf.errors import InputError

__all__ = ["train"]


class Stage(enum.StrEnum):
    """What a run trains for."""

    DENSITY = "density"
    POSTERIOR = "posterior"


def train(
    out: Annotated[Path, typer.Option(metavar="RUN", help="Folder of the run.")],
    config_file: Annotated[
        Path | None, typer.Argument(metavar="[CONFIG.yaml]", help="Configuration; the options below override it.")
    ] = None,
    stage: Annotated[
        Stage,
        typer.Option(
            help="density: maximum likelihood; posterior: continues from the run --from, for better posteriors."
        ),
    ] = Stage.DENSITY,
    start_from: Annotated[
        Path | None,
        typer.Option("--from", metavar="RUN", help="Run of the first stage, or its name; for --stage posterior."),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Architecture: compact, higlow, paper or tiny; of the baselines hiflow64, hiflow32, hiflow16 or trenf."
        ),
    ] = None,
    maps: Annotated[
        list[Path] | None,
        typer.Option(help="Maps: .npy (2D maps or 3D grids, as CAMELS names them) or .h5; several are channels."),
    ] = None,
    params: Annotated[
        Path | None, typer.Option(help="Parameters: a table, one row a simulation; not for .h5 that holds them.")
    ] = None,
    parameters: Annotated[
        str | None,
        typer.Option(
            help="Columns to condition on, with commas; all; or an Info_*.txt file.", show_default="Omega_m, sigma_8"
        ),
    ] = None,
    nuisance: Annotated[
        str | None,
        typer.Option(
            help="Columns that vary but are not asked for: with commas; all (others); known (others with a known prior, "
            "at most four); an Info_*.txt file; none.",
            show_default="known",
        ),
    ] = None,
    map_size: Annotated[
        int | None,
        typer.Option(help="Regrid the maps to this number of pixels a side.", show_default="as in the file"),
    ] = None,
    slab_thickness: Annotated[
        float | None,
        typer.Option(help="Depth of the maps that 3D grids are projected to, in Mpc/h.", show_default="5"),
    ] = None,
    box_size: Annotated[
        float | None,
        typer.Option(help="Side of the maps in Mpc/h.", show_default="what the files say, otherwise 25"),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Largest number of epochs.", show_default="200")] = None,
    max_minutes: Annotated[
        float | None,
        typer.Option(help="Wall time of the run in minutes, compilation included.", show_default="no limit"),
    ] = None,
    split_seed: Annotated[int | None, typer.Option(help="Seed of the split by simulation.", show_default="0")] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            help="Maps a step, over all GPUs.", show_default="8 compact and tiny, 64 others, 4 --stage posterior"
        ),
    ] = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(
            help="Highest learning rate.", show_default="0.004 compact and tiny, 0.001 others, 0.0008 --stage posterior"
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY.PATH=VALUE", help="Any other value of the configuration; may be repeated."),
    ] = None,
    memory: MemoryOption = None,
    ensemble: Annotated[
        int,
        typer.Option(
            min=1,
            help="Flows to train one after the other, from different seeds; posteriors average their likelihoods.",
        ),
    ] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run from its last checkpoint.")] = False,
    overwrite: Overwrite = False,
    end_layers: Annotated[
        bool, typer.Option(help="End with layers fitted to statistics of the training maps, which maps then share.")
    ] = True,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="The same numbers bit for bit in every run; slower.")
    ] = False,
):
    """Train a model, on all GPUs if there are any. After Ctrl-C, --resume continues the run.

    25 minutes on two CPU cores are enough for the preset compact and 15 maps of each of 300 simulations. The first step compiles,
    which takes half a minute. Several machines train together if each calls this under TF_CONFIG, or as a task of srun: see
    training/slurm.sh.

    Example: higlow train --preset compact --maps MAPS.npy --params PARAMS.txt --max-minutes 25 --out runs/first

    Then, for better posteriors, two flows more: higlow train --resume --ensemble 3 --out runs/first

    Then, or in their place, a second stage: higlow train --stage posterior --from runs/first --max-minutes 50 --out runs/second
    """
    if (stage is Stage.POSTERIOR) != (start_from is not None):
        raise InputError("Expected --stage posterior together with --from RUN. Received: one of them.")
    if resume and (overwrite or config_file is not None):
        raise InputError("Expected --resume without CONFIG.yaml and --overwrite. Received: both.")
    options = {
        "preset": preset,
        "maps": maps,
        "params": params,
        "parameters": parameters,
        "nuisance": nuisance,
        "map_size": map_size,
        "slab_thickness_mpc_h": slab_thickness,
        "box_size_mpc_h": box_size,
        "split_seed": split_seed,
        "epochs": epochs,
        "max_minutes": max_minutes,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "deterministic": True if deterministic else None,
        "end_layers": None if end_layers else False,
        "memory": memory,
    }
    load_tensorflow()
    from higlow_tf.runs import new_config, resumed_config, run_folder
    from higlow_tf.runs.options import parse_settings

    options["settings"] = parse_settings(settings or [])
    workers = join_with_words()
    # The chief alone writes.
    with run_folder(out, resume=resume, overwrite=overwrite) if workers.is_chief else contextlib.nullcontext():
        if resume:
            config = resumed_config(out, may_be_over=ensemble > 1, **options)
        else:
            config = new_config(config_file, start_from=start_from, **options)
        if workers.is_chief:
            _say_length(config.training, ensemble)
        train_with_progress(config, out, resume=resume, overwrite=overwrite, workers=workers, ensemble=ensemble)
    if workers.is_chief:
        _say_next(config, out)


def _say_length(training, ensemble):
    minutes = (
        "no limit of time (--max-minutes)" if training.max_minutes is None else f"{training.max_minutes:g} minutes"
    )
    flows = "" if ensemble == 1 else f" {ensemble} flows, each"
    say(
        f"Trains{flows} for {training.epochs} epochs at most and {minutes}; stops after {training.early_stopping_epochs} epochs "
        "without a better validation loss, or by Ctrl-C."
    )


def _say_next(config, out):
    say("Next:")
    files = " ".join(f"--maps {file}" for file in config.data.map_files)
    files += "" if config.data.params is None else f" --params {config.data.params}"
    if config.map_transform == "log10":  # the report card is made for these maps
        say(f"  higlow evaluate {out} {files} --out {out}_evaluation")
    say(f"  higlow calibrate {out} {files} --maps-per-simulation 2")
    say(f"  higlow infer {out} --maps NEW.npy --out posterior.h5")
    say(f"  higlow sample {out} --from-prior 64 --out samples.npy")
    say(f"  higlow export {out} --out saved_models/{out.name}")
