"""Maps that do not fit into memory. They are read from their file when they are needed, and only those that are needed."""

import mmap
import os
import tempfile

import numpy as np

from higlow_tf.errors import InputError

__all__ = ["IN_MEMORY_BYTES", "MappedRows", "is_mapped", "map_chunks", "new_maps"]

# Maps that take more than this (1 GiB) stay on disk, or go there: 65,536 maps of 64 x 64 pixels are in memory, the 15,000
# of 256 x 256 pixels of CAMELS are not.
IN_MEMORY_BYTES = 2**30
_CHUNK_PIXELS = 2**22


class MappedRows:
    """Chosen rows of a memory-mapped array, in a chosen order; a row is read when it is asked for.

    Args:
        mapped: float32 array `[M, ...]` on a memory map.
        rows: Integers from 0 to M - 1, `[N]`.

    Returns rows as NumPy arrays: `maps[3]`, `maps[5:9]`, `maps[[4, 2]]` and `maps[mask]` all copy what they name.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, mapped, rows):
        self._mapped = mapped
        self._rows = rows

    @property
    def shape(self):
        return (len(self._rows), *self._mapped.shape[1:])

    @property
    def ndim(self):
        return self._mapped.ndim

    @property
    def size(self):
        return len(self._rows) * int(np.prod(self._mapped.shape[1:]))

    @property
    def nbytes(self):
        return self.size * self.dtype.itemsize

    def __len__(self):
        return len(self._rows)

    def __getitem__(self, index):
        first, *others = index if isinstance(index, tuple) else (index,)
        return np.array(self._mapped[(self._rows[first], *others)])

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[:], dtype=dtype)

    def select(self, index):
        """The same rows of the file, without reading them."""
        return MappedRows(self._mapped, self._rows[index])

    def release(self):
        """Returns the pages that were read to the system."""
        _release(self._mapped)


def is_mapped(maps):
    """Whether an array lies on a memory map."""
    return isinstance(maps, MappedRows) or _memory_map(maps) is not None


def map_chunks(maps):
    """Yields `(start, maps[start : start + n])` with chunks of about 16 MB. The memory of what was read is released again."""
    size = max(1, _CHUNK_PIXELS // max(1, int(np.prod(maps.shape[1:]))))
    for start in range(0, len(maps), size):
        yield start, maps[start : start + size]
        # Pages of a file that were read count as memory of the process until another one needs the space.
        maps.release() if isinstance(maps, MappedRows) else _release(maps)


def new_maps(shape):
    """A float32 array to write maps into: in memory, or above `IN_MEMORY_BYTES` in a temporary file without a name.

    The file is made in the folder of TMPDIR and disappears with the array, or with the process.

    Raises:
        InputError: If the disk has no room for it.
    """
    num_bytes = int(np.prod(shape)) * 4
    if num_bytes <= IN_MEMORY_BYTES:
        return np.empty(shape, np.float32)
    with tempfile.TemporaryFile() as file:
        try:
            # Without the space, writing to the map later would end the process without any message.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, num_bytes)
        except OSError as error:
            raise InputError(
                f"Expected {num_bytes / 2**30:.1f} GiB of room in {tempfile.gettempdir()} (set TMPDIR to another folder). "
                f"Received: {error.strerror}."
            ) from None
        return np.memmap(file, np.float32, "r+", shape=shape)


def _memory_map(array):
    """The memory map of a file on which an array lies, or None. Also None for a map that keeps its changes (mode "c")."""
    is_private = False
    while isinstance(array, np.ndarray):
        is_private |= getattr(array, "mode", None) == "c"
        array = array.base
    return array if isinstance(array, mmap.mmap) and not is_private else None


def _release(array):
    mapped = _memory_map(array)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)
