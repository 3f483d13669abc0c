"""How many cores there are, and whether a batch of maps is divided for them."""

import contextlib
import contextvars
import os

__all__ = ["num_cores", "takes_whole_batches", "whole_batches"]

# More cores share large batches better, and a GPU wants all at once.
_MAX_CORES_FOR_PARTS = 2
# Replicas are traced in threads, and a context variable has one value in each.
_is_whole = contextvars.ContextVar("is_whole", default=False)


def num_cores():
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@contextlib.contextmanager
def whole_batches():
    """Within it, graphs are traced that take a batch at once, as they do on a GPU, whatever this machine has."""
    token = _is_whole.set(True)
    try:
        yield
    finally:
        _is_whole.reset(token)


def takes_whole_batches():
    """Whether a graph that is being traced takes a batch at once. One or two cores without a GPU take it in parts."""
    import tensorflow as tf

    return _is_whole.get() or num_cores() > _MAX_CORES_FOR_PARTS or bool(tf.config.list_logical_devices("GPU"))
