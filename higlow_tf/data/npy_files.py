"""Opens .npy files of floating-point numbers without reading them."""

from pathlib import Path

import numpy as np

from higlow_tf.errors import InputError

__all__ = ["open_npy"]


def open_npy(path):
    """Opens a .npy file as a read-only memory map of any floating-point type, byte order and memory order.

    Raises:
        InputError: If the file is missing, empty, truncated, of another format or type, or holds pickled objects.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            start = file.read(len(np.lib.format.MAGIC_PREFIX))
    except OSError as error:
        raise InputError(f"{path} must be a readable .npy file of maps. Received: {error.strerror}.") from None
    if start != np.lib.format.MAGIC_PREFIX:
        raise InputError(
            f"{path} must be a .npy file of maps. Received: {'a file of another format' if start else 'an empty file'}."
        )
    try:
        maps = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise InputError(
            f"{path} must be a whole .npy file of numbers, not truncated, without pickled objects. Received: {error}."
        ) from None
    if maps.dtype.kind != "f":
        raise InputError(f"{path} must hold floating-point maps. Received: dtype {maps.dtype}.")
    return maps
