"""Normalizing flows for maps of neutral hydrogen: maps, their density, the posterior of the parameters."""

import importlib

from higlow_tf.errors import InputError, InputWarning

_ROOMS = (
    "batch", "bijectors", "data", "diagnostics", "evaluation", "gallery", "inference", "models", "networks", "plotting",
    "reports", "runs", "serving",
)  # fmt: skip
_MODELS = ("ConditionalGlow", "HIFlow", "TRENF", "load_model", "save_model")

__all__ = ["InputError", "InputWarning", "__version__", *_MODELS, *_ROOMS]


def __getattr__(name):
    """Imports at first use: TensorFlow takes seconds to load, and `higlow --help` needs none of it."""
    if name in _ROOMS:
        return importlib.import_module(f"higlow_tf.{name}")
    if name in _MODELS:
        return getattr(importlib.import_module("higlow_tf.models"), name)
    if name == "__version__":
        return importlib.import_module("higlow_tf.versions").version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
