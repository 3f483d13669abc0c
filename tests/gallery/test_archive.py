"""A model as one file: the same bytes each time, and unpacked only if nothing in it could do harm."""

import gzip
import io
import stat
import tarfile
import zipfile

import pytest
from gallery_models import make_model

from higlow_tf.errors import InputError
from higlow_tf.gallery import pack_model, unpack_model
from higlow_tf.gallery.archive import sha256_of

GOOD = {"m/run/model.keras": b"weights", "m/README.md": b"card"}


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write_tar(path, files, special=(), mode="w:gz"):
    """A tar file of plain files, and of `special` members."""
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for info in special:
            archive.addfile(info)
    return path


def write_zip(path, files, modes=()):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = dict(modes).get(name, 0) << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return path


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def assert_refused(archive, out, sentence, **options):
    with pytest.raises(InputError, match=sentence):
        unpack_model(archive, out, **options)
    assert not out.exists() or not list(out.iterdir())


def test_there_and_back(tmp_path):
    folder = make_model(tmp_path / "one", versions=(1,))
    (folder / ".higlow").mkdir()
    (folder / ".higlow" / "lock").touch()
    archive, digest = pack_model(folder, tmp_path / "archives")
    assert archive == tmp_path / "archives" / "one.tar.gz"
    assert digest == sha256_of(archive)
    found = unpack_model(archive, tmp_path / "new" / "models")
    assert found == tmp_path / "new" / "models" / "one"
    expected = contents(folder)
    assert expected.pop(".higlow/lock") == b""
    assert contents(found) == expected


def test_the_same_files_are_the_same_bytes(tmp_path):
    first = pack_model(make_model(tmp_path / "a" / "one"), tmp_path / "first")
    second = pack_model(make_model(tmp_path / "b" / "one"), tmp_path / "second")
    assert first[1] == second[1]
    with pytest.raises(InputError, match="or --overwrite"):
        pack_model(tmp_path / "a" / "one", tmp_path / "first")
    (tmp_path / "b" / "one" / "README.md").write_text("another")
    assert pack_model(tmp_path / "b" / "one", tmp_path / "second", overwrite=True)[1] != first[1]


def test_only_a_model_is_packed(tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="expected a folder with a run or a SavedModel"):
        pack_model(tmp_path / "none", tmp_path / "out")


@pytest.mark.parametrize(("suffix", "mode"), [("tar.gz", "w:gz"), ("tar", "w")])
def test_tar_files_with_folders_in_them(tmp_path, suffix, mode):
    folders = [special("./m/", tarfile.DIRTYPE), special("m/empty", tarfile.DIRTYPE)]
    files = {f"./{name}": content for name, content in GOOD.items()}
    archive = write_tar(tmp_path / f"x.{suffix}", files, folders, mode)
    assert contents(unpack_model(archive, tmp_path / "out")) == {"run/model.keras": b"weights", "README.md": b"card"}


def test_zip_files_and_another_name(tmp_path):
    archive = write_zip(tmp_path / "x.zip", {"m/": b"", **GOOD})
    found = unpack_model(archive, tmp_path / "out", name="mine")
    assert found.name == "mine"
    assert contents(found) == {"run/model.keras": b"weights", "README.md": b"card"}
    with pytest.raises(InputError, match=r"name: expected letters.*Received: '\.\./x'"):
        unpack_model(archive, tmp_path / "out", name="../x")


@pytest.mark.parametrize(
    "name",
    ["/etc/x", "m/../../x", "../m/x", "m/..", "m\\x/y", "C:/m/x", "m/.bashrc", "m", "m//x", "m/a b", "m/x\n", "~/m/x"],
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    for archive in (
        write_tar(tmp_path / "x.tgz", {**GOOD, name: b"x"}),
        write_zip(tmp_path / "x.zip", {**GOOD, name: b"x"}),
    ):
        assert_refused(archive, tmp_path / "out", "one with a file of the name")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE])
def test_what_is_no_plain_file_is_refused(tmp_path, kind):
    archive = write_tar(tmp_path / "x.tgz", GOOD, [special("m/x", kind, "README.md")])
    assert_refused(archive, tmp_path / "out", "something else than plain files, 'm/x'")


