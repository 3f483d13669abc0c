"""higlow serve: a model for clients on this and other machines."""

from pathlib import Path
from typing import Annotated

import typer

from higlow_tf.cli.console import say
from higlow_tf.errors import InputError

__all__ = ["serve"]

_MIB = 2**20
_SECONDS_BETWEEN_LOOKS = 5.0


def serve(
    models: Annotated[
        list[Path],
        typer.Argument(metavar="saved_models/NAME...", help="Folders of exported models: NAME/<version>/; or names."),
    ],
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of REST.")] = 8501,
    grpc_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of gRPC, at all addresses.")] = 8500,
    metrics_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port of Ray's metrics for Prometheus.", show_default="any free one"),
    ] = None,
    host: Annotated[str, typer.Option(help="Address of REST; 0.0.0.0 for all.")] = "127.0.0.1",
    replicas: Annotated[
        str, typer.Option(metavar="N|MIN:MAX", help="Processes that answer; MIN:MAX follows the load.")
    ] = "1",
    max_batch: Annotated[int, typer.Option(min=1, help="Most rows of waiting requests that are joined.")] = 64,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of a replica.", show_default="the cores, shared evenly")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds after which a request is given up.")] = 600.0,
    max_request_mib: Annotated[int, typer.Option(min=1, max=1024, help="Largest request in MiB.")] = 128,
    max_rows: Annotated[int, typer.Option(min=1, help="Most rows of a request.")] = 4096,
):
    """Serve exported models over REST and gRPC, as TensorFlow Serving does. Needs the extra "serve" of the package.

    A newer version folder is picked up while the server runs. Ctrl-C and SIGTERM answer what has begun, and stop.

    Example: higlow serve saved_models/compact_mock --replicas 2
    """
    from higlow_tf.serving.server.launch import check_can_serve, running_server
    from higlow_tf.serving.server.limits import Limits
    from higlow_tf.serving.server.options import ServerOptions

    least, most = _replicas(replicas)
    options = ServerOptions(
        host=host,
        port=port,
        grpc_port=grpc_port,
        metrics_port=metrics_port,
        min_replicas=least,
        max_replicas=most,
        max_batch=max_batch,
        threads=threads,
        timeout_s=timeout,
        limits=Limits(max_request_mib * _MIB, max_rows),
    )
    check_can_serve(models, options)
    _run(running_server, models, options)


def _run(running_server, models, options):
    try:
        say("Starting; this takes from half a minute to some minutes on a busy machine.")
        with running_server(models, options) as server:
            for name in server.models:
                say(f"REST: http://{options.host}:{options.port}/v1/models/{name}")
                say(f"gRPC: port {options.grpc_port}, all addresses of this machine, {name}")
            if options.metrics_port is not None:
                say(f"Metrics: http://{options.host}:{options.metrics_port}/metrics")
            say("Ready. Ctrl-C stops it.")
            server.wait(_SECONDS_BETWEEN_LOOKS)
    except KeyboardInterrupt:
        say("Stopped.")


def _replicas(text):
    first, colon, last = text.partition(":")
    try:
        return int(first), int(last if colon else first)
    except ValueError:
        raise InputError(f"--replicas: expected N or MIN:MAX. Received: {text!r}.") from None
