"""The files in an archive that somebody else made: listed and checked before a byte of them is written."""

import contextlib
import gzip
import re
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass

from higlow_tf.errors import InputError
from higlow_tf.gallery.find import is_model_name

__all__ = ["MAX_BYTES", "Member", "check_members", "opened_members", "refusal"]

MAX_BYTES = 2**29
"""Largest archive, and largest sum of the files in it, unless the caller says otherwise: 512 MiB."""

_MOST_MEMBERS = 10_000
_MOST_PARTS = 10
# Nothing hidden, nothing that leads elsewhere, and nothing that means something else on another system.
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.=+-]*")
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_HEAD_BYTES = 2048
_BLOCK = 2**20


@dataclass(frozen=True)
class Member:
    """A plain file in an archive.

    Attributes:
        parts: The parts of its name; the first is the folder that is the name of the model.
        size: Bytes, as the archive says.
        open: Function that opens it for reading.
    """

    parts: tuple
    size: int
    open: Callable


def refusal(label, found):
    """The error about an archive."""
    return InputError(f"{label}: expected an archive (.tar.gz, .tar, .zip) of one published model. Received: {found}.")


@contextlib.contextmanager
def opened_members(archive, label, max_bytes):
    """Yields the `Member`s of an archive; folders are left out, since those of files are made.

    Raises:
        InputError: If something in it is no plain file with a plain name.
    """
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(archive.open("rb"))
        head = file.read(len(_ZIP))
        file.seek(0)
        if head == _ZIP:
            yield _zip_members(stack.enter_context(zipfile.ZipFile(file)), label)
            return
        if head.startswith(_GZIP):
            file = stack.enter_context(_without_compression(file, label, max_bytes))
        yield _tar_members(stack.enter_context(tarfile.open(fileobj=file, mode="r:")), label)


@contextlib.contextmanager
def _without_compression(file, label, max_bytes):
    """A bounded copy. The head of a tar file may ask for as much memory as the whole is long."""
    limit = max_bytes + _MOST_MEMBERS * _HEAD_BYTES
    with tempfile.TemporaryFile() as plain, gzip.open(file) as packed:
        while block := packed.read(_BLOCK):
            if plain.tell() + len(block) > limit:
                raise refusal(label, f"one with more than {max_bytes} bytes")
            plain.write(block)
        plain.seek(0)
        yield plain


def _zip_members(file, label):
    found = []
    for info in file.infolist():
        # What is in the upper half is the mode of Unix, or zero.
        if stat.S_ISLNK(info.external_attr >> 16):
            raise refusal(label, f"one with a link, {info.filename[:80]!r}")
        if not info.is_dir():
            found.append(Member(_parts(info.filename, label), info.file_size, lambda info=info: file.open(info)))
    return found


def _tar_members(file, label):
    found = []
    for number, info in enumerate(file):
        if number > _MOST_MEMBERS:
            raise refusal(label, f"one with more than {_MOST_MEMBERS} files and folders")
        if info.isdir():
            continue
        if not info.isreg() or info.issparse():
            raise refusal(label, f"one with something else than plain files, {info.name[:80]!r}")
        found.append(Member(_parts(info.name, label), info.size, lambda info=info: file.extractfile(info)))
    return found


def _parts(name, label):
    parts = tuple(name.removeprefix("./").split("/"))
    if not 2 <= len(parts) <= _MOST_PARTS or not all(map(_PART.fullmatch, parts)):
        raise refusal(label, f"one with a file of the name {name[:80]!r}")
    return parts


def check_members(members, label, max_bytes):
    """Refuses members that are not the files of one model.

    Returns:
        The name of the one folder in which all of them lie.

    Raises:
        InputError: If there are none or too many, they are too large, two have one name, or they lie in several folders.
    """
    if not 1 <= len(members) <= _MOST_MEMBERS:
        raise refusal(label, f"one with {len(members)} files")
    if sum(member.size for member in members) > max_bytes:
        raise refusal(label, f"one with more than {max_bytes} bytes")
    # Names that differ in case alone are one file on some systems.
    if len({tuple(part.casefold() for part in member.parts) for member in members}) < len(members):
        raise refusal(label, "one with two files of one name")
    tops = sorted({member.parts[0] for member in members})
    if len(tops) > 1 or not is_model_name(tops[0]):
        raise refusal(label, f"one with the folders {', '.join(tops[:5])}")
    return tops[0]
