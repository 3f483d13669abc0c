"""What XLA compiled is on disk for the next process; nothing that happens to it there makes a process fail."""

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import higlow_tf.compiled_programs as compiled_programs
from higlow_tf.errors import InputError

PROGRAM = "xla_compile_cache__*.pb"
# Values and gradients of a loop. What is traced before it changes the numbers that TensorFlow gives.
SCRIPT = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf
from higlow_tf.models import keep_compiled_programs
from higlow_tf.models.compilation import compiled

print(keep_compiled_programs(), os.environ.get("TF_XLA_FLAGS"))
for _ in range(int(sys.argv[1])):
    tf.function(lambda: tf.constant(1.0))()

def function(x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, tf.sin(y) * x), (0, x), maximum_iterations=3)[1]
    return y, tape.gradient(y, x)

values = compiled(function, True)(tf.linspace(0.1, 1.0, int(sys.argv[2])))
print([value.numpy().tobytes().hex() for value in values])
"""
KILLED = SCRIPT + "sys.stdout.flush(); os.kill(os.getpid(), 9)"


def start(folder, *, script=SCRIPT, before=0, rows=3, **environment):
    environment = os.environ | {"HIGLOW_COMPILED": str(folder)} | environment
    command = [sys.executable, "-c", script, str(before), str(rows)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process):
    """What a process printed: whether it keeps programs and its flags, and its numbers."""
    out, err = process.communicate()
    assert process.returncode in (0, -9), err
    keeps, numbers = out.splitlines()
    return keeps, numbers


def call(folder, **options):
    return finish(start(folder, **options))


def programs(folder):
    return {path: path.stat().st_mtime_ns for path in Path(folder).glob(f"*/{PROGRAM}")}


def other_files(folder):
    return [path for path in Path(folder).glob("*/*") if not path.match(PROGRAM)]


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder with the program of one call, and the numbers of this call."""
    folder = tmp_path_factory.mktemp("kept")
    keeps, numbers = call(folder)
    assert keeps == "True None", "children inherit no flags"
    return folder, numbers


def test_the_next_process_finds_the_program_whatever_it_did_before(kept):
    folder, numbers = kept
    found = programs(folder)
    assert len(found) == 1
    assert call(folder, before=3) == ("True None", numbers)
    assert programs(folder) == found, "a program that is found is not compiled and kept again"
    assert not other_files(folder)


@pytest.mark.slow
def test_other_shapes_and_other_flags_are_other_programs(kept, tmp_path):
    folder, numbers = kept
    call(tmp_path)
    assert call(tmp_path, rows=5)[1] != numbers
    assert len(programs(tmp_path)) == 2
    assert call(tmp_path, XLA_FLAGS="--xla_cpu_multi_thread_eigen=false")[0] == "True None"
    assert len(programs(tmp_path)) == 3
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.slow
def test_several_at_once_and_a_killed_one_leave_whole_programs(kept, tmp_path):
    _, numbers = kept
    assert call(tmp_path, script=KILLED) == ("True None", numbers)
    assert not programs(tmp_path)
    assert len(other_files(tmp_path)) == 1, "the folder of the process that was killed"
    for process in [start(tmp_path, before=number) for number in range(2)]:
        assert finish(process) == ("True None", numbers)
    assert len(programs(tmp_path)) == 1
    assert call(tmp_path) == ("True None", numbers)


def test_off_and_flags_of_somebody_else_are_respected(tmp_path, monkeypatch):
    monkeypatch.setenv("HIGLOW_COMPILED", "off")
    assert compiled_programs.compiled_folder() is None
    assert not compiled_programs.keep_compiled_programs()
    monkeypatch.setenv("HIGLOW_COMPILED", str(tmp_path))
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_persistent_cache_directory=/elsewhere")
    assert not compiled_programs.keep_compiled_programs()
    assert not list(tmp_path.iterdir())


