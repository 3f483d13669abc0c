"""Ray for the time of a job, without its lines on the screen."""

import contextlib
import logging
import os
import signal
import sys
import threading

from higlow_tf.cores import num_cores
from higlow_tf.errors import InputError
from higlow_tf.ray_start import start_ray

__all__ = ["ray_session"]

_OBJECT_STORE_BYTES = 128 * 2**20


@contextlib.contextmanager
def ray_session(address=None, num_actors=None, *, debug=False):
    """Connects to a cluster, or starts Ray on this machine until the block ends. Where Ray runs already, it is used and stays.

    Ray's signal handler is taken back, so that SIGTERM still means what the caller has said.

    Args:
        address: Of a cluster: "auto", "HOST:PORT" or "ray://HOST:PORT"; None starts Ray on this machine.
        num_actors: Cores that the job may use; None: all of the cluster, or those that this process may use.
        debug: Whether Ray may write on the screen.

    Yields:
        The number of actors, one a core.

    Raises:
        InputError: If there is no such cluster, or Ray cannot start.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray would give its workers the lowest priority; the job is what somebody waits for, as with every other command.
    os.environ.setdefault("RAY_worker_niceness", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    with contextlib.nullcontext() if debug else _quiet_stderr():
        import ray

        is_ours = not ray.is_initialized()
        if is_ours:
            _start(address, num_actors, debug)
        # What Ray says on stdout of actors that were ended, it says whatever it was told at its start.
        was_enabled, ray._private.worker._worker_logs_enabled = ray._private.worker._worker_logs_enabled, debug
        try:
            yield num_actors or max(1, int(ray.cluster_resources().get("CPU", 1)))
        finally:
            if is_ours:
                ray.shutdown()
            ray._private.worker._worker_logs_enabled = was_enabled


def _start(address, num_actors, debug):
    from ray.data import DataContext

    before = signal.getsignal(signal.SIGTERM)
    cores = num_actors or num_cores()
    own = {"num_cpus": cores, "include_dashboard": False, "object_store_memory": _OBJECT_STORE_BYTES}
    options = {"log_to_driver": debug, "logging_level": logging.INFO if debug else logging.CRITICAL}
    try:
        start_ray(quiet=not debug, address=address or "local", **options, **({} if address else own))
    except SystemExit:
        # SIGTERM while Ray's handler stood in the place of the caller's.
        raise KeyboardInterrupt from None
    except Exception as error:  # Ray raises plain exceptions, too
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        if address:
            # Ray shows its token to a cluster of this name only where it is told to, and does not say so when it is refused.
            hint = "if it asks for a token, set RAY_AUTH_MODE=token"
            raise InputError(f"--address: expected a Ray cluster at {address!r} ({hint}). Received: {reason}") from None
        raise InputError(f"Ray: expected to start on this machine. Received: {reason}") from None
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)
    context = DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = debug
    if not debug:
        for name in ("ray", "ray.data"):
            logging.getLogger(name).setLevel(logging.CRITICAL)


@contextlib.contextmanager
def _quiet_stderr():
    """Ray's C++ writes to the file descriptor, whatever Python's loggers are told. What Python writes there is still seen."""
    sys.stderr.flush()
    kept, nowhere, before = os.dup(2), os.open(os.devnull, os.O_WRONLY), sys.stderr
    try:
        os.dup2(nowhere, 2)
        # A stream that somebody has put in the place of stderr does not go through the descriptor.
        if _is_descriptor_2(before):
            sys.stderr = os.fdopen(os.dup(kept), "w", buffering=1, encoding=before.encoding, errors="backslashreplace")
        yield
    finally:
        os.dup2(kept, 2)
        if sys.stderr is not before:
            sys.stderr.close()
            sys.stderr = before
        os.close(kept)
        os.close(nowhere)


def _is_descriptor_2(stream):
    try:
        return stream.fileno() == 2
    except (OSError, ValueError, AttributeError):
        return False
