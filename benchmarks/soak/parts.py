"""The parts of a soak by their names."""

import importlib

__all__ = ["PARTS", "load_part"]

PARTS = {
    "kills": "kills",
    "requests": "malformed",
    "damage": "damaged_files",
    "disk": "full_disks",
    "writers": "two_writers",
}
"""Name -> module with `jobs(sizes)` and `run(workspace, job, seed)`."""


def load_part(name):
    """The module of a part."""
    return importlib.import_module(f"benchmarks.soak.{PARTS[name]}")
