"""Files by glob, on this machine or wherever a filesystem of PyArrow reaches: file://, s3://, gs://, hdfs://."""

import fnmatch
import glob
import os
from dataclasses import dataclass

import pyarrow as pa
from pyarrow import fs

from higlow_tf.errors import InputError

__all__ = ["Location", "find_files", "open_location"]

_WILD = frozenset("*?[")


@dataclass(frozen=True)
class Location:
    """A file as it was found.

    Attributes:
        path: Absolute path, or address.
        size: Bytes.
        modified_ns: Time of its last change, nanoseconds since 1970; 0 if its filesystem does not say.
    """

    path: str
    size: int
    modified_ns: int


def find_files(patterns):
    """The files that any of some globs matches, in the order of their names, each once.

    Args:
        patterns: Globs. `**` matches folders inside folders, on this machine only.

    Returns:
        List of `Location`.

    Raises:
        InputError: If a pattern matches no file, or a filesystem cannot be reached.
    """
    found = {}
    for pattern in map(str, patterns):
        matching = _remote(pattern) if "://" in pattern else _local(pattern)
        if not matching:
            raise InputError(f"--maps: expected a path or glob of existing files. Received: {pattern!r}, without any.")
        found |= {location.path: location for location in matching}
    return [found[path] for path in sorted(found)]


def open_location(path):
    """Opens a file for reading at any place; a PyArrow file, which is a context manager.

    Raises:
        InputError: If it cannot be opened.
    """
    try:
        filesystem, inner = _filesystem(path)
        return filesystem.open_input_file(inner)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: expected a readable file. Received: {_reason(error)}.") from None


def _local(pattern):
    # A pipe or a device may never end.
    paths = [os.path.abspath(path) for path in glob.glob(pattern, recursive=True) if os.path.isfile(path)]
    return [Location(path, info.st_size, info.st_mtime_ns) for path in paths for info in (os.stat(path),)]


def _remote(pattern):
    """The files of an address; segments of the path may have wildcards."""
    segments = pattern.split("/")
    first_wild = next((i for i, segment in enumerate(segments) if _WILD & set(segment)), len(segments))
    scheme = pattern.partition("://")[0]
    try:
        filesystem, base = _filesystem("/".join(segments[:first_wild]))
        if first_wild == len(segments):
            infos = [info for info in filesystem.get_file_info([base]) if info.type != fs.FileType.NotFound]
        else:
            depth_known = len(segments) - first_wild == 1
            infos = filesystem.get_file_info(fs.FileSelector(base, recursive=not depth_known))
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"--maps: expected an address that can be reached. Received: {pattern!r} ({_reason(error)})."
        ) from None
    wanted = [*filter(None, base.split("/")), *segments[first_wild:]]
    return [
        Location(f"{scheme}://{info.path}", info.size, info.mtime_ns or 0)
        for info in infos
        if info.type == fs.FileType.File and _matches([part for part in info.path.split("/") if part], wanted)
    ]


def _matches(parts, wanted):
    return len(parts) == len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))


def _filesystem(path):
    """The filesystem of a path or an address, and the path in it."""
    return fs.FileSystem.from_uri(path) if "://" in path else (fs.LocalFileSystem(), path)


def _reason(error):
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
