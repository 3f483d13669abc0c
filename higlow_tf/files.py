"""Files that appear whole or not at all."""

import contextlib
import json
import os
import shutil
from pathlib import Path

from higlow_tf.errors import InputError

__all__ = ["check_new", "whole_path", "write_json"]


def check_new(path, overwrite=False):
    """Refuses a path that exists, unless it may be overwritten; called before long work whose result goes there.

    Raises:
        InputError: If the path exists and `overwrite` is false.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise InputError(
            f"{path}: expected a path that does not exist, or leave to overwrite. Received: an existing path."
        )
    return path


@contextlib.contextmanager
def whole_path(path, overwrite=True):
    """Yields a temporary path beside `path`, which takes the name of `path` when the block ends well.

    A block that fails, or a process that is killed in it, leaves `path` as it was. The block may make a file or a folder;
    the temporary name keeps the suffix, by which some writers choose their format.

    Raises:
        InputError: If `path` exists and `overwrite` is false, or the operating system refuses (a full disk, a folder
            without permission): then with the path and the reason.
    """
    path = check_new(path, overwrite)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        if path.is_dir():
            shutil.rmtree(path)
        os.replace(part, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{path}: expected to be able to write it. Received: {reason}.") from error
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(part) if part.is_dir() else part.unlink(missing_ok=True)


def write_json(content, path):
    """Writes a JSON file, whole or not at all."""
    with whole_path(path) as part:
        part.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
