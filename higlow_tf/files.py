"""Files and folders that appear whole or not at all, and never in the place of something else."""

import contextlib
import errno
import json
import os
import re
import shutil
from contextvars import ContextVar
from pathlib import Path

from higlow_tf.errors import InputError

__all__ = [
    "ON_PUBLISH",
    "check_new",
    "check_room",
    "is_empty_folder",
    "part_of",
    "remove_parts",
    "rename_own",
    "resolved",
    "whole_path",
    "write_json",
]

ON_PUBLISH = ContextVar("on_publish", default=())
"""Functions that are told, before it happens, which path is about to take its name; see `higlow_tf.ownership`."""

_FULL_DISK_WORDS = ("no space left", "disk quota exceeded", "file too large")


def resolved(path):
    """The path without symbolic links and dots, as it will be written.

    Raises:
        InputError: If it leads into a loop of links.
    """
    try:
        return Path(path).resolve(strict=False)
    except (OSError, RuntimeError) as error:
        raise InputError(f"{path}: expected a path that leads somewhere. Received: {error}.") from error


def check_new(path, overwrite=False, *, is_folder=False, own_names=()):
    """Refuses a path that exists, unless it may be overwritten; called before long work whose result goes there.

    Args:
        path: Where the result goes.
        overwrite: Whether what is there may be replaced: a file by a file, a folder by a folder.
        is_folder: Whether the result is a folder.
        own_names: What a folder of ours may hold; one that holds anything else is not replaced.

    Raises:
        InputError: If the path exists and `overwrite` is false, a file is where a folder goes or the reverse, or a folder holds
            something of somebody else.
    """
    target, path = resolved(path), Path(path)
    if not target.exists():
        return path
    if target.is_dir() != is_folder:
        expected, found = ("a folder", "a file") if is_folder else ("a file", "a folder")
        raise InputError(f"{path}: expected {expected}, or a path that does not exist. Received: {found}.")
    if not overwrite:
        raise InputError(f"{path}: expected a path that does not exist, or --overwrite. Received: an existing path.")
    foreign = sorted(entry.name for entry in target.iterdir() if entry.name not in own_names) if is_folder else []
    if foreign:
        raise InputError(
            f"{path}: expected a folder with nothing but what higlow wrote. Received: one with {foreign[0]}."
        )
    return path


@contextlib.contextmanager
def whole_path(path, overwrite=True, *, is_folder=False, own_names=()):
    """Yields a temporary path beside `path`, which takes the name of `path` when the block ends well.

    A block that fails, or a process that is killed in it, leaves `path` as it was. The temporary name keeps the suffix, by
    which some writers choose their format. Symbolic links are followed: what they point to is replaced, not they.

    Args:
        path: Where the file or folder goes; its parents are made.
        overwrite: Whether what is there may be replaced: a file by a file, a folder by a folder.
        is_folder: Whether the block makes a folder.
        own_names: What a folder that is replaced may hold.

    Raises:
        InputError: As `check_new`, or if the operating system refuses (a full disk, a folder without permission): then with
            the path and the reason.
    """
    check_new(path, overwrite, is_folder=is_folder, own_names=own_names)
    target = resolved(path)
    part = part_of(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield part
        for tell in ON_PUBLISH.get():
            tell(target)
        _publish(part, target)
    except Exception as error:
        if not _is_refusal_of_the_system(error):
            raise
        # HDF5 puts a report of many lines in the place of the system's word.
        reason = os.strerror(error.errno) if getattr(error, "errno", None) else str(error).splitlines()[0]
        raise InputError(f"{path}: expected to be able to write it. Received: {reason}.") from error
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(part) if part.is_dir() else part.unlink(missing_ok=True)


def check_room(part, num_bytes):
    """Asks the disk for the room of a file that another library is about to write, and leaves an empty file.

    HDF5 that meets a full disk writes about it on stderr, whoever catches the error. Systems that cannot be asked are not.

    Args:
        part: What `whole_path` yields.
        num_bytes: Size of the file to come.

    Raises:
        OSError: If there is no room.
    """
    with open(part, "wb") as file:
        if num_bytes and hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, num_bytes)
            file.truncate(0)


def part_of(path):
    """The temporary path beside `path` under which this process writes it."""
    return path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")


def remove_parts(folder, pid=None):
    """Removes what a process that was killed left under temporary names, in a folder and in the folders inside it.

    Args:
        folder: The folder; links in it are not followed.
        pid: The process; None for any, in a folder that only the owner of a lock writes into.
    """
    pattern = re.compile(rf"\..+\.{r'[0-9]+' if pid is None else pid}\.part(\.[^.]+)?")
    for path, folders, files in os.walk(folder):
        for name in filter(pattern.fullmatch, files):
            Path(path, name).unlink(missing_ok=True)
        for name in filter(pattern.fullmatch, folders):
            shutil.rmtree(Path(path, name))
        folders[:] = [name for name in folders if not pattern.fullmatch(name)]


def is_empty_folder(path):
    """A folder without a file in it, as a kill or a full disk leaves it: nobody's work."""
    return path.is_dir() and not any(not entry.is_dir() or entry.is_symlink() for entry in path.rglob("*"))


def rename_own(source, target):
    """Gives a file another name in its folder in one step. What has this name is replaced, as by `whole_path`."""
    target = resolved(target)
    for tell in ON_PUBLISH.get():
        tell(target)
    os.replace(source, target)


def _publish(part, target):
    """A folder cannot replace a folder in one step: the old one steps aside, and is put back if that fails."""
    if not target.is_dir():
        os.replace(part, target)
        return
    aside = target.with_name(f".{target.name}.{os.getpid()}.old")
    os.replace(target, aside)
    try:
        os.replace(part, target)
    except OSError:
        os.replace(aside, target)
        raise
    shutil.rmtree(aside)


def _is_refusal_of_the_system(error):
    """An OSError; or what HDF5 and TensorFlow make of a full disk, which they report in classes of their own."""
    if isinstance(error, InputError):
        return False
    text = str(error).lower()
    return isinstance(error, OSError) or any(word in text for word in (*_FULL_DISK_WORDS, f"errno = {errno.ENOSPC}"))


def write_json(content, path):
    """Writes a JSON file, whole or not at all."""
    with whole_path(path) as part:
        part.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
