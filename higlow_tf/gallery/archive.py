"""A model as one file, and back: packed in the same bytes each time, unpacked without trust in what is inside."""

import gzip
import hashlib
import shutil
import tarfile
import zipfile
import zlib
from pathlib import Path

from higlow_tf.errors import InputError
from higlow_tf.files import whole_path
from higlow_tf.gallery.archive_members import MAX_BYTES, check_members, opened_members, refusal
from higlow_tf.gallery.find import is_model_name, run_in, versions_in

__all__ = ["pack_model", "sha256_of", "unpack_model"]

_PUBLISHED = {"run", "examples.npz", "reference.json", "README.md"}
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, RuntimeError, ValueError)
_BLOCK = 2**20


def pack_model(folder, out_dir, *, overwrite=False):
    """Packs a published model into NAME.tar.gz.

    The same files give the same bytes, with one release of zlib: times and owners are left out.

    Args:
        folder: Folder NAME of a model, with `run/` or versions `1/`, ... of a SavedModel. Hidden files are left out.
        out_dir: Folder for the archive.
        overwrite: Whether an existing archive may be replaced.

    Returns:
        Path of the archive, and its SHA-256 in hexadecimal digits, which `fetch_model` asks for.

    Raises:
        InputError: If the folder holds no model, or a file is in the way.
    """
    folder = Path(folder)
    if not folder.is_dir() or not (run_in(folder) or versions_in(folder)):
        raise InputError(f"{folder}: expected a folder with a run or a SavedModel. Received: none.")
    name = folder.resolve().name
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    files = [path for path in files if not any(part.startswith(".") for part in path.parts)]
    out = Path(out_dir) / f"{name}.tar.gz"
    with whole_path(out, overwrite) as part:
        # Without a name and a time in the head of the compressed file.
        with part.open("wb") as raw, gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as packed:
            with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
                for path in files:
                    _add(archive, folder / path, f"{name}/{path.as_posix()}")
        digest = sha256_of(part)
    return out, digest


def _add(archive, path, name):
    member = tarfile.TarInfo(name)
    member.size, member.mode = path.stat().st_size, 0o644
    with path.open("rb") as file:
        archive.addfile(member, file)


def sha256_of(path):
    """SHA-256 of a file in hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpack_model(archive, out_dir, *, name=None, overwrite=False, max_bytes=MAX_BYTES, label=None):
    """Unpacks the archive of one model. The model appears whole or not at all.

    Nothing but plain files with plain names is taken: no links, no devices, no path that leads out of the folder.

    Args:
        archive: A .tar.gz, .tar or .zip whose files all lie in one folder, as `pack_model` makes it.
        out_dir: Folder for the model; made if it is missing.
        name: Name of the model; None for that of the folder in the archive.
        overwrite: Whether a model of this name may be replaced.
        max_bytes: Largest sum of the sizes of the files.
        label: What the archive is called in errors; None for its path.

    Returns:
        Folder of the model.

    Raises:
        InputError: If the archive is damaged, too large, holds anything but the files of one model, or a model is in the way.
    """
    archive, label = Path(archive), label or archive
    if name is not None and not is_model_name(name):
        raise InputError(f"name: expected letters, digits, '_', '.', '+' and '-'. Received: {name!r}.")
    if not archive.is_file():
        raise refusal(label, "no such file")
    try:
        with opened_members(archive, label, max_bytes) as members:
            packed_name = check_members(members, label, max_bytes)
            target = Path(out_dir) / (name or packed_name)
            own_names = _PUBLISHED | {member.parts[1] for member in members} | {str(n) for n in versions_in(target)}
            with whole_path(target, overwrite, is_folder=True, own_names=own_names) as part:
                _write_members(members, part)
                if not (run_in(part) or versions_in(part)):
                    raise refusal(label, "one with neither run/model.keras nor 1/saved_model.pb")
    except InputError:
        raise
    except _DAMAGED as error:
        raise refusal(label, f"a damaged one ({str(error) or type(error).__name__})") from None
    return target


def _write_members(members, folder):
    for member in members:
        path = folder.joinpath(*member.parts[1:])
        path.parent.mkdir(parents=True, exist_ok=True)
        with member.open() as source, path.open("xb") as out:
            shutil.copyfileobj(source, out, _BLOCK)
        if path.stat().st_size != member.size:
            raise EOFError(f"{'/'.join(member.parts)} has {path.stat().st_size} of {member.size} bytes")
