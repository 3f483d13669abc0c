"""higlow serve, client and export --compose: wrong input is one sentence and exit code 2, before anything is started."""

import importlib.util
import socket
import subprocess
import sys

import numpy as np
import pytest

MODEL = ("--model", "any")


@pytest.fixture
def model_folder(tmp_path):
    (tmp_path / "mine" / "1").mkdir(parents=True)
    (tmp_path / "mine" / "1" / "saved_model.pb").touch()
    return tmp_path / "mine"


@pytest.fixture
def with_extra(monkeypatch):
    """As if the extra were installed: what is tested is refused before it is imported."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())


def assert_refused(result, sentence):
    assert result.exit_code == 2, result.stderr
    assert sentence in result.stderr
    assert "Starting" not in result.stdout


def test_serve_says_how_to_install_what_is_missing(higlow, model_folder, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert_refused(higlow("serve", model_folder), 'pip install "higlow_tf[serve]"')


@pytest.mark.parametrize(
    ("folder", "options", "sentence"),
    [
        ("mine/1", (), "Received: a version itself; give the folder above it"),
        ("mine/2", (), "Received: no folder."),
        ("mine", ("--replicas", "many"), "--replicas: expected N or MIN:MAX. Received: 'many'."),
        ("mine", ("--replicas", "3:2"), "replicas: expected one or more, the least first. Received: 3:2."),
        ("mine", ("--replicas", "0"), "Received: 0:0."),
        ("mine", ("--port", "9876", "--grpc-port", "9876"), "Expected different ports."),
    ],
)
def test_serve_refuses_before_it_starts(higlow, model_folder, with_extra, folder, options, sentence):
    assert_refused(higlow("serve", model_folder.parent / folder, *options), sentence)


def test_serve_refuses_a_port_that_is_taken(higlow, model_folder, with_extra):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert_refused(higlow("serve", model_folder, "--port", port), f"port: expected a free port. Received: {port}")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("http://localhost:1", "sample", "--out", "maps.txt"), "ends in .npy or .h5. Received: maps.txt."),
        (("http://localhost:1", "posterior", "--out", "p.npy", "--maps", "m.npy"), "ends in .h5. Received: p.npy."),
        (
            ("http://localhost:1", "log_prob", "--out", "l.npy"),
            "log_prob: expected --maps, --params. Received: no --maps",
        ),
        (("http://localhost:1", "posterior", "--out", "p.h5", "--maps", "m.npy", "--theta", "1"), "Received: --theta."),
        (("http://localhost:1", "posterior", "--out", "p.h5", "--maps", "m.npy"), "expected --card model_card.json"),
        (("http://localhost:1", "sample", "--out", "m.npy", "--maps", "m.npy"), "Received: --maps."),
        (("localhost", "sample", "--out", "m.npy", "--theta", "0.3,0.8"), "expected HOST:PORT (gRPC), such as"),
        (
            ("http://localhost:1", "sample", "--out", "m.npy", "--theta", "0.3,0.8", "--retries", "0"),
            "http://localhost:1: expected a server. Received: Connection refused.",
        ),
    ],
)
def test_client_refuses_with_a_sentence_and_writes_nothing(higlow, tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    assert_refused(higlow("client", *arguments, *MODEL), sentence)
    assert list(tmp_path.iterdir()) == []


def test_client_replaces_nothing_unless_told_to(higlow, tmp_path):
    np.save(tmp_path / "maps.npy", [1.0])
    result = higlow(
        "client", "http://localhost:1", "sample", *MODEL, "--theta", "0.3,0.8", "--out", tmp_path / "maps.npy"
    )
    assert_refused(result, "or --overwrite")


def test_export_refuses_to_replace_a_compose_file(higlow, tmp_path):
    (tmp_path / "compose.yaml").write_text("of somebody else")
    assert_refused(higlow("export", tmp_path / "run", "--out", tmp_path, "--compose"), "compose.yaml")


@pytest.mark.parametrize(
    ("imports", "absent"),
    [
        ("higlow_tf.serving", "tensorflow ray grpc keras"),
        ("higlow_tf.serving.client", "tensorflow ray grpc keras"),
        ("higlow_tf.serving.server.launch", "tensorflow ray grpc keras"),
        (
            "higlow_tf.serving.server.model_server, higlow_tf.serving.server.json_tensors",
            "ray tensorflow_probability higlow_tf.models higlow_tf.inference higlow_tf.data higlow_tf.bijectors",
        ),
    ],
)
def test_serving_imports_no_more_than_it_needs(imports, absent):
    """A server has TensorFlow and no model of ours; a client over REST has not even that."""
    program = f"import sys, {imports}; print([name for name in {absent.split()!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.strip() == "[]"
