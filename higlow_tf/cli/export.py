"""higlow export: a model that serves without this package."""

from pathlib import Path
from typing import Annotated

import typer

from higlow_tf.cli.console import load_tensorflow, say
from higlow_tf.cli.options import Ensemble, Overwrite, Run
from higlow_tf.files import check_new

__all__ = ["export"]


def export(
    run: Run,
    out: Annotated[
        Path, typer.Option(metavar="saved_models/NAME", help="Folder of the served model; NAME/1/ is written.")
    ],
    metrics: Annotated[Path | None, typer.Option(help="metrics.json of higlow evaluate, for the model card.")] = None,
    xla: Annotated[bool, typer.Option("--xla", help="Let XLA compile it, for one batch size.")] = False,
    batch_size: Annotated[int | None, typer.Option(min=1, help="That batch size.")] = None,
    ensemble: Ensemble = None,
    compose: Annotated[
        bool, typer.Option("--compose", help="Also write compose.yaml and its files, for TensorFlow Serving's image.")
    ] = False,
    overwrite: Overwrite = False,
):
    """Write a TensorFlow SavedModel with the signatures log_prob, sample and posterior. See also: higlow serve.

    The posterior of an ensemble takes as many flows as the calibration was fitted with, or --ensemble.

    Example: higlow export RUN --out saved_models/mine --metrics evaluation/metrics.json
    """
    from higlow_tf.serving.compose import check_compose_files, write_compose_files

    if not overwrite:
        check_new(out / "1", is_folder=True)
    if compose:
        check_compose_files(out, overwrite)
    load_tensorflow()
    from higlow_tf.diagnostics import read_metrics
    from higlow_tf.models import load_model
    from higlow_tf.serving import export_model

    numbers = None if metrics is None else read_metrics(metrics)
    how = {"num_flows": ensemble, "metrics": numbers, "overwrite": overwrite, "xla": xla, "batch_size": batch_size}
    path = export_model(load_model(run), out, **how)
    say(f"Wrote {path}")
    for file in write_compose_files(out, overwrite=overwrite) if compose else ():
        say(f"Wrote {file}")
    say(f"Look at it with: saved_model_cli show --dir {path} --all")
