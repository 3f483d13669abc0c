"""Folders that higlow writes: what is somebody else's is never replaced or removed, and there is one writer at a time."""

import json
import os
import resource
import signal
import subprocess
import sys
import time

import pytest

from higlow_tf.errors import InputError
from higlow_tf.files import whole_path
from higlow_tf.folder_lock import MARKER_FOLDER
from higlow_tf.ownership import owned_folder


def write(path, text="ours"):
    with whole_path(path) as part:
        part.write_text(text)


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if MARKER_FOLDER not in path.parts)


@pytest.fixture
def made(tmp_path):
    """A folder that higlow wrote a file and a sub-folder into, with a thesis of somebody else beside and inside."""
    folder = tmp_path / "out"
    with owned_folder(folder, "evaluation", names=("metrics.json", "data")):
        write(folder / "metrics.json")
        with owned_folder(folder / "data", "data"):
            write(folder / "data" / "maps.npy")
    (folder / "thesis.txt").write_text("years")
    (folder / "data" / "notes.txt").write_text("months")
    return folder


def test_what_was_written_is_listed(made):
    listing = json.loads((made / MARKER_FOLDER / "folder.json").read_text())
    assert listing["kind"] == "evaluation"
    assert listing["files"] == ["data/maps.npy", "metrics.json"]
    assert not (made / MARKER_FOLDER / "owner.json").exists()


def test_own_files_are_replaced_with_overwrite_only(made):
    with (
        pytest.raises(InputError, match="without results, or --overwrite. Received: a folder with metrics.json"),
        owned_folder(made, "evaluation", names=("metrics.json",)),
    ):
        pass
    with owned_folder(made, "evaluation", names=("metrics.json",), overwrite=True):
        write(made / "metrics.json", "new")
    assert (made / "metrics.json").read_text() == "new"


def test_foreign_files_are_never_replaced(made):
    with (
        pytest.raises(InputError, match="thesis.txt: expected something that higlow wrote"),
        owned_folder(made, "evaluation", names=("thesis.txt",), overwrite=True),
    ):
        pass
    with (
        pytest.raises(InputError, match="thesis.txt: expected a file that higlow wrote"),
        owned_folder(made, "evaluation", overwrite=True),
    ):
        write(made / "thesis.txt")
    assert (made / "thesis.txt").read_text() == "years"


def test_only_own_files_are_removed(made):
    with owned_folder(made, "evaluation", overwrite=True) as folder:
        folder.remove_own()
    assert names(made) == ["data", "data/notes.txt", "thesis.txt"]


def test_an_empty_folder_is_nobodys_work(tmp_path):
    """A kill or a full disk comes between the folder and its first file."""
    (tmp_path / "checkpoints" / "inner").mkdir(parents=True)
    for overwrite in (False, True):
        with owned_folder(tmp_path, "run", names=("checkpoints",), overwrite=overwrite):
            pass
    (tmp_path / "checkpoints" / "inner" / "thesis.txt").write_text("years")
    for overwrite in (False, True):
        with (
            pytest.raises(InputError, match="Received: "),
            owned_folder(tmp_path, "run", names=("checkpoints",), overwrite=overwrite),
        ):
            pass


def test_a_refused_call_leaves_no_folder(tmp_path):
    with pytest.raises(InputError, match="batch"), owned_folder(tmp_path / "a" / "b", "run"):
        raise InputError("batch")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="expected a folder"), owned_folder(tmp_path / "file", "run"):
        pass


def test_symbolic_links_are_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with owned_folder(tmp_path / "link", "run"):
        write(tmp_path / "link" / "a")
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path / "real") == ["a"]


@pytest.mark.parametrize("files", [["../thesis"], ["/etc/passwd"], "abc", [3]])
def test_a_list_that_leads_outside_is_refused(made, files):
    listing = made / MARKER_FOLDER / "folder.json"
    listing.write_text(json.dumps({"format_version": 1, "files": files}))
    with pytest.raises(InputError, match="folder.json: expected names of files inside"), owned_folder(made, "run"):
        pass


CHILD = """
import sys, time
from higlow_tf.ownership import owned_folder
with owned_folder(sys.argv[1], "run"):
    print("locked", flush=True)
    time.sleep(60)
"""


