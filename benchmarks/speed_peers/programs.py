"""The programs by name, each loaded only when it is asked for."""

import importlib

__all__ = ["PROGRAMS", "make_tasks"]

_PLAIN_GLOW = "unconditional, zero padding, activation normalisation in the place of the injector"
PROGRAMS = {
    "torch": ("torch_programs", "torch_tasks", "the same function as ours, eager"),
    "torch.compile": ("torch_programs", "compiled_torch_tasks", "the same function as ours, its steps compiled"),
    "tfp Glow": ("tfp_program", "tfp_tasks", f"{_PLAIN_GLOW}; a graph, without XLA"),
    "normflows Glow": ("normflows_program", "normflows_tasks", f"{_PLAIN_GLOW}, no split prior"),
}
"""Module of this package, function from a `Problem` to functions by task, and what the program is."""


def make_tasks(name, problem):
    """Functions by task of a program.

    Raises:
        Exception: Whatever the program raises if it is not installed or cannot express the problem.
    """
    module, function, _ = PROGRAMS[name]
    return getattr(importlib.import_module(f".{module}", __package__), function)(problem)
