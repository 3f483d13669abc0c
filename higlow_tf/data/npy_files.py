"""Opens .npy files of floating-point numbers without reading them."""

import math
import tokenize
from pathlib import Path

import numpy as np

from higlow_tf.errors import InputError

__all__ = ["open_npy", "read_npy_header"]

_HEADER_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
# What NumPy lets through when a header is no dictionary of shape, order and type.
_HEADER_ERRORS = (
    ValueError,
    EOFError,
    OSError,
    SyntaxError,
    TypeError,
    RecursionError,
    MemoryError,
    tokenize.TokenError,
)

_TABLE_SUFFIXES = {".txt", ".csv", ".dat"}


def open_npy(path):
    """Opens a .npy file as a read-only memory map of any floating-point type, byte order and memory order.

    Raises:
        InputError: If the file is missing, empty, truncated, of another format or type, declares another size than it has,
            or holds pickled objects.
    """
    path = Path(path)
    try:
        # A pipe may never end.
        if path.exists() and not path.is_file():
            raise InputError(f"{path} must be a readable .npy file of maps. Received: something else than a file.")
        with path.open("rb") as file:
            start = file.read(len(np.lib.format.MAGIC_PREFIX))
            if start != np.lib.format.MAGIC_PREFIX:
                hint = "; --maps takes the maps and --params the table" if path.suffix in _TABLE_SUFFIXES else ""
                raise InputError(
                    f"{path} must be a .npy file of maps. "
                    f"Received: {'a file of another format' if start else 'an empty file'}{hint}."
                )
            file.seek(0)
            read_npy_header(file, path, path.stat().st_size)
    except OSError as error:
        raise InputError(f"{path} must be a readable .npy file of maps. Received: {error.strerror}.") from None
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise InputError(f"{_whole(path)} Received: {error}.") from None


def read_npy_header(file, path, num_bytes):
    """What the header of an open .npy file says, once it is certain that the file is that long.

    Args:
        file: Binary file at its start; afterwards it is at the first number.
        path: Its name, for the error.
        num_bytes: Its size.

    Returns:
        The triple (shape, whether the order is Fortran's, dtype).

    Raises:
        InputError: If it is no header of floating-point numbers, or the file is too short for it.
    """
    try:
        version = np.lib.format.read_magic(file)
        shape, is_fortran, dtype = _HEADER_READERS[version](file)
    except KeyError:
        raise InputError(f"{_whole(path)} Received: version {version} of the format.") from None
    except _HEADER_ERRORS as error:
        reason = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise InputError(f"{_whole(path)} Received: {reason}.") from None
    if dtype.hasobject:
        raise InputError(f"{_whole(path)} Received: an array of objects.")
    if dtype.kind != "f":
        raise InputError(f"{path} must hold floating-point maps. Received: dtype {dtype}.")
    if any(side < 0 for side in shape):
        raise InputError(f"{_whole(path)} Received: shape {shape}.")
    declared, found = math.prod(shape) * dtype.itemsize, num_bytes - file.tell()
    if declared > found:
        raise InputError(f"{_whole(path)} Received: {found} bytes of the {declared} of shape {str(shape)[:100]}.")
    return shape, is_fortran, dtype


def _whole(path):
    return f"{path} must be a whole .npy file of numbers, not truncated, without pickled objects."
