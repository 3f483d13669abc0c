"""Starts and stops Ray Serve on this machine."""

import contextlib
import importlib.util
import logging
import os
import signal
import socket
import threading
import time

from higlow_tf.errors import InputError
from higlow_tf.ray_start import start_ray
from higlow_tf.serving.server.options import ServerOptions
from higlow_tf.serving.server.version_folders import check_model_folders

__all__ = ["RunningServer", "check_can_serve", "running_server"]

_NAME = "higlow"
_EXTRA = {"ray": "ray", "tensorflow_serving": "tensorflow-serving-api", "starlette": "starlette"}
# Ray kills a proxy that is not ready or silent for longer; on a busy machine its imports take a minute.
_PROXY_SECONDS = 180
_START_SECONDS = 600
# What Ray keeps for large objects between processes; requests and answers pass through it.
_STORE_BYTES = 512 * 2**20


def check_can_serve(folders, options):
    """Refuses to go on if the extra is missing, a folder has no SavedModel, or a port is taken; nothing is started.

    Args:
        folders, options: As of `running_server`.

    Returns:
        Name of each model -> its folder.

    Raises:
        InputError: In one sentence.
    """
    missing = [package for module, package in _EXTRA.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise InputError(
            f'Expected the packages of serving (pip install "higlow_tf[serve]"). Received: no {", no ".join(missing)}.'
        )

    models = check_model_folders(folders)
    _check_ports(options)
    return models


class RunningServer:
    """A server as long as it runs.

    Attributes:
        models: Name of each served model -> its folder.
    """

    def __init__(self, serve, models):
        self._serve = serve
        self._alone_since = None
        self.models = models

    def check(self):
        """Raises `RuntimeError` if the server is gone, or has had no replica for long.

        A server in which a replica has died is unhealthy until Ray has started another one. The others answer meanwhile.
        """
        application = self._serve.status().applications.get(_NAME)
        status = getattr(application, "status", None)
        if status != "UNHEALTHY" or _has_replica(application):
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = time.monotonic()
        is_lost = self._alone_since is not None and time.monotonic() - self._alone_since > _START_SECONDS
        if is_lost or status in (None, "DEPLOY_FAILED"):
            raise RuntimeError(f"The server is not healthy: {getattr(application, 'message', '') or 'no application'}")

    def wait(self, seconds):
        """Waits until it is interrupted, and checks every so many seconds."""
        while True:
            time.sleep(seconds)
            self.check()


@contextlib.contextmanager
def running_server(folders, options=None):
    """Serves models as long as the block runs; then requests that have begun are answered, and everything stops.

    Args:
        folders: Paths NAME, each with folders NAME/<version>/ of a SavedModel.
        options: `ServerOptions`.

    Yields:
        `RunningServer`, when it answers.

    Raises:
        InputError: If the extra `serve` is missing, a folder has no SavedModel, or a port is taken.
        RuntimeError: If no version of a model can be loaded.
    """
    options = options or ServerOptions()
    models = check_can_serve(folders, options)
    _set_environment(options)
    import ray
    from ray import serve

    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    started = False
    try:
        _start_ray(options)
        _start_serve(serve, models, options)
        started = True
        yield RunningServer(serve, models)
    finally:
        _stop(ray, serve, started)


def _has_replica(application):
    return any(deployment.replica_states.get("RUNNING", 0) for deployment in application.deployments.values())


def _check_ports(options):
    ports = {"port": options.port, "grpc_port": options.grpc_port, "metrics_port": options.metrics_port}
    ports = {name: number for name, number in ports.items() if number is not None}
    if len(set(ports.values())) < len(ports):
        raise InputError(f"Expected different ports. Received: {ports}.")
    for name, number in ports.items():
        try:
            with socket.socket() as test:
                test.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                test.bind((options.host if name == "port" else "", number))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"{name}: expected a free port. Received: {number} ({reason}).") from error


def _set_environment(options):
    """What Ray reads when its processes start. What the user has set stays."""
    defaults = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": _PROXY_SECONDS,
        "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": _PROXY_SECONDS,
        "RAY_SERVE_GRPC_MAX_MESSAGE_SIZE": options.limits.max_bytes,
        "RAY_worker_niceness": 0,  # Ray's 15 lets every other program go first
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, str(value))


def _start_ray(options):
    is_main = threading.current_thread() is threading.main_thread()
    on_sigterm = signal.getsignal(signal.SIGTERM)
    start_ray(
        address="local",
        num_cpus=options.max_replicas + 1,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="error",
        object_store_memory=_STORE_BYTES,
        _metrics_export_port=options.metrics_port,
    )
    if is_main:
        signal.signal(signal.SIGTERM, on_sigterm)  # Ray's own would end the process without an answer to anybody


def _start_serve(serve, models, options):
    from ray.serve.config import gRPCOptions
    from ray.serve.schema import LoggingConfig

    from higlow_tf.serving.server.app import ServedModels
    from higlow_tf.serving.server.rpc_services import SERVICERS

    quiet = LoggingConfig(log_level="WARNING", enable_access_log=False)
    doors = {
        "http_options": {"host": options.host, "port": options.port, "request_timeout_s": options.timeout_s},
        "grpc_options": gRPCOptions(
            port=options.grpc_port, grpc_servicer_functions=list(SERVICERS), request_timeout_s=options.timeout_s
        ),
        "logging_config": quiet,
    }
    try:
        serve.start(**doors)
    except TimeoutError:
        # Ray waits a minute, and on a busy machine the imports take longer. The second call finds what the first has begun.
        serve.start(**doors)
    threads = options.threads or max(1, (os.cpu_count() or 1) // options.max_replicas)
    deployment = ServedModels.options(
        **_scale(options),
        ray_actor_options={"num_cpus": 1},
        max_ongoing_requests=1024,
        max_queued_requests=4096,
        graceful_shutdown_timeout_s=options.timeout_s,
        health_check_timeout_s=_PROXY_SECONDS,
        logging_config=quiet,
    )
    folders = {name: str(folder) for name, folder in models.items()}
    application = deployment.bind(folders, options.limits, options.max_batch, threads, options.poll_seconds)
    try:
        serve.run(application, name=_NAME, route_prefix="/")
    except TimeoutError:
        _wait_until_running(serve)


def _wait_until_running(serve):
    """Waits for what has begun, for longer than Ray does."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        status = serve.status()
        if status.applications[_NAME].status == "RUNNING" and set(status.proxies.values()) == {"HEALTHY"}:
            return
        time.sleep(1.0)
    raise RuntimeError(f"Expected the server to start within {_START_SECONDS} s. Received: {serve.status()}.")


def _scale(options):
    if options.min_replicas == options.max_replicas:
        return {"num_replicas": options.min_replicas}
    scaling = {
        "min_replicas": options.min_replicas,
        "max_replicas": options.max_replicas,
        "initial_replicas": options.min_replicas,
        # One request is computed while some wait to be joined.
        "target_ongoing_requests": 4,
    }
    return {"autoscaling_config": scaling}


def _stop(ray, serve, started):
    """Deleting the application answers what has begun and takes nothing new; the doors are closed after that."""
    try:
        if started:
            serve.delete(_NAME)
        if ray.is_initialized():
            serve.shutdown()
    finally:
        ray.shutdown()
