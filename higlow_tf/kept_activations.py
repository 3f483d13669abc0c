"""Activations that the way back takes from memory instead of evaluating them again."""

import contextlib
import contextvars

import tensorflow as tf

__all__ = ["forward_only", "is_forward_only", "keep", "keeping", "reusing"]

# What `keep` does here and now. Replicas are traced in threads, and a context variable has one value in each.
_visit = contextvars.ContextVar("visit", default=None)
_is_forward_only = contextvars.ContextVar("is_forward_only", default=False)


def is_forward_only():
    """Whether what is traced here and now is for a graph that nobody differentiates."""
    return _is_forward_only.get()


@contextlib.contextmanager
def forward_only():
    """Within it, graphs are traced without gradients: nothing is kept for them."""
    with _set(_is_forward_only, True):
        yield


def keep(x):
    """Marks an activation `[C, H, W, N]` that is worth its memory; returns it, or its value of the way there."""
    visit = _visit.get()
    return x if visit is None else visit(x)


@contextlib.contextmanager
def keeping():
    """Within it, each `keep` also appends to the list that this yields."""
    activations = []

    def visit(x):
        activations.append(x)
        return x

    with _set(_visit, visit):
        yield activations


def reusing(activations):
    """Within it, each `keep` takes its value from a list of `keeping`, in its order.

    The gradient goes to the argument of `keep` as if its value had been evaluated. It is not used, so XLA does not compute
    it.
    """
    values = iter(activations)

    def visit(x):
        return _with_value(x, tf.ensure_shape(next(values), x.shape))

    return _set(_visit, visit)


@contextlib.contextmanager
def _set(variable, value):
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


@tf.custom_gradient
def _with_value(x, value):
    def gradient(dy):
        return dy, tf.zeros_like(dy)

    return tf.identity(value), gradient
