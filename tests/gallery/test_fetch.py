"""A model from an address of this machine: the file of the checksum, or nothing."""

import functools
import http.server
import threading

import pytest
from gallery_models import gallery, make_model

from higlow_tf.errors import InputError
from higlow_tf.gallery import fetch_model, find_run, pack_model
from higlow_tf.models import fetch_model as fetch_model_of_models

__all__ = ["gallery"]


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files of a folder; /short/ promises more than it sends, and /long/ does not say how much comes."""

    def do_GET(self):
        if self.path == "/short/x":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"too little")
        elif self.path == "/long/x":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(bytes(200_000))
        else:
            super().do_GET()

    def log_message(self, *_):
        """Nothing is said on stderr."""


@pytest.fixture
def archive(tmp_path):
    """Path and SHA-256."""
    return pack_model(make_model(tmp_path / "sources" / "one", versions=(1,)), tmp_path / "published")


@pytest.fixture
def address(archive):
    handler = functools.partial(Handler, directory=archive[0].parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_it_is_found_by_its_name_after(gallery, archive, address):
    told = []
    folder = fetch_model(f"{address}/one.tar.gz", sha256=archive[1].upper(), progress=lambda *words: told.append(words))
    assert folder == gallery / "one"
    assert find_run("one") == folder / "run"
    assert told[-1] == ("fetch", archive[0].stat().st_size, archive[0].stat().st_size)
    assert fetch_model_of_models is fetch_model


def test_a_file_of_this_machine_another_name_another_folder(gallery, archive, tmp_path):
    url = archive[0].as_uri()
    assert fetch_model(url, sha256=archive[1], name="mine", folder=tmp_path / "there") == tmp_path / "there" / "mine"
    assert list(gallery.iterdir()) == []


def test_without_a_folder_it_is_one_of_the_user(gallery, archive, monkeypatch, tmp_path):
    monkeypatch.delenv("HIGLOW_MODELS")
    folder = fetch_model(archive[0].as_uri(), sha256=archive[1])
    assert folder == tmp_path / "home" / "higlow_tf" / "models" / "one"
    assert find_run("one") == folder / "run"
    with pytest.raises(InputError, match="or --overwrite"):
        fetch_model(archive[0].as_uri(), sha256=archive[1])
    assert fetch_model(archive[0].as_uri(), sha256=archive[1], overwrite=True) == folder


@pytest.mark.parametrize(
    ("path", "options", "sentence"),
    [
        (
            "one.tar.gz",
            {"sha256": "0" * 64},
            r"one\.tar\.gz: expected a file with the SHA-256 0{64}\. Received: one with",
        ),
        ("none.tar.gz", {}, r"none\.tar\.gz: expected a file\. Received: 404 File not found"),
        ("one.tar.gz", {"max_bytes": 100}, "expected at most 100 bytes. Received: more"),
        ("long/x", {"max_bytes": 100_000}, "expected at most 100000 bytes. Received: more"),
        ("short/x", {}, r"short/x: expected (a file|1000 bytes)\. Received: (IncompleteRead|10\b)"),
    ],
)
def test_the_wrong_file_leaves_nothing(gallery, archive, address, path, options, sentence):
    with pytest.raises(InputError, match=sentence):
        fetch_model(f"{address}/{path}", **{"sha256": archive[1], **options})
    assert list(gallery.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "sha256", "sentence"),
    [
        ("ftp://localhost/x", "0" * 64, "url: expected an address of https, http, file. Received: 'ftp://localhost/x'"),
        ("compact_mock", "0" * 64, "url: expected an address"),
        ("http://127.0.0.1:9/x", "0" * 64, "http://127.0.0.1:9/x: expected a file. Received: .*refused"),
        ("http://127.0.0.1:x/y", "0" * 64, "http://127.0.0.1:x/y: expected a file. Received: "),
        ("file:///no/such/file", "0" * 64, "file:///no/such/file: expected a file. Received: .*No such file"),
        ("http://127.0.0.1/x", "0" * 63, "sha256: expected 64 hexadecimal digits. Received: '0{63}'"),
        ("http://127.0.0.1/x", "g" * 64, "sha256: expected 64 hexadecimal digits"),
    ],
)
def test_an_address_or_checksum_that_is_none(gallery, url, sha256, sentence):
    with pytest.raises(InputError, match=sentence):
        fetch_model(url, sha256=sha256)
