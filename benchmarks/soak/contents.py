"""What is in files: whether two of them hold the same numbers, and whether each is whole."""

import csv
import hashlib
import io
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import yaml

__all__ = ["content_of", "contents_of", "differences", "digests_of", "left_over", "unreadable"]

# What differs between two runs that did the same: when it was, and how long it took.
IGNORED_COLUMNS = ("wall_minutes",)
IGNORED_KEYS = ("elapsed_seconds", "wall_minutes", "date_saved")
# The checksum of a checkpoint covers its times.
IGNORED_MEMBERS = ("sha256",)
# Pictures and pages show numbers that are compared; hidden files are notes of the program about its own work.
IGNORED_SUFFIXES = (".png", ".pdf", ".html")


def visible_files(folder):
    """Files in a folder and below, by their names, but for those with a hidden part in their names."""
    paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    return {name: path for name, path in names.items() if not any(part.startswith(".") for part in Path(name).parts)}


def digests_of(folder):
    """Name of each visible file -> the hash of its bytes."""
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in visible_files(folder).items()}


def contents_of(path):
    """Name of each visible file in a folder -> its content without times; of a file, only it."""
    path = Path(path)
    if path.is_file():
        return {path.name: _content_or_bytes(path)}
    found = {name: file for name, file in visible_files(path).items() if file.suffix not in IGNORED_SUFFIXES}
    return {name: _content_or_bytes(file) for name, file in found.items()}


def _content_or_bytes(path):
    """A file that is not whole is compared byte for byte: it differs from every whole one."""
    try:
        return content_of(path)
    except Exception:  # each format has exceptions of its own
        return path.read_bytes()


def differences(found, expected):
    """Names of what differs between two results of `contents_of`."""
    names = sorted(found.keys() | expected.keys())
    return [name for name in names if found.get(name) != expected.get(name)]


def content_of(path):
    """The content of a file without times, in a form that can be compared: arrays count bit for bit.

    Raises:
        Exception: Of the format, if the file is not whole.
    """
    return _content_of_bytes(Path(path), Path(path).read_bytes())


def _content_of_bytes(path, data):
    if path.suffix == ".keras":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {name: _content_of_bytes(Path(name), archive.read(name)) for name in archive.namelist()}
    if path.suffix == ".npz":
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return {name: _member(name, file[name]) for name in file.files if name not in IGNORED_MEMBERS}
    if path.suffix == ".h5":
        with h5py.File(io.BytesIO(data)) as file:
            return _content_of_hdf5(file)
    if path.suffix == ".json":
        return _without_times(json.loads(data))
    if path.suffix == ".csv":
        rows = csv.DictReader(io.StringIO(data.decode("utf-8")))
        return [{name: value for name, value in row.items() if name not in IGNORED_COLUMNS} for row in rows]
    return data


def _member(name, array):
    """A checkpoint holds a copy of the model, the bytes of its file."""
    if name == "best_model":
        return _content_of_bytes(Path("model.keras"), array.tobytes())
    return _array(array)


def _content_of_hdf5(file):
    found = {"@": {name: _array(np.asarray(value)) for name, value in file.attrs.items()}}

    def visit(name, node):
        values = _array(node[()]) if isinstance(node, h5py.Dataset) else None
        found[name] = (values, {key: _array(np.asarray(value)) for key, value in node.attrs.items()})

    file.visititems(visit)
    return found


def _array(array):
    """Shape, type and bytes; text that is JSON is compared without its times."""
    array = np.asarray(array)
    if array.shape == () and array.dtype.kind in "UO":
        try:
            return _without_times(json.loads(str(array)))
        except ValueError:
            return str(array)
    if array.dtype.kind == "O":
        return [str(value) for value in array.ravel()]
    return array.shape, array.dtype.str, array.tobytes()


def _without_times(value):
    if isinstance(value, dict):
        return {key: _without_times(inner) for key, inner in value.items() if key not in IGNORED_KEYS}
    return [_without_times(inner) for inner in value] if isinstance(value, list) else value


def left_over(folder):
    """What an unfinished write has left behind under a hidden name."""
    hidden = [path for path in sorted(Path(folder).rglob("*")) if path.name.startswith(".")]
    names = [path.relative_to(folder).as_posix() for path in hidden if {".part", ".old"} & set(path.suffixes)]
    return [f"{name} is left over" for name in names]


def unreadable(folder):
    """Visible files that are not whole."""
    found = []
    for name, path in visible_files(folder).items():
        try:
            _read_whole(path)
        except Exception as error:  # each format has exceptions of its own; none of them may be lost
            found.append(f"{name} is not whole ({type(error).__name__}: {str(error)[:100]})")
    return found


def _read_whole(path):
    if path.suffix in (".npz", ".h5", ".json", ".csv", ".keras"):
        content_of(path)
    elif path.suffix == ".npy":
        np.load(path, allow_pickle=False)
    elif path.suffix == ".png":
        import matplotlib.image

        matplotlib.image.imread(path)
    elif path.suffix == ".parquet":
        import pyarrow.parquet

        pyarrow.parquet.read_table(path)
    elif path.suffix in (".html", ".pdf"):
        end = b"</html>" if path.suffix == ".html" else b"%%EOF"
        if not path.read_bytes().rstrip().endswith(end):
            raise ValueError("its end is missing")
    elif path.suffix == ".yaml":
        yaml.safe_load(path.read_text(encoding="utf-8"))
    elif path.suffix == ".txt":
        np.loadtxt(path)
    elif path.suffix == ".pb" or path.name == "tf_serving_warmup_requests":
        _read_export(path)
    elif path.name == "format_version":
        int(path.read_text(encoding="utf-8"))


def _read_export(path):
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    if path.name == "saved_model.pb":
        saved_model_pb2.SavedModel.FromString(path.read_bytes())
        tf.train.load_checkpoint(str(path.parent / "variables" / "variables"))
    elif path.name == "tf_serving_warmup_requests":
        list(tf.data.TFRecordDataset(str(path)))
