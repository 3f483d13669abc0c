"""One writer a folder."""

import contextlib
import datetime
import json
import os
import socket
import sys
from pathlib import Path

import filelock

from higlow_tf.errors import InputError
from higlow_tf.files import part_of, remove_parts

__all__ = ["LOCK_FILE", "MARKER_FOLDER", "locked_folder", "write_text"]

MARKER_FOLDER = ".higlow"
LOCK_FILE, _OWNER_FILE = "lock", "owner.json"
_NO_OWNER = (OSError, ValueError, KeyError, TypeError)


@contextlib.contextmanager
def locked_folder(folder, path):
    """Takes a folder that has its marker. The lock is the operating system's: it ends with its process, however that ends.

    Args:
        folder: The folder, resolved.
        path: The same in the words of the user, for the error.

    Raises:
        InputError: If another process holds it, or the operating system refuses to write into it.
    """
    marker = folder / MARKER_FOLDER
    lock = filelock.FileLock(marker / LOCK_FILE, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise InputError(
            f"{path}: expected a folder that no other process writes into. Received: {_owner(marker)}."
        ) from None
    try:
        _remove_parts_of_killed(folder)
        owner = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "since": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
            "command": " ".join(Path(sys.argv[0]).name if i == 0 else word for i, word in enumerate(sys.argv))[:200],
        }
        write_text(marker / _OWNER_FILE, json.dumps(owner) + "\n")
        yield
    finally:
        (marker / _OWNER_FILE).unlink(missing_ok=True)
        lock.release()


def _owner(marker):
    try:
        owner = _read_owner(marker)
        return f"process {owner['pid']} on {owner['host']}, since {owner['since']} ({owner['command']})"
    except _NO_OWNER:
        return "another process"


def _read_owner(marker):
    return json.loads((marker / _OWNER_FILE).read_text(encoding="utf-8"))


def _remove_parts_of_killed(folder):
    """An owner that still stands here when the lock is free was killed: what it had not finished is of no use."""
    remove_parts(folder / MARKER_FOLDER)  # one may have been killed before it stood here
    try:
        owner = _read_owner(folder / MARKER_FOLDER)
        pid, host = int(owner["pid"]), owner["host"]
    except _NO_OWNER:
        return
    # A new process may have got the same number, and may write here without the lock.
    if pid > 0 and (host != socket.gethostname() or not _is_alive(pid)):
        remove_parts(folder, pid)


def _is_alive(pid):
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def write_text(path, text):
    """Writes a small file whole or not at all, without asking whose it is.

    Raises:
        InputError: If the operating system refuses, for example because the disk is full.
    """
    part = part_of(path)
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise InputError(f"{path}: expected to be able to write it. Received: {error.strerror or error}.") from error
