"""A model from an address: downloaded within bounds, known by its checksum, unpacked whole or not at all."""

import contextlib
import hashlib
import http.client
import re
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from higlow_tf.errors import InputError
from higlow_tf.gallery.archive import unpack_model
from higlow_tf.gallery.archive_members import MAX_BYTES
from higlow_tf.gallery.find import fetched_folder

__all__ = ["fetch_model"]

_SCHEMES = ("https", "http", "file")
_SHA256 = re.compile("[0-9a-f]{64}")
_BLOCK = 2**18


def fetch_model(
    url, *, sha256, name=None, folder=None, overwrite=False, max_bytes=MAX_BYTES, timeout_s=60.0, progress=None
):
    """Downloads the archive of a published model, and puts it where `load_model` finds it by its name.

    A SavedModel is a program: fetch only what somebody whom you trust has published. The checksum tells that it is what they
    published, no more.

    Args:
        url: Address of a .tar.gz, .tar or .zip (https, http or file) as `pack_model` makes it.
        sha256: SHA-256 of the archive, 64 hexadecimal digits, as its publisher says.
        name: Name of the model; None for the one in the archive.
        folder: Folder for the model; None for the first of the environment variable HIGLOW_MODELS, or one of the user's own.
        overwrite: Whether a model of this name may be replaced.
        max_bytes: Largest size of the archive, and of what is in it.
        timeout_s: Seconds without an answer after which the address is given up.
        progress: `progress(stage, done, total)` in bytes, where the size is known, or None.

    Returns:
        Folder of the model.

    Raises:
        InputError: If the address does not answer, the file is too large or not the one of the checksum, or is no archive of one
            model (see `unpack_model`).
    """
    sha256 = str(sha256).strip().lower()
    if not _SHA256.fullmatch(sha256):
        raise InputError(f"sha256: expected 64 hexadecimal digits. Received: {sha256[:80]!r}.")
    if str(url).partition(":")[0].lower() not in _SCHEMES:
        raise InputError(f"url: expected an address of {', '.join(_SCHEMES)}. Received: {url!r}.")
    folder = fetched_folder() if folder is None else Path(folder)
    with tempfile.TemporaryDirectory(prefix="higlow_fetch_") as workspace:
        archive = Path(workspace) / "archive"
        found = _download(url, archive, max_bytes, timeout_s, progress or (lambda stage, done, total: None))
        if found != sha256:
            raise InputError(f"{url}: expected a file with the SHA-256 {sha256}. Received: one with {found}.")
        return unpack_model(archive, folder, name=name, overwrite=overwrite, max_bytes=max_bytes, label=url)


def _download(url, path, max_bytes, timeout_s, progress):
    """Returns the SHA-256 of what was written."""
    digest, done = hashlib.sha256(), 0
    try:
        with contextlib.closing(urllib.request.urlopen(url, timeout=timeout_s)) as answer, path.open("wb") as file:
            total = _announced_size(answer)
            while done <= max_bytes and (total or 0) <= max_bytes and (block := answer.read(_BLOCK)):
                digest.update(block)
                file.write(block)
                done += len(block)
                if total:
                    progress("fetch", done, total)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise InputError(f"{url}: expected a file. Received: {_reason(error)}.") from None
    if max(done, total or 0) > max_bytes:
        raise InputError(f"{url}: expected at most {max_bytes} bytes. Received: more.")
    if total and done < total:
        raise InputError(f"{url}: expected {total} bytes. Received: {done}.")
    return digest.hexdigest()


def _reason(error):
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return f"{error.code} {error.reason}"
    return str(getattr(error, "reason", None) or error) or type(error).__name__


def _announced_size(answer):
    text = answer.headers.get("Content-Length") or ""
    return int(text) if text.isascii() and text.isdigit() else None