def test_older_releases_other_systems_and_no_folder_keep_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("HIGLOW_COMPILED", str(tmp_path / "file"))
    (tmp_path / "file").touch()
    monkeypatch.setattr(compiled_programs, "_knows_devices", lambda: False)
    assert not compiled_programs.keep_compiled_programs()
    monkeypatch.setenv("HIGLOW_COMPILED", str(tmp_path / "folder"))
    monkeypatch.setattr(compiled_programs, "_processor", lambda: "")
    assert not compiled_programs.keep_compiled_programs()
    monkeypatch.undo()
    monkeypatch.setenv("HIGLOW_COMPILED", str(tmp_path / "folder"))
    monkeypatch.setattr(compiled_programs, "versions", lambda: {"tensorflow": "2.20.1"})
    assert not compiled_programs.keep_compiled_programs()
    assert not (tmp_path / "folder").exists()


def test_a_process_that_has_used_tensorflow_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("HIGLOW_COMPILED", str(tmp_path))
    with pytest.raises(InputError, match=r"^Compiled programs: expected .* nothing yet\. Received: another\.$"):
        compiled_programs.keep_compiled_programs()
    assert not compiled_programs.keeps_programs()


# A message with the fields 1, 2 and 3, of 20 bytes.
WHOLE = b"\x0a\x01k\x12\x01h\x1a\x0c" + bytes(12)


def test_room_and_age(tmp_path, monkeypatch):
    monkeypatch.setattr(compiled_programs, "_MOST_BYTES", 50)
    monkeypatch.setattr(compiled_programs.atexit, "register", lambda *arguments: None)
    kept = tmp_path / compiled_programs._kind()
    other = tmp_path / "another_kind"
    for age, (folder, name) in enumerate([(kept, "new"), (kept, "middle"), (other, "old")]):
        folder.mkdir(exist_ok=True)
        path = folder / f"xla_compile_cache__{name}.pb"
        path.write_bytes(WHOLE)
        os.utime(path, (time.time() - 100 * age,) * 2)
    stale = kept / "in_use_stale"
    stale.mkdir()
    os.utime(stale, (0, 0))
    work = compiled_programs._make_work_folder(tmp_path)
    assert not stale.exists()
    assert sorted(path.name for path in work.iterdir()) == sorted(path.name for path in kept.glob(PROGRAM))
    (work / "xla_compile_cache__newest.pb").write_bytes(WHOLE)
    compiled_programs._publish(work, kept, os.getpid())
    assert sorted(path.stem.split("__")[1] for path in tmp_path.glob("*/*")) == ["new", "newest"]


@pytest.mark.parametrize("length", range(len(WHOLE)))
def test_what_a_full_disk_cuts_short_is_kept_for_nobody(length, tmp_path):
    kept, work = tmp_path / "kept", tmp_path / "kept" / "work"
    work.mkdir(parents=True)
    (work / "xla_compile_cache__1.pb").write_bytes(WHOLE[:length])
    (work / "xla_compile_cache__2.pb").write_bytes(WHOLE)
    compiled_programs._publish(work, kept, os.getpid())
    assert [path.name for path in kept.iterdir()] == ["xla_compile_cache__2.pb"]


def fail_to_write(path):
    path.write_bytes(b"1")
    raise OSError("Disk quota exceeded")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("_LEAST_FREE_BYTES", 2**62),
        ("_probe", fail_to_write),
        ("os", SimpleNamespace(**{**vars(os), "geteuid": lambda: os.geteuid() + 1})),
    ],
    ids=["a full disk", "a quota", "a folder of somebody else"],
)
def test_nothing_is_kept_where_it_could_fail(name, value, tmp_path, monkeypatch):
    monkeypatch.setattr(compiled_programs, name, value)
    assert compiled_programs._make_work_folder(tmp_path) is None
    assert not [path for path in tmp_path.rglob("*") if path.name != compiled_programs._kind()]


def test_nothing_is_kept_where_there_is_no_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert compiled_programs._make_work_folder(Path("~/.cache/higlow_tf/xla")) is None
    assert not list(tmp_path.iterdir())


def test_a_fork_publishes_nothing(tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    (work / "xla_compile_cache__1.pb").write_bytes(WHOLE)
    compiled_programs._publish(work, tmp_path, os.getpid() + 1)
    assert work.exists()
    assert not list(tmp_path.glob(PROGRAM))
