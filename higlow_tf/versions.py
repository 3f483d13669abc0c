"""Versions of the packages that matter, as every file that we write records them."""

from importlib import metadata

__all__ = ["version", "versions"]

_PACKAGES = ("higlow_tf", "tensorflow", "tensorflow-cpu", "tensorflow-probability", "keras", "numpy")


def version():
    """Version of this package; "not installed" in a bare checkout."""
    return versions().get("higlow_tf", "not installed")


def versions():
    """Versions of the packages that are installed of those that matter."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
