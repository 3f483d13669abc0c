"""Serving: a trained model as a TensorFlow SavedModel that needs no package of ours, a server for it, and a client."""

import importlib

_HOMES = {
    "Client": "client",
    "ServedPosterior": "client",
    "ServerError": "client",
    "export_model": "export",
    "running_server": "server.launch",
    "ServerOptions": "server.options",
}

__all__ = ["Client", "ServedPosterior", "ServerError", "ServerOptions", "export_model", "running_server"]


def __getattr__(name):
    """Imports at first use: a server needs no model of ours, and a client neither."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"higlow_tf.serving.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
