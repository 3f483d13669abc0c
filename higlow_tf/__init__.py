"""Normalizing flows for maps of neutral hydrogen: maps, their density, the posterior of the parameters."""

import importlib

from higlow_tf.errors import InputError, InputWarning

__all__ = ["ConditionalGlow", "HIFlow", "InputError", "InputWarning", "data", "inference", "load_model", "save_model"]


def __getattr__(name):
    """Imports at first use: TensorFlow takes seconds to load, and `higlow --help` needs none of it."""
    if name in ("data", "inference"):
        return importlib.import_module(f"higlow_tf.{name}")
    if name in ("ConditionalGlow", "HIFlow", "load_model", "save_model"):
        return getattr(importlib.import_module("higlow_tf.models"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
