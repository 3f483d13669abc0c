"""The folders of a served model, NAME/<version>/, and which of them is the newest."""

import contextlib
from pathlib import Path

from higlow_tf.errors import InputError
from higlow_tf.gallery import find_saved_model

__all__ = ["check_model_folders", "complete_versions", "fingerprint"]

_GRAPH_FILES = ("saved_model.pb", "saved_model.pbtxt")


def complete_versions(folder):
    """The version folders that hold a SavedModel, by their number, the oldest first. Other entries are left alone."""
    try:
        entries = list(Path(folder).iterdir())
    except OSError:
        return {}
    found = {
        int(entry.name): entry
        for entry in entries
        if entry.name.isascii() and entry.name.isdigit() and has_graph(entry)
    }
    return dict(sorted(found.items()))


def has_graph(folder):
    """Whether a folder holds the graph of a SavedModel."""
    return any((folder / name).is_file() for name in _GRAPH_FILES)


def fingerprint(folder):
    """Names, sizes and times of all files of a version: equal as long as nobody touches it."""
    found = []
    for path in sorted(Path(folder).rglob("*")):
        with contextlib.suppress(OSError):  # it has been moved away just now
            state = path.stat()
            found.append((str(path), state.st_size, state.st_mtime_ns))
    return tuple(found)


def check_model_folders(folders):
    """Checks the folders that a server is to serve.

    Args:
        folders: Paths NAME, each with folders NAME/<version>/; or names of published models.

    Returns:
        Name of each model -> its absolute folder.

    Raises:
        InputError: If a folder has no version of a SavedModel, or two have one name.
    """
    models = {}
    for folder in map(find_saved_model, folders):
        expected = f"{folder}: expected a folder with versions of a SavedModel, such as {folder}/1/saved_model.pb."
        if not folder.is_dir():
            raise InputError(f"{expected} Received: no folder.")
        if has_graph(folder):
            raise InputError(
                f"{expected} Received: a version itself; give the folder above it, {folder.resolve().parent}."
            )
        if not complete_versions(folder):
            raise InputError(f"{expected} Received: a folder without one.")
        name = folder.resolve().name
        if name in models:
            raise InputError(f"Expected models of different names. Received: {models[name]} and {folder.resolve()}.")
        models[name] = folder.resolve()
    return models
