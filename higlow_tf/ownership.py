"""Folders that higlow writes: which files in them are its own, and one writer at a time.

Every such folder carries a hidden folder `.higlow` with `folder.json`, which says what made the folder and lists the files that
higlow wrote into it, and with a lock. What is not on the list is somebody else's, and is never replaced or removed.
"""

import contextlib
import json
import os
import shutil
from pathlib import Path

from higlow_tf.errors import InputError
from higlow_tf.files import ON_PUBLISH, is_empty_folder, resolved
from higlow_tf.folder_lock import LOCK_FILE, MARKER_FOLDER, locked_folder, write_text
from higlow_tf.versions import version

__all__ = ["OwnedFolder", "owned_folder"]

FORMAT_VERSION = 1
_LISTING, _OLD, _DISCARDED = "folder.json", "old", "discarded"
_UNLISTED = f"which {MARKER_FOLDER}/{_LISTING} does not list"

# Folders that this process holds: a function that takes one which its caller has taken gets the same.
_HELD = {}


class OwnedFolder:
    """A folder while it is ours to write; made by `owned_folder`.

    Attributes:
        path: The folder, resolved.
        kind: What it holds: "run", "evaluation" and so on.
        files: Names of the files and folders in it that higlow wrote, relative to it.
    """

    def __init__(self, path, kind):
        self.path = path
        self.kind = kind
        self.files = _read_listing(path)

    def owns(self, name):
        """Whether higlow wrote what has this name, or the folder that it lies in."""
        parts = Path(name).parts
        return any(Path(*parts[:length]).as_posix() in self.files for length in range(1, len(parts) + 1))

    def claim(self, target):
        """Puts a path that is about to be written on the list; one outside of the folder is not our business.

        Raises:
            InputError: If there is something of that name that higlow did not write.
        """
        if target.is_relative_to(self.path) and MARKER_FOLDER not in target.relative_to(self.path).parts:
            self.claim_names([target.relative_to(self.path).as_posix()])

    def claim_names(self, names):
        """Puts many names on the list at once, as `claim` does; for files that other processes are going to write."""
        new = {name for name in names if not self.owns(name)}
        for name in sorted(new):
            if (self.path / name).exists():
                raise InputError(
                    f"{self.path / name}: expected a file that higlow wrote, to replace it. "
                    f"Received: one of somebody else, {_UNLISTED}."
                )
        if new:
            self.files |= new
            self._write_listing()

    def check(self, names, path, *, overwrite=False, resume=False):
        """Refuses names that are there and may not be replaced; `path` is the folder in the words of the user."""
        found = [name for name in names if (self.path / name).exists() and not is_empty_folder(self.path / name)]
        if found and not (overwrite or resume):
            raise InputError(
                f"{path}: expected a folder without results, or --overwrite. Received: a folder with {found[0]}."
            )
        foreign = [name for name in found if not self.owns(name) and not self._is_folder_of_ours(name)]
        if foreign:
            raise InputError(
                f"{self.path / foreign[0]}: expected something that higlow wrote, to replace it. "
                f"Received: something of somebody else, {_UNLISTED}."
            )

    def _is_folder_of_ours(self, name):
        """A folder in which something is ours, or that has a list of its own."""
        path = self.path / name
        return path.is_dir() and ((path / MARKER_FOLDER).is_dir() or any(f.startswith(f"{name}/") for f in self.files))

    def adopt(self, names):
        """Takes over what an older version wrote without a list."""
        found = {name for name in names if (self.path / name).exists()}
        if found - self.files:
            self.files |= found
            self._write_listing()

    @contextlib.contextmanager
    def set_aside(self):
        """Moves what higlow wrote aside; it is put back when the block ends, unless what is yielded was called.

        What a killed process left aside is put back by the next that takes the folder.

        Yields:
            Function without arguments that removes the old files, for the moment when they are not needed any more.
        """
        old = self.path / MARKER_FOLDER / _OLD
        tops = sorted({Path(name).parts[0] for name in self.files if (self.path / Path(name).parts[0]).exists()})
        foreign = [name for top in tops for name in self._foreign_inside(top)]
        if foreign:
            raise InputError(
                f"{self.path / foreign[0]}: expected only what higlow wrote. Received: something of somebody else, {_UNLISTED}."
            )
        old.mkdir()
        for top in tops:
            os.replace(self.path / top, old / top)
        listed = set(self.files)
        try:
            yield lambda: self._discard(old)
        finally:
            if old.exists():
                self.remove_own()
                self.files = listed
                self.put_back()

    def _discard(self, old):
        # In one step: of files that a kill leaves half removed, nothing may be put back.
        os.replace(old, old.with_name(_DISCARDED))
        self._remove_discarded()
        self.files = {name for name in self.files if (self.path / name).exists()}
        self._write_listing()

    def _remove_discarded(self):
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.path / MARKER_FOLDER / _DISCARDED)

    def put_back(self):
        """Puts back what was set aside, if there is anything, and removes what was not needed any more."""
        self._remove_discarded()
        old = self.path / MARKER_FOLDER / _OLD
        if old.is_dir():
            for path in old.iterdir():
                os.replace(path, self.path / path.name)
            old.rmdir()
            self._write_listing()

    def _foreign_inside(self, top):
        """What is in one of our folders and on no list."""
        root = self.path / top
        if not root.is_dir() or top in self.files or (root / MARKER_FOLDER).is_dir():
            return []
        found = (path.relative_to(self.path).as_posix() for path in root.rglob("*") if not path.is_dir())
        return [name for name in found if not self.owns(name)]

    def remove_own(self, names=None):
        """Removes what higlow wrote, all of it or some names, and nothing else; folders only when nothing else is left in them.

        Returns:
            Names of what was left because it is somebody else's.
        """
        chosen = [name for name in sorted(self.files, reverse=True) if names is None or Path(name).parts[0] in names]
        left = []
        for name in chosen:
            path = self.path / name
            if path.is_dir() and not path.is_symlink():
                left += [f"{name}/{rest}" for rest in _remove_owned_tree(path)]
            else:
                path.unlink(missing_ok=True)
            _remove_empty_parents(path, self.path)
            if not path.exists():
                self.files.discard(name)
        self._write_listing()
        return left

    def remove_files(self, names):
        """Removes some files that higlow wrote, by their full names, and takes them off the list."""
        for name in set(names) & self.files:
            (self.path / name).unlink(missing_ok=True)
            self.files.discard(name)
        self._write_listing()

    def _write_listing(self):
        content = {
            "format_version": FORMAT_VERSION,
            "made_by": f"higlow_tf {version()}",
            "kind": self.kind,
            "files": sorted(self.files),
        }
        write_text(self.path / MARKER_FOLDER / _LISTING, json.dumps(content, indent=1) + "\n")


