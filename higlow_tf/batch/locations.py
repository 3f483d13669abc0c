"""Files by glob, on this machine or wherever a filesystem of PyArrow reaches: file://, s3://, gs://, hdfs://."""

import fnmatch
import glob
import os
from dataclasses import dataclass
from urllib.parse import unquote

import pyarrow as pa
from pyarrow import fs

from higlow_tf.errors import InputError

__all__ = ["Location", "find_files"]

# In an address, a question mark begins the options of the filesystem.
_WILD = frozenset("*[")
_SECRET, _HOST = ":", "@"
_NUM_SEGMENTS_OF_ROOT = 3


@dataclass(frozen=True)
class Location:
    """A file as it was found.

    Attributes:
        path: Absolute path, or address without passwords and options.
        size: Bytes.
        modified_ns: Time of its last change, nanoseconds since 1970; 0 if its filesystem does not say.
        filesystem: PyArrow's, which actors on other machines make again from it; None if there is no file.
        inner_path: Path of the file in it.
    """

    path: str
    size: int
    modified_ns: int
    filesystem: fs.FileSystem | None = None
    inner_path: str = ""

    @property
    def is_local(self):
        return isinstance(self.filesystem, fs.LocalFileSystem)

    def open(self):
        """Opens the file for reading; a PyArrow file, which is a context manager.

        Raises:
            InputError: If it cannot be opened.
        """
        try:
            return self.filesystem.open_input_file(self.inner_path)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{self.path}: expected a readable file. Received: {_reason(error)}.") from None


def find_files(patterns):
    """The files that any of some globs matches, in the order of their names, each once.

    Args:
        patterns: Globs. `**` matches folders inside folders, on this machine only. In addresses, wildcards are `*` and `[...]`,
            and what follows a question mark are options: s3://bucket/Maps_*.npy?region=eu-west-1.

    Returns:
        List of `Location`.

    Raises:
        InputError: If a pattern matches no file, or a filesystem cannot be reached.
    """
    found = {}
    for pattern in map(str, patterns):
        matching = _remote(pattern) if "://" in pattern else _local(pattern)
        if not matching:
            raise InputError(
                f"--maps: expected a path or glob of existing files. Received: {_shown(pattern)!r}, without any."
            )
        found |= {location.path: location for location in matching}
    return [found[path] for path in sorted(found)]


def _local(pattern):
    # A pipe or a device may never end.
    paths = [os.path.abspath(path) for path in glob.glob(pattern, recursive=True) if os.path.isfile(path)]
    here = fs.LocalFileSystem()
    return [Location(path, info.st_size, info.st_mtime_ns, here, path) for path in paths for info in (os.stat(path),)]


def _remote(pattern):
    """The files of an address; segments of the path may have wildcards."""
    address, mark, options = pattern.partition("?")
    segments = address.split("/")
    first_wild = next((i for i, segment in enumerate(segments) if _WILD & set(segment)), len(segments))
    wild = [unquote(segment) for segment in segments[first_wild:]]
    root = "/".join(segments[:first_wild]) + mark + options
    try:
        filesystem, base = fs.FileSystem.from_uri(root)
        if wild:
            infos = filesystem.get_file_info(fs.FileSelector(base, recursive=len(wild) > 1))
        else:
            infos = filesystem.get_file_info([base])
    except (OSError, pa.ArrowException) as error:
        reason = _reason(error).replace(root, _shown(root))
        raise InputError(
            f"--maps: expected an address that can be reached. Received: {_shown(pattern)!r} ({reason})."
        ) from None
    num_fixed = len(_parts(base))
    return [
        Location(
            "/".join([*_shown_segments(segments[:first_wild]), *tail]),
            info.size,
            info.mtime_ns or 0,
            filesystem,
            info.path,
        )
        for info in infos
        for tail in (_parts(info.path)[num_fixed:],)
        if info.type == fs.FileType.File and len(tail) == len(wild) and all(map(fnmatch.fnmatchcase, tail, wild))
    ]


def _parts(path):
    return [part for part in path.split("/") if part]


def _shown(pattern):
    """A pattern as it may be told to anybody: an address without passwords and options."""
    return "/".join(_shown_segments(pattern.partition("?")[0].split("/"))) if "://" in pattern else pattern


def _shown_segments(segments):
    """The segments of an address with their characters as they are, and the host without a password."""
    shown = [unquote(segment) for segment in segments]
    if len(shown) >= _NUM_SEGMENTS_OF_ROOT:
        user, _, host = shown[2].rpartition(_HOST)
        shown[2] = host if _SECRET in user else shown[2]
    return shown


def _reason(error):
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
