"""Programs that XLA has compiled, kept on disk, so that the next process need not compile them again."""

import atexit
import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import platformdirs

from higlow_tf.cores import num_cores
from higlow_tf.errors import InputError
from higlow_tf.versions import versions

__all__ = ["ENVIRONMENT_VARIABLE", "compiled_folder", "keep_compiled_programs", "keeps_programs"]

ENVIRONMENT_VARIABLE = "HIGLOW_COMPILED"
"""The folder of the programs in the place of the user's own, or "off"."""

_OFF = "off"
_FLAGS = "TF_XLA_FLAGS"
_DIRECTORY_FLAG = "--tf_xla_persistent_cache_directory"
# Older releases were not tried.
_OLDEST_TENSORFLOW = (2, 21)
_PROGRAM = "xla_compile_cache__*.pb"
# Of a file: key, what was compiled, and the program, each a number of bytes.
_FIELDS, _BYTES_FOLLOW = {1, 2, 3}, 2
_WORK = "in_use_"
_MOST_BYTES = 500 * 2**20
# TensorFlow refuses to run a program that it has compiled and cannot write. A quota is only seen by writing.
_LEAST_FREE_BYTES = 2 * 2**30
_PROBE_BYTES = 32 * 2**20
# After this the process that a folder of work belonged to is gone, or has compiled what it needs.
_STALE_SECONDS = 7 * 24 * 3600
_CPU_LINES = ("model name", "flags", "CPU implementer", "CPU part", "Features")

_state = {"keeps": False}


def keep_compiled_programs(folder=None):
    """Lets TensorFlow keep what XLA compiles for the CPU, and take it from there in the next process that needs the same.

    Call it before TensorFlow is used for anything. All commands of `higlow` do. A training step of `paper` is then there in a
    third of the time, and takes less memory: most of that of a compilation is not given back. Programs for GPUs are not kept.

    TensorFlow takes a file for whole that another process is still writing, or has not finished, and fails. So each process
    works in a folder of its own, with links to what is kept, and what it has compiled joins the others when it ends. Programs are
    told apart by release of TensorFlow, processor, number of cores and `XLA_FLAGS`. The oldest go where all take more than
    500 MiB.

    Args:
        folder: Folder of the programs, which holds machine code: keep it your own. None for that of the environment variable
            HIGLOW_COMPILED, or one among the user's caches. A variable with the value "off" turns it off for all callers.

    Returns:
        Whether programs are kept. They are not without a release of TensorFlow from 2.21 on, Linux, 2 GiB of room and a folder of
        one's own to write to, or where TF_XLA_FLAGS names another folder.

    Raises:
        InputError: If TensorFlow has been used in this process: it reads once where programs are.
    """
    if _state["keeps"]:
        return True
    if not _can_keep():
        return False
    if _knows_devices():
        raise InputError(
            "Compiled programs: expected a process in which TensorFlow has done nothing yet. Received: another."
        )
    work = _make_work_folder(compiled_folder() if folder is None else Path(folder).expanduser().absolute())
    if work is None:
        return False
    _tell_tensorflow(work)
    _state["keeps"] = True
    return True


def keeps_programs():
    """Whether this process keeps what it compiles."""
    return _state["keeps"]


def compiled_folder():
    """Where programs are kept if nothing else is said; None if the environment variable is "off"."""
    named = os.environ.get(ENVIRONMENT_VARIABLE, "")
    if named.lower() == _OFF:
        return None
    if named:
        return Path(named).expanduser().absolute()
    return platformdirs.user_cache_path("higlow_tf", appauthor=False) / "xla"


def _can_keep():
    is_asked_for = compiled_folder() is not None and _DIRECTORY_FLAG not in os.environ.get(_FLAGS, "")
    return is_asked_for and _tensorflow_release() >= _OLDEST_TENSORFLOW and bool(_processor())


def _tensorflow_release():
    found = versions()
    text = found.get("tensorflow") or found.get("tensorflow-cpu") or "0.0"
    return tuple(int(part) for part in text.split(".")[:2])