@contextlib.contextmanager
def owned_folder(path, kind, *, names=(), overwrite=False, resume=False):
    """Takes a folder for one writer, and puts all that `whole_path` writes into it meanwhile on its list.

    Args:
        path: The folder; made if it is missing. Symbolic links are followed.
        kind: What it holds, for its marker.
        names: Files and folders that are going to be written.
        overwrite: Whether those of them that higlow wrote may be replaced.
        resume: Whether those that are there are to be continued.

    Yields:
        `OwnedFolder`.

    Raises:
        InputError: If the path is a file, another process writes into it, or something of these names is there that may not
            be replaced or that somebody else wrote.
    """
    folder_path = resolved(path)
    if folder_path in _HELD:
        folder = _HELD[folder_path]
        folder.check(names, path, overwrite=overwrite, resume=resume)
        yield folder
        return
    if folder_path.exists() and not folder_path.is_dir():
        raise InputError(f"{path}: expected a folder, or a path that does not exist. Received: a file.")
    made = _make(folder_path, path)
    try:
        with locked_folder(folder_path, path):
            folder = OwnedFolder(folder_path, kind)
            folder.put_back()
            folder.check(names, path, overwrite=overwrite, resume=resume)
            token = ON_PUBLISH.set((*ON_PUBLISH.get(), folder.claim))
            _HELD[folder_path] = folder
            try:
                yield folder
            finally:
                del _HELD[folder_path]
                ON_PUBLISH.reset(token)
    finally:
        _remove_if_unused(folder_path, made)


def _read_listing(folder):
    path = folder / MARKER_FOLDER / _LISTING
    if not path.exists():
        return set()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        names, format_version = content["files"], content["format_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: expected the list of the files that higlow wrote here. Received: {error}."
        ) from error
    if not isinstance(format_version, int) or format_version > FORMAT_VERSION:
        raise InputError(f"{path}: expected format version {FORMAT_VERSION} or older. Received: {format_version!r}.")
    if not isinstance(names, list) or not all(_is_inside(name) for name in names):
        raise InputError(f"{path}: expected names of files inside the folder. Received: others.")
    return set(names)


def _is_inside(name):
    """A list that was tampered with must not lead outside of its folder."""
    return isinstance(name, str) and name != "" and not Path(name).is_absolute() and ".." not in Path(name).parts


def _remove_owned_tree(path):
    """Removes a folder that is on a list: whole if it has no list of its own, else what that lists. What is left, by name."""
    if not (path / MARKER_FOLDER).is_dir():
        shutil.rmtree(path)
        return []
    with locked_folder(path, path):
        inner = OwnedFolder(path, "")
        inner.remove_own()
    left = [entry.name for entry in path.iterdir() if entry.name != MARKER_FOLDER]
    if not left:
        shutil.rmtree(path)
    return left


def _remove_empty_parents(path, root):
    """Folders in which nothing is left but their own marker go, too."""
    for parent in path.parents:
        if parent == root or not parent.is_dir():
            return
        left = [entry.name for entry in parent.iterdir()]
        if left == [MARKER_FOLDER] and parent not in _HELD:
            shutil.rmtree(parent / MARKER_FOLDER)
        with contextlib.suppress(OSError):
            parent.rmdir()


def _make(folder, path):
    """Makes the folder and its marker; what was not there before, the innermost first."""
    marker = folder / MARKER_FOLDER
    missing = [parent for parent in (marker, *marker.parents) if not parent.exists()]
    try:
        marker.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: expected to be able to write it. Received: {error.strerror or error}.") from error
    return missing


def _remove_if_unused(folder, made):
    """A call that was refused, or failed before it wrote anything, leaves no folder behind."""
    marker = folder / MARKER_FOLDER
    if marker not in made or (marker / _LISTING).exists():
        return
    (marker / LOCK_FILE).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        for parent in made:
            parent.rmdir()