def test_a_link_in_a_zip_file_is_refused(tmp_path):
    archive = write_zip(tmp_path / "x.zip", {**GOOD, "m/x": b"/etc/passwd"}, {"m/x": stat.S_IFLNK | 0o777})
    assert_refused(archive, tmp_path / "out", "one with a link, 'm/x'")


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "one with 0 files"),
        ({"m/README.md": b""}, "neither run/model.keras nor 1/saved_model.pb"),
        ({**GOOD, "other/README.md": b""}, "the folders m, other"),
        ({**GOOD, "m/readme.MD": b""}, "two files of one name"),
        ({**GOOD, "m/README.md/x": b""}, "expected to be able to write it"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path, files, sentence):
    assert_refused(write_tar(tmp_path / "x.tgz", files), tmp_path / "out", sentence)


def test_what_is_too_large_is_refused_before_it_is_written(tmp_path):
    files = {**GOOD, "m/1/zeros": bytes(2**20)}
    for archive in (write_tar(tmp_path / "x.tgz", files), write_zip(tmp_path / "x.zip", files)):
        assert archive.stat().st_size < 10_000
        assert_refused(archive, tmp_path / "out", "more than 1000000 bytes", max_bytes=1_000_000)
        assert unpack_model(archive, tmp_path / archive.suffix, max_bytes=2**21).is_dir()


def test_zeros_without_end_are_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("higlow_tf.gallery.archive_members._MOST_MEMBERS", 10)
    (tmp_path / "x.tgz").write_bytes(gzip.compress(bytes(2**20)))
    assert_refused(tmp_path / "x.tgz", tmp_path / "out", "more than 1000 bytes", max_bytes=1000)
    archive = write_tar(tmp_path / "many.tgz", {f"m/{i}": b"" for i in range(20)})
    assert_refused(archive, tmp_path / "out", "more than 10 files and folders")


def test_a_size_that_is_not_true_is_noticed(tmp_path):
    plain = write_tar(tmp_path / "x.tar", {"m/run/model.keras": bytes(5000)}, mode="w").read_bytes()
    (tmp_path / "x.tar").write_bytes(plain[:2048])
    assert_refused(tmp_path / "x.tar", tmp_path / "out", "a damaged one")


@pytest.mark.parametrize("write", [write_tar, write_zip])
def test_a_damaged_archive_is_one_sentence(tmp_path, write):
    content = write(tmp_path / "x", {**GOOD, "m/1/x": bytes(range(256)) * 20}).read_bytes()
    for length in (0, 1, 3, 30, len(content) // 2, len(content) - 1):
        (tmp_path / "x").write_bytes(content[:length])
        assert_refused(tmp_path / "x", tmp_path / "out", r"expected an archive .*Received: a damaged one")
    assert_refused(tmp_path / "none", tmp_path / "out", "no such file")


def test_a_changed_byte_is_noticed(tmp_path):
    content = bytearray(write_zip(tmp_path / "x", GOOD).read_bytes())
    content[content.index(b"m/run/model.keras") + 20] ^= 1  # in the compressed bytes of this file
    (tmp_path / "x").write_bytes(content)
    assert_refused(tmp_path / "x", tmp_path / "out", "a damaged one")


def test_only_a_model_is_replaced_and_only_on_request(tmp_path):
    archive = write_tar(tmp_path / "x.tgz", GOOD)
    folder = make_model(tmp_path / "out" / "m", versions=(1, 2))
    with pytest.raises(InputError, match="or --overwrite"):
        unpack_model(archive, tmp_path / "out")
    assert contents(unpack_model(archive, tmp_path / "out", overwrite=True)) == {
        "run/model.keras": b"weights",
        "README.md": b"card",
    }
    (folder / "diary.txt").touch()
    with pytest.raises(InputError, match=r"nothing but what higlow wrote.*diary\.txt"):
        unpack_model(archive, tmp_path / "out", overwrite=True)
    assert (folder / "diary.txt").exists()
