"""Text files that appear whole or not at all."""

import os
from pathlib import Path

from higlow_tf.errors import InputError

__all__ = ["write_whole"]


def write_whole(path: str | os.PathLike[str], text: str, *, overwrite: bool) -> Path:
    """Writes a UTF-8 file through a temporary file beside it and a rename, so that no reader ever sees a part of it.

    Raises:
        InputError: If the file exists and `overwrite` is false, or its folder does not exist.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise InputError(f"{path}: expected an existing folder for the file. Received: {path.parent}.")
    if path.exists() and not overwrite:
        raise InputError(f"{path}: expected a new file, or leave to overwrite it. Received: a file that exists.")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