def _processor():
    """What the compiler looks at; "" where that is not known."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return "\n".join(sorted({line for line in lines if line.startswith(_CPU_LINES)}))


def _kind():
    """A name for programs that may take each other's place: 16 hexadecimal digits."""
    flags = [os.environ.get(name, "") for name in ("XLA_FLAGS", _FLAGS)]
    parts = [str(_tensorflow_release()), *sorted(versions().items()), _processor(), str(num_cores()), *flags]
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]


def _make_work_folder(root):
    """The folder in which this process works, with a link to each program that is kept; None if there can be none."""
    kept = root / _kind()
    work = None
    try:
        if not root.is_absolute():  # nobody knows where home is
            return None
        kept.mkdir(mode=0o700, parents=True, exist_ok=True)
        if kept.stat().st_uid != os.geteuid() or shutil.disk_usage(kept).free < _LEAST_FREE_BYTES:
            return None
        _remove_stale(kept)
        work = Path(tempfile.mkdtemp(prefix=_WORK, dir=kept))
        _probe(work / "probe")
        for program in kept.glob(_PROGRAM):
            with contextlib.suppress(FileNotFoundError):  # another process has just removed it
                os.link(program, work / program.name)
    except OSError:  # a folder that is not ours to write, a file system without links, a full disk
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)
        return None
    atexit.register(_publish, work, kept, os.getpid())
    return work


def _probe(path):
    """Raises OSError where there is less room than programs may need."""
    with path.open("wb") as file:
        file.write(bytes(_PROBE_BYTES))
    path.unlink()


def _remove_stale(kept):
    """Removes what killed processes left."""
    for folder in kept.glob(f"{_WORK}*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def _publish(work, kept, process):
    """Moves what this process has compiled to the others, each file at once, and removes the oldest if they are too many."""
    if os.getpid() != process:  # a fork
        return
    with contextlib.suppress(OSError):
        for program in work.glob(_PROGRAM):
            if not (kept / program.name).exists() and _is_whole(program):
                os.replace(program, kept / program.name)
        _remove_oldest(kept.parent)
    shutil.rmtree(work, ignore_errors=True)


def _is_whole(program):
    """Whether a file, a Protocol Buffers message, has its parts to the last byte; on a full disk TensorFlow leaves less."""
    content, place, fields = program.read_bytes(), 0, set()
    try:
        while place < len(content):
            key, place = _varint(content, place)
            size, place = _varint(content, place)
            if key & 7 != _BYTES_FOLLOW:
                return False
            fields.add(key >> 3)
            place += size
    except IndexError:
        return False
    return place == len(content) and fields == _FIELDS


def _varint(content, place):
    number, shift = 0, 0
    while True:
        number |= (content[place] & 127) << shift
        place, shift = place + 1, shift + 7
        if content[place - 1] < 128:
            return number, place


def _remove_oldest(root):
    programs = sorted((path.stat().st_mtime, path.stat().st_size, path) for path in root.glob(f"*/{_PROGRAM}"))
    size = sum(program[1] for program in programs)
    for _, bytes_of_file, path in programs:
        if size <= _MOST_BYTES:
            break
        path.unlink(missing_ok=True)
        size -= bytes_of_file


def _tell_tensorflow(work):
    """Sets the flags for this process alone: TensorFlow reads them with its devices, and children shall not inherit them."""
    import tensorflow as tf

    before = os.environ.get(_FLAGS)
    os.environ[_FLAGS] = f"{before or ''} {_DIRECTORY_FLAG}={work} --tf_xla_persistent_cache_device_types=CPU".strip()
    try:
        tf.config.list_physical_devices()
    finally:
        del os.environ[_FLAGS]
        if before is not None:
            os.environ[_FLAGS] = before


def _knows_devices():
    """Whether TensorFlow has looked for devices, and has read its flags."""
    if "tensorflow" not in sys.modules:
        return False
    from tensorflow.python.eager import context

    return getattr(context.context(), "_physical_devices", None) is not None
