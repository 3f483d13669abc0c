"""Files of maps of which single rows are read: .npy, the HDF5 of this package, Parquet."""

import contextlib
from functools import cached_property

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from higlow_tf.data.hdf5 import HDF5_SUFFIXES, read_hdf5_layout
from higlow_tf.data.npy_files import read_npy_header
from higlow_tf.data.tables import ParameterTable, registry_name
from higlow_tf.errors import InputError

__all__ = ["MAP_COLUMN", "open_maps"]

MAP_COLUMN = "hi_map"


def open_maps(location, map_shape):
    """Opens a file of maps by its suffix, and refuses at once what can be known to be wrong.

    Files:
        .npy: floating-point `[N, *map_shape]`, in C order.
        .h5, .hdf5: as `higlow_tf.data.hdf5.read_hdf5` describes.
        .parquet: a column `hi_map` of lists of numbers, a map in C order in each row; columns with the names of parameters
        are theta. `higlow batch --task sample` writes such files.

    Args:
        location: `Location` of the file.
        map_shape: Shape of a map, that of the model.

    Returns:
        Object with `num_maps`; `table`, a `ParameterTable` with a row a map or None; and `read(start, stop)`, which gives
        float32 `[stop - start, *map_shape]`.

    Raises:
        InputError: If the file is missing, damaged, of another kind, or holds maps of another shape or none.
    """
    suffix = "." + location.path.rpartition(".")[2].lower()
    if suffix not in _READERS:
        raise InputError(f"{location.path}: expected a file of maps, {', '.join(_READERS)}. Received: {suffix!r}.")
    maps = _READERS[suffix](location, tuple(map_shape))
    if not maps.num_maps:
        raise InputError(f"{location.path}: expected at least one map. Received: none.")
    return maps


def _check_shape(path, found, expected):
    if tuple(found) != expected:
        shape = ", ".join(map(str, expected))
        raise InputError(f"{path}: expected maps of the model, [N, {shape}]. Received: [N, {str(found)[1:-1]}].")


def _as_float32(maps):
    with np.errstate(over="ignore"):  # what does not fit becomes infinite, and its row NaN
        return np.ascontiguousarray(maps, np.float32)


class _NpyMaps:
    table = None

    def __init__(self, location, map_shape):
        path = location.path
        with location.open() as file:
            shape, is_fortran, self._dtype = read_npy_header(file, path, location.size)
            self._start = file.tell()
        if len(shape) < 3 or is_fortran:
            order = "in Fortran's order" if is_fortran else "as they are"
            raise InputError(f"{path}: expected maps [N, H, H] in C order. Received: shape {shape} {order}.")
        _check_shape(path, shape[1:], map_shape)
        self._location, self._shape, self.num_maps = location, map_shape, shape[0]
        self._row_bytes = int(np.prod(map_shape)) * self._dtype.itemsize

    def read(self, start, stop):
        with self._location.open() as file, _reading(self._location.path):
            file.seek(self._start + start * self._row_bytes)
            data = file.read((stop - start) * self._row_bytes)
        if len(data) != (stop - start) * self._row_bytes:
            raise InputError(
                f"{self._location.path}: expected maps {start} to {stop}. Received: a file that has shrunk."
            )
        return _as_float32(np.frombuffer(data, self._dtype).reshape(-1, *self._shape))


class _HDF5Maps:
    def __init__(self, location, map_shape):
        self._location = location
        with self._source() as source:
            shape, self.table = read_hdf5_layout(source, location.path, location.size)
        _check_shape(location.path, shape[1:], map_shape)
        self.num_maps = shape[0]

    def read(self, start, stop):
        with _reading(self._location.path), self._source() as source, h5py.File(source, "r") as file:
            return _as_float32(file["maps"][start:stop])

    def _source(self):
        """What h5py opens: the path, or a file far away."""
        return contextlib.nullcontext(self._location.inner_path) if self._location.is_local else self._location.open()


class _ParquetMaps:
    def __init__(self, location, map_shape):
        self._location, self._shape = location, map_shape
        with location.open() as file, _reading(location.path):
            metadata = pq.read_metadata(file)
            names = metadata.schema.to_arrow_schema().names
        if MAP_COLUMN not in names:
            raise InputError(f"{location.path}: expected a column {MAP_COLUMN!r}. Received: {', '.join(names)[:200]}.")
        self.num_maps = metadata.num_rows
        self._rows_of_groups = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        self._columns = [name for name in names if name != MAP_COLUMN]
        if self.num_maps:
            self._read_group(0, 0, 1)

    @cached_property
    def table(self):
        """The columns of numbers, which may be parameters; None if there is none."""
        with self._location.open() as file, _reading(self._location.path):
            schema = pq.read_schema(file)
            numbers = [n for n in self._columns if pa.types.is_floating(schema.field(n).type)]
            if not numbers:
                return None
            file.seek(0)
            columns = pq.read_table(file, columns=numbers)
        values = np.stack([columns[n].to_numpy(zero_copy_only=False).astype(np.float64) for n in numbers], axis=1)
        return ParameterTable(self._location.path, tuple(map(registry_name, numbers)), values)

    def read(self, start, stop):
        pieces, first = [], 0
        for group, rows in enumerate(self._rows_of_groups):
            if first < stop and first + rows > start:
                pieces.append(self._read_group(group, max(start - first, 0), min(stop - first, rows)))
            first += rows
        return np.concatenate(pieces)

    def _read_group(self, group, start, stop):
        with self._location.open() as file, _reading(self._location.path):
            column = pq.ParquetFile(file).read_row_group(group, columns=[MAP_COLUMN])[MAP_COLUMN]
            rows = column.slice(start, stop - start).combine_chunks()
            rows = rows.storage if isinstance(rows, pa.ExtensionArray) else rows
            if rows.null_count:
                raise InputError(
                    f"{self._location.path}: expected a map in every row. Received: {rows.null_count} without."
                )
            numbers = rows.flatten()
            while pa.types.is_nested(numbers.type):
                numbers = numbers.flatten()
            values = numbers.to_numpy(zero_copy_only=False)
        if len(values) != len(rows) * np.prod(self._shape):
            received = f"{len(values) / len(rows):g} numbers a map"
            raise InputError(
                f"{self._location.path}: expected {int(np.prod(self._shape))} numbers a map. Received: {received}."
            )
        return _as_float32(values.reshape(-1, *self._shape))


@contextlib.contextmanager
def _reading(path):
    """What libraries and filesystems say of a file that they cannot read becomes one sentence."""
    try:
        yield
    except InputError:
        raise
    except (OSError, KeyError, RuntimeError, ValueError, pa.ArrowException) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise InputError(f"{path}: expected a whole file of maps. Received: {reason}.") from None


_READERS = {
    ".npy": _NpyMaps,
    **dict.fromkeys(HDF5_SUFFIXES, _HDF5Maps),
    ".parquet": _ParquetMaps,
}
