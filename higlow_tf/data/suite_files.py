"""The files of a suite that we simulate: the table of parameters, the head of the maps, and what must not be overwritten."""

import numpy as np

from higlow_tf.errors import InputError
from higlow_tf.files import whole_path

__all__ = ["DECIMALS", "check_count", "check_new_suite", "write_maps_header", "write_parameters"]

DECIMALS = 5
"""Of the parameters in a table; maps are made with the rounded values."""


def write_parameters(path, theta, names):
    """Writes a table of parameters, whole: a header with the names, then one row a simulation with five decimals."""
    with whole_path(path) as part:
        np.savetxt(part, theta, fmt=f"%.{DECIMALS}f", header=" ".join(names), encoding="utf-8")


def write_maps_header(file, num_maps, map_size):
    """Writes the head of a .npy file. Plain writes follow, because a full disk under a memory map would kill the process."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (num_maps, map_size, map_size)}
    np.lib.format.write_array_header_1_0(file, header)


def check_count(name, value):
    """Raises `InputError` unless the argument of this name is a positive integer."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise InputError(f"Expected {name} to be a positive integer. Received: {value!r}.")


def check_new_suite(paths, overwrite):
    """Raises `InputError` if a file is there already and may not be replaced."""
    for path in paths:
        if path.exists() and not overwrite:
            raise InputError(f"Expected {path} not to exist, or overwrite=True. Received: an existing file.")
