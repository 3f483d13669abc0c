"""The program `higlow`: its commands and its one global option."""

import signal
import sys
from typing import Annotated

import typer

from higlow_tf.cli.audit import audit
from higlow_tf.cli.batch import batch
from higlow_tf.cli.benchmark import benchmark
from higlow_tf.cli.calibrate import calibrate
from higlow_tf.cli.client import client
from higlow_tf.cli.console import SETTINGS, guarded, quiet_libraries
from higlow_tf.cli.demo import demo
from higlow_tf.cli.estimate import estimate
from higlow_tf.cli.evaluate import evaluate
from higlow_tf.cli.export import export
from higlow_tf.cli.fetch import fetch
from higlow_tf.cli.infer import infer
from higlow_tf.cli.reproduce_paper import reproduce_paper
from higlow_tf.cli.sample import sample
from higlow_tf.cli.serve import serve
from higlow_tf.cli.simulate import simulate
from higlow_tf.cli.train import train
from higlow_tf.cli.version import say_version

__all__ = ["app", "main"]

app = typer.Typer(
    name="higlow",
    help="Conditional Glow for maps of neutral hydrogen: train, sample, infer, calibrate, export. Begin with: higlow demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (
    demo, simulate, estimate, train, sample, infer, calibrate, evaluate, audit, export, fetch, serve, client, batch,
    benchmark, reproduce_paper,
):  # fmt: skip
    app.command(command.__name__.replace("_", "-"))(guarded(command))


def _say_version(is_asked):
    if is_asked:
        say_version()
        raise typer.Exit


@app.callback()
def global_options(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and the warnings of libraries.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Show versions and devices, and stop."),
    ] = False,
):
    """Conditional Glow for maps of neutral hydrogen: train, sample, infer, calibrate, export. Begin with: higlow demo."""
    SETTINGS.debug = debug
    quiet_libraries()


def main():
    """Entry point of the program; --debug may stand anywhere, since it is typed after an error."""
    # Queues send SIGTERM before they kill: it stops the work as Ctrl-C does, so that it can be continued.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    arguments = sys.argv[1:]
    if "--debug" in arguments:
        arguments = ["--debug", *(argument for argument in arguments if argument != "--debug")]
    app(arguments)
