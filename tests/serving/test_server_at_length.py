"""A server of two replicas for minutes: many requests, what the documentation says, and a replica that is killed."""

import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from c_api_questions import ask_through_the_c_api

from benchmarks.server_process import PROGRAM, ServerProcess, free_ports

pytest.importorskip("ray")
grpc = pytest.importorskip("grpc")
pytest.importorskip("tensorflow_serving")

from server_questions import MODEL, check_both_protocols, in_process, mixed_requests  # noqa: E402
from tensorflow_serving.apis import prediction_service_pb2_grpc  # noqa: E402

from benchmarks.client_load import ClientLoad  # noqa: E402
from benchmarks.serving_replica_kill import answers_by_replica, kill_one_replica, replicas_of  # noqa: E402
from higlow_tf.serving import Client, ServerError  # noqa: E402

pytestmark = pytest.mark.slow

SERVING_PAGE = Path(__file__).parents[2] / "docs" / "serving.md"
# Metrics come every ten seconds.
METRICS_SECONDS = 120


@pytest.fixture(scope="module")
def server(served, tmp_path_factory):
    """A server of two models and two replicas, in a folder of its own."""
    folder = tmp_path_factory.mktemp("served")
    for name in (MODEL, "second"):
        shutil.copytree(served.path, folder / name / "1")
    (metrics_port,) = free_ports(1)
    options = ("--replicas", "2", "--threads", "1", "--metrics-port", str(metrics_port))
    running = ServerProcess([folder / MODEL, folder / "second"], folder / "log", *options)
    running.metrics_port = metrics_port
    yield running
    assert running.stop() == 0, running.log.read_text()


def test_two_hundred_requests_are_answered_as_through_the_c_api(served, server, tmp_path):
    """Over gRPC as a client of the C API is answered, within 1e-6; over REST exactly as over gRPC."""
    requests = list(mixed_requests(200, seed=1))
    answers = ask_through_the_c_api(served, requests, tmp_path)
    with grpc.insecure_channel(server.grpc) as channel:
        check_both_protocols(server, prediction_service_pb2_grpc.PredictionServiceStub(channel), requests, answers)


def test_several_models_are_served(served, server):
    answers = []
    for model in (MODEL, "second"):
        with Client(server.rest, model) as client:
            answers.append(client.log_prob(served.maps, served.theta))
    np.testing.assert_array_equal(*answers)


def of_this_server(text, server):
    """An example of the documentation with the addresses and the model of the test's server."""
    for address, here in (("http://localhost:8501", server.rest), ("localhost:8500", server.grpc)):
        text = text.replace(address, here)
    return text.replace("compact_mock", MODEL)


def blocks_under(heading):
    """The indented blocks of a section of the page about serving, in their order, without the indent."""
    section = SERVING_PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"(?:^ {4}.*\n|^\n(?= {4}))+", section, re.MULTILINE)
    return ["\n".join(line[4:] for line in block.splitlines()) for block in blocks]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_documentations_examples_of_curl_are_answered(server):
    commands = re.findall(r"curl (?:.|\n)+?(?=\ncurl|\Z)", "\n".join(blocks_under("Ask with curl")))
    assert len(commands) == 4
    for command in commands:
        shell = ["bash", "-c", of_this_server(command, server).replace("curl", "curl --silent --fail-with-body", 1)]
        done = subprocess.run(shell, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, command + done.stdout + done.stderr


@pytest.mark.parametrize("heading", ["Ask from Python", "Ask over gRPC without this package"])
def test_the_documentations_examples_of_python_run(served, server, tmp_path, heading):
    program, *_ = blocks_under(heading)
    card = str(served.path / "assets.extra" / "model_card.json")
    program = of_this_server(program.replace("saved_models/compact_mock/1/assets.extra/model_card.json", card), server)
    command = [sys.executable, "-c", f"{program}\nassert maps.shape[1:] == (16, 16), maps.shape"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr


def test_the_documentations_commands_write_files(served, server, tmp_path):
    """Each reads what the one before has written."""
    _, *others = blocks_under("Ask from Python")
    commands = [line for block in others for line in block.splitlines() if line.startswith("higlow client")]
    assert [command.split()[3] for command in commands] == ["sample", "log_prob", "posterior"]
    card = served.path / "assets.extra" / "model_card.json"
    for command in commands:
        words = [*of_this_server(command, server).split()[1:], "--card", str(card)]
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *words], cwd=tmp_path, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stderr
        assert "Not for: Parameters outside the prior" in done.stdout
    assert np.load(tmp_path / "maps.npy").shape == (16, 16, 16)
    assert {path.name for path in tmp_path.iterdir()} == {
        "maps.npy", "maps_params.txt", "log_prob.h5", "posterior.h5",
    }  # fmt: skip


def test_the_commands_of_the_how_to_run_as_they_stand(served, server, tmp_path):
    page = SERVING_PAGE.with_name("howto") / "serve.md"
    commands = re.findall(r"^ {4}(higlow client .*)$", page.read_text(), re.MULTILINE)
    assert [command.split()[3] for command in commands] == ["sample", "posterior"]
    for command in commands:
        text = command.replace("saved_models/compact_mock/1", str(served.path))
        words = of_this_server(text, server).split()[1:]
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *words], cwd=tmp_path, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "posterior.h5").is_file()


def test_a_time_limit_of_an_http_request_is_kept(served, server):
    request = urllib.request.Request(
        f"{server.rest}/v1/models/{MODEL}:predict",
        b'{"signature_name": "sample", "inputs": {"theta": [[0.3, 0.8]], "seed": [[0, 0]], "temperature": [1.0]}}',
        {"x-request-timeout-seconds": "0.0001"},
    )
    with pytest.raises(urllib.error.HTTPError, match="408"), urllib.request.urlopen(request, timeout=60):
        pass


def test_metrics_tell_how_many_requests_were_answered(served, server):
    with Client(server.grpc, MODEL) as client:
        client.log_prob(served.maps, served.theta)
    deadline = time.monotonic() + METRICS_SECONDS
    while not sum(answers_by_replica(server.metrics_port).values()) and time.monotonic() < deadline:
        time.sleep(1.0)
    with urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    for name in re.findall(r"`(ray_serve_\w+)`", SERVING_PAGE.read_text()):
        if "error" not in name:  # counted from the first error on
            assert name in text


def test_a_killed_replica_takes_only_what_was_under_way(served, server):
    """And a client that may ask again sees nothing of it. The last test of the file: Ray starts another process."""
    requests = [(*request, in_process(served, *request)) for request in mixed_requests(30, seed=3)]
    errors, is_over = [], threading.Event()

    def ask_patiently():
        with Client(server.rest, MODEL) as client:
            while not is_over.is_set():
                try:
                    client.log_prob(served.maps[:2], served.theta[:2])
                except ServerError as error:
                    errors.append(error)

    patient = threading.Thread(target=ask_patiently)
    patient.start()
    before = replicas_of(server)
    with ClientLoad(server, MODEL, requests, num_clients=4) as load:
        time.sleep(20.0)  # both replicas are counted by then
        killed = kill_one_replica(server, server.metrics_port)
    is_over.set()
    patient.join()
    assert killed.seconds is not None, server.log.read_text()
    assert errors == []
    assert load.wrong() == []
    assert load.failed() == killed.lost(load)
    assert len(load.asked) > 100
    assert len(before) == len(replicas_of(server)) == 2
    assert before != replicas_of(server)