def test_one_writer_at_a_time_and_a_killed_one_leaves_no_lock(tmp_path):
    folder = tmp_path / "run"
    process = subprocess.Popen([sys.executable, "-c", CHILD, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "locked\n"
        start = time.monotonic()
        with (
            pytest.raises(InputError, match=f"Received: process {process.pid} on .*, since "),
            owned_folder(folder, "run"),
        ):
            pass
        assert time.monotonic() - start < 1.0
        process.send_signal(signal.SIGKILL)
        process.wait()
        with owned_folder(folder, "run"):
            pass
    finally:
        process.kill()
        process.stdout.close()


def test_a_disk_that_is_full_already_is_a_sentence_and_leaves_nothing(tmp_path):
    """A limit on file sizes stands in for a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        with (
            pytest.raises(InputError, match=r"owner.json: expected to be able to write it. Received: File too large"),
            owned_folder(tmp_path / "out", "suite"),
        ):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_held_is_shared_by_the_functions_of_its_process(tmp_path):
    with owned_folder(tmp_path, "evaluation") as outer:
        write(tmp_path / "a")
        with owned_folder(tmp_path, "evaluation") as inner:
            write(tmp_path / "b")
            assert inner is outer
        with pytest.raises(InputError, match="a folder with a"), owned_folder(tmp_path, "evaluation", names=("a",)):
            pass
    assert outer.files == {"a", "b"}


def test_what_was_set_aside_is_put_back_unless_it_is_discarded(made):
    (made / "data" / "notes.txt").unlink()
    before = names(made)

    def fail():
        with owned_folder(made, "run", overwrite=True) as folder, folder.set_aside():
            assert names(made) == ["thesis.txt"]
            write(made / "metrics.json", "half")
            raise InputError("no data")

    with pytest.raises(InputError, match="no data"):
        fail()
    assert names(made) == before
    assert (made / "metrics.json").read_text() == "ours"
    with owned_folder(made, "run", overwrite=True) as folder, folder.set_aside() as discard:
        write(made / "metrics.json", "new")
        discard()
    assert names(made) == ["metrics.json", "thesis.txt"]


def test_what_a_killed_process_left_aside_is_put_back(made):
    old = made / MARKER_FOLDER / "old"
    old.mkdir()
    (made / "metrics.json").rename(old / "metrics.json")
    with owned_folder(made, "run", overwrite=True):
        assert (made / "metrics.json").read_text() == "ours"
    assert not old.exists()


@pytest.fixture
def killed(tmp_path):
    """A folder whose owner was killed while it wrote; the paths that it left, and its process number."""
    process = subprocess.Popen([sys.executable, "-c", WRITING_CHILD, str(tmp_path / "run")], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"writing\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    folder = tmp_path / "run"
    left = [path for path in folder.rglob("*.part*") if MARKER_FOLDER not in path.parts]
    assert {path.parent for path in left} == {folder, folder / "checkpoints"}
    return folder, process.pid


WRITING_CHILD = """
import sys, time
from pathlib import Path
from higlow_tf.files import whole_path
from higlow_tf.ownership import owned_folder
folder = Path(sys.argv[1])
with owned_folder(folder, "run"), whole_path(folder / "1", is_folder=True) as part:
    part.mkdir()
    (part / "inside").write_text("half")
    with whole_path(folder / "checkpoints" / "last.npz") as file:
        file.write_text("half")
        print("writing", flush=True)
        time.sleep(60)
"""


def test_what_a_killed_process_had_not_finished_is_removed(killed):
    folder, pid = killed
    kept = {".last.123456.part.npz", f"last.{pid}.part.npz", f".last.{pid}.parts", "thesis.part"}
    for name in kept:
        (folder / name).write_text("somebody's")
    with owned_folder(folder, "run"):
        assert set(names(folder)) == kept | {"checkpoints"}
    for name in kept:
        (folder / name).unlink()
    # An owner that ended well has left nothing: another process may be writing with its number.
    (folder / f".last.{pid}.part.npz").write_text("somebody's")
    with owned_folder(folder, "run"):
        assert names(folder) == [f".last.{pid}.part.npz", "checkpoints"]


def test_what_was_left_in_the_marker_is_removed_whoever_left_it(made):
    """A process that was killed while it wrote down that it is the owner."""
    (made / MARKER_FOLDER / ".owner.123456.part.json").write_text("half")
    with owned_folder(made, "run"):
        assert not list((made / MARKER_FOLDER).glob(".*.part*"))


def test_what_a_living_process_writes_is_left(killed):
    folder, pid = killed
    owner = folder / MARKER_FOLDER / "owner.json"
    living = os.getppid()
    owner.write_text(owner.read_text().replace(f'"pid": {pid}', f'"pid": {living}'))
    (folder / f".last.{living}.part.npz").write_text("half")
    before = names(folder)
    with owned_folder(folder, "run"):
        assert names(folder) == before


@pytest.mark.parametrize("content", ["", "[]", '{"pid": "x"}', '{"host": "h", "pid": -1}'])
def test_an_owner_that_cannot_be_read_is_nobody(tmp_path, content):
    (tmp_path / MARKER_FOLDER).mkdir()
    (tmp_path / MARKER_FOLDER / "owner.json").write_text(content)
    (tmp_path / ".last.1.part.npz").write_text("half")
    with owned_folder(tmp_path, "run"):
        assert names(tmp_path) == [".last.1.part.npz"]


def test_a_kill_while_the_old_run_is_removed_leaves_the_new_one(made, monkeypatch):
    (made / "data" / "notes.txt").unlink()

    def killed(path):
        raise KeyboardInterrupt

    def replace():
        with owned_folder(made, "run", overwrite=True) as folder, folder.set_aside() as discard:
            write(made / "metrics.json", "new")
            monkeypatch.setattr("higlow_tf.ownership.shutil.rmtree", killed)
            discard()

    with pytest.raises(KeyboardInterrupt):
        replace()
    monkeypatch.undo()
    with owned_folder(made, "run", overwrite=True):
        assert (made / "metrics.json").read_text() == "new"
