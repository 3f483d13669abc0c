"""Arrays of an HDF5 file that are really in it: no links to other files, no larger than the file can hold."""

import math

import numpy as np

from higlow_tf.errors import InputError

__all__ = ["READ_ERRORS", "check_whole", "dataset", "read_array", "refusal"]

# What h5py lets through for a damaged file; it depends on which byte is wrong.
READ_ERRORS = (OSError, RuntimeError, KeyError, TypeError, ValueError, OverflowError, MemoryError)
# Compressed maps of random pixels are not much smaller; smooth or sparse ones are a tenth. The rest is for tiny files.
_MAX_EXPANSION = 100
_ALWAYS_ALLOWED_BYTES = 2**24


def refusal(path):
    """How the sentence begins that refuses a file which could not be read."""
    return f"{path} must be a readable, whole HDF5 file of maps. Received:"


def dataset(file, name, path, num_bytes):
    """A dataset of an open file, or None if there is none of this name.

    Args:
        file: The file, open in h5py.
        name: Of the dataset.
        path: Name of the file, for the error.
        num_bytes: Its size.

    Raises:
        InputError: If it is no array of plain numbers, lies in another file, or is larger than the file can hold.
    """
    import h5py

    if name not in file.keys():  # noqa: SIM118 - a link that leads nowhere is not "in" the file
        return None
    if isinstance(file.get(name, getlink=True), h5py.ExternalLink):
        raise InputError(f"{path} must hold {name!r} itself. Received: a link to another file.")
    try:
        found = file[name]
    except (KeyError, RuntimeError, OSError):
        raise InputError(f"{path} must hold {name!r} itself. Received: a link that leads nowhere.") from None
    if not (isinstance(found, h5py.Dataset) and found.ndim):
        raise InputError(f"{path} must hold {name!r} as an array. Received: a group or a single value.")
    # A link inside the file may lead on to another one, and so may the array itself.
    if found.file.id != file.id or found.file.filename != file.filename:
        raise InputError(f"{path} must hold {name!r} itself. Received: a link to another file.")
    if found.is_virtual or found.external:
        raise InputError(f"{path} must hold {name!r} itself. Received: an array whose numbers are in other files.")
    if found.dtype.kind not in "iuf":
        raise InputError(f"{path} must hold {name!r} as numbers. Received: dtype {found.dtype}.")
    declared = math.prod(found.shape) * found.dtype.itemsize
    if declared > _MAX_EXPANSION * num_bytes + _ALWAYS_ALLOWED_BYTES:
        raise InputError(
            f"{path} must hold {name!r} whole, at most {_MAX_EXPANSION} times as large as the file. "
            f"Received: {declared / 2**30:.3g} GiB in a file of {num_bytes} bytes."
        )
    return found


def read_array(found, path, on_disk=False):
    """The numbers of a dataset.

    Args:
        found: What `dataset` gave.
        path: Its file.
        on_disk: Whether to leave them in the file, as a memory map, where they lie there in one piece.
    """
    import h5py

    offset = found.id.get_offset()  # None where the file holds them in pieces, or compressed
    # Bits that NumPy would read otherwise (a float of 24 bits, say) are for HDF5 to convert.
    is_plain = found.id.get_type() == h5py.h5t.py_create(found.dtype)
    if not on_disk or offset is None or not found.size or not is_plain:
        return found[()]
    check_whole(found, path, path.stat().st_size)
    return np.memmap(path, found.dtype, "r", offset=offset, shape=found.shape)


def check_whole(found, path, num_bytes):
    """Refuses a dataset whose numbers lie beyond the end of its file; where they are in pieces, only reading tells."""
    offset = found.id.get_offset()
    missing = 0 if offset is None else offset + found.size * found.dtype.itemsize - num_bytes
    if missing > 0:
        raise InputError(f"{refusal(path)} a truncated file, {missing} bytes of {found.name!r} are missing.")
