"""One server of `higlow serve`: both protocols give what the SavedModel gives, whatever else is asked at the same time."""

import http.client
import json
import shutil
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from benchmarks.server_process import ServerProcess, ask_http
from benchmarks.soak.request_strategies import SHAPES, good_request, malformed_requests
from higlow_tf.serving import Client, ServerError

pytest.importorskip("ray")
grpc = pytest.importorskip("grpc")
pytest.importorskip("tensorflow_serving")


from server_questions import (  # noqa: E402
    JOINED_TOLERANCE,
    MODEL,
    assert_equal_answers,
    check_both_protocols,
    in_process,
    mixed_requests,
    over_grpc,
    sample_request,
)
from tensorflow_serving.apis import (  # noqa: E402
    get_model_status_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from benchmarks.malformed_http import HTTP_KINDS  # noqa: E402
from benchmarks.malformed_rpc import RPC_KINDS, predict_request  # noqa: E402
from benchmarks.serving_malformed import OPTIONS, Doors, send_kind, send_shapes  # noqa: E402


@pytest.fixture(scope="module")
def server(served, tmp_path_factory):
    """A server of one model, in a folder of its own; it ends cleanly."""
    folder = tmp_path_factory.mktemp("served") / MODEL
    shutil.copytree(served.path, folder / "1")
    running = ServerProcess([folder], folder.parent / "log", "--max-batch", "16", *OPTIONS)
    running.folder = folder
    yield running
    assert running.stop() == 0, running.log.read_text()


@pytest.fixture(scope="module")
def stub(server):
    with grpc.insecure_channel(server.grpc) as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


def test_both_protocols_give_what_the_saved_model_gives(served, server, stub):
    requests = list(mixed_requests(9))
    check_both_protocols(server, stub, requests, [in_process(served, *request) for request in requests])


@pytest.mark.parametrize("signature", sorted(SHAPES))
def test_a_row_is_the_same_bits_whatever_the_others_are(stub, signature):
    """In batches of the same size, at the same place."""
    inputs, others = (good_request(signature, 6) for _ in range(2))
    for name, value in others.items():
        changed = value[::-1] if name == "seed" else value * np.float32(0.95)
        others[name] = np.concatenate([changed[:2], value[2:4], changed[4:]])
    for name, value in over_grpc(stub, signature, inputs).items():
        other = over_grpc(stub, signature, others)[name]
        assert value[2:4].tobytes() == other[2:4].tobytes(), name


def test_answers_do_not_depend_on_what_is_asked_at_the_same_time(served, server, stub):
    requests = list(mixed_requests(30, seed=2))
    bad = {"theta": np.zeros((2, 3), np.float32), "hi_map": good_request("log_prob", 2)["hi_map"]}

    def ask(request):
        if request is None:
            with pytest.raises(grpc.RpcError) as error:
                over_grpc(stub, "log_prob", bad)
            return error.value.code()
        return over_grpc(stub, *request)

    asked = [each for request in requests for each in (request, None)]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(ask, asked))
    for request, answer in zip(asked, answers, strict=True):
        if request is None:
            assert answer is grpc.StatusCode.INVALID_ARGUMENT
        else:
            assert_equal_answers(answer, in_process(served, *request), JOINED_TOLERANCE)


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_the_client_draws_what_the_model_draws(served, server, protocol):
    with Client(getattr(server, protocol), MODEL, batch_size=3) as client:
        maps = client.sample(served.theta, seed=7, temperature=0.9)
        part = client.sample(served.theta[4:], seed=7, temperature=0.9, first_row=4)
        log_prob = client.log_prob(served.maps, served.theta)
        assert client.signatures["sample"]["inputs"]["seed"] == (np.dtype(np.int64), (None, 2))
    np.testing.assert_allclose(part, maps[4:], rtol=JOINED_TOLERANCE)
    expected = served.model.sample(served.theta, seed=7, temperature=0.9).numpy()
    np.testing.assert_allclose(np.log10(maps), np.log10(expected), atol=1e-5)
    np.testing.assert_allclose(log_prob, served.model.log_prob(served.maps, served.theta), rtol=1e-5)


def test_the_client_gives_posteriors(served, server):
    """Over gRPC with the model's own grid, over REST with that of the card: nearly the same; with one grid: the same."""
    card = served.path / "assets.extra" / "model_card.json"
    with Client(server.grpc, MODEL) as client:
        of_grpc = client.posterior(served.maps[:3])
    with Client(server.rest, MODEL, card=card, batch_size=2) as client:
        of_rest = client.posterior(served.maps[:3])
    assert of_grpc.theta_grid is None
    assert of_rest.theta_grid.shape == (144, 2)
    assert of_rest.parameters == served.model.parameters.names
    assert np.abs((of_rest.mean - of_grpc.mean) / of_grpc.sd).max() < 0.05
    with Client(server.grpc, MODEL) as client:
        of_grpc = client.posterior(served.maps[:3], of_rest.theta_grid)
    for name in ("mean", "sd", "log_prob", "typicality", "inside_prior"):
        np.testing.assert_allclose(getattr(of_rest, name), getattr(of_grpc, name), rtol=1e-5)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=st.sampled_from(sorted(SHAPES)).flatmap(lambda name: st.tuples(st.just(name), malformed_requests(name))))
def test_values_that_a_model_cannot_use_are_marked_in_their_rows(served, server, stub, case):
    signature, (_, inputs, verdicts) = case
    assume(verdicts is not None)
    assert_equal_answers(over_grpc(stub, signature, inputs), in_process(served, signature, inputs))
    content = {"signature_name": signature, "inputs": {name: value.tolist() for name, value in inputs.items()}}
    status, _ = ask_http(f"{server.rest}/v1/models/{MODEL}:predict", content)
    assert status == (200 if verdicts else 400)  # JSON has no word for an array without rows


def test_malformed_requests_are_refused_and_the_next_one_is_answered(server):
    """One of each kind, and some shapes; `python -m benchmarks.serving_malformed` sends a thousand."""
    rng = np.random.default_rng(0)
    with Doors(server) as doors:
        for door, kinds in (("HTTP", HTTP_KINDS), ("gRPC", RPC_KINDS)):
            for kind in kinds:
                send_kind(doors, door, kind, rng)
        send_shapes(doors, 24, seed=0)
    assert doors.faults == []
    assert doors.num_sent >= len(HTTP_KINDS) + len(RPC_KINDS) + 24


@pytest.mark.parametrize(
    ("path", "content", "status", "sentence"),
    [
        ("/v1/models/other", None, 404, "Expected a served model: tiny. Received: 'other'."),
        ("/v1/models/tiny/versions/9", None, 404, "Expected the served version of tiny, 1. Received: 9."),
        ("/v1/models/tiny/versions/9:predict", b"{}", 404, "Received: 9."),
        ("/v1/models/tiny/labels/stable:predict", b"{}", 404, "Received: the label 'stable'."),
        ("/v1/models/tiny:predict", None, 400, "Received: GET /v1/models/tiny:predict."),
        ("/v1/models/tiny", b"{}", 400, "Received: POST /v1/models/tiny."),
        ("/v1/models/tiny:classify", b"{}", 400, "Expected :predict"),
        ("/elsewhere", None, 400, "Received: GET /elsewhere."),
        ("/v1/models/tiny:predict", b"{", 400, "Expected a body of JSON."),
        ("/v1/models/tiny:predict", {"signature_name": "none", "inputs": {}}, 400, "log_prob, posterior, sample"),
        ("/v1/models/tiny:predict", {"instances": [{"theta": [1]}]}, 400, "row 0 of 'instances'"),
    ],
)
def test_rest_refuses_with_a_sentence(server, path, content, status, sentence):
    found, answer = ask_http(server.rest + path, content)
    assert found == status
    assert sentence in answer["error"]


def test_health_status_and_metadata(server, stub):
    with urllib.request.urlopen(f"{server.rest}/-/healthz", timeout=60) as answer:
        assert answer.status == 200
    _, answer = ask_http(f"{server.rest}/v1/models/tiny/versions/1")
    state = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    assert answer == {"model_version_status": [state]}
    _, metadata = ask_http(f"{server.rest}/v1/models/tiny/metadata")
    assert metadata["model_spec"] == {"name": "tiny", "signature_name": "", "version": "1"}
    seed = metadata["metadata"]["signature_def"]["signature_def"]["sample"]["inputs"]["seed"]
    assert seed["dtype"] == "DT_INT64"
    assert [dim["size"] for dim in seed["tensor_shape"]["dim"]] == ["-1", "2"]
    with grpc.insecure_channel(server.grpc) as channel:
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = MODEL
        response = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(request, timeout=60)
    available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
    assert [(each.version, each.state) for each in response.model_version_status] == [(1, available)]


def test_a_request_of_too_many_rows_or_bytes_is_refused(server, stub):
    with pytest.raises(grpc.RpcError, match="Expected at most 100 rows") as error:
        over_grpc(stub, "sample", good_request("sample", 101))
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    bomb = sample_request()
    del bomb.inputs["theta"].tensor_shape.dim[:]
    for size in (50, 2**40):
        bomb.inputs["theta"].tensor_shape.dim.add(size=size)
    with pytest.raises(grpc.RpcError, match="Expected tensors of at most") as error:
        stub.Predict(bomb, timeout=60)
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    host, port = server.rest.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    connection.putrequest("POST", "/v1/models/tiny:predict")
    connection.putheader("Content-Length", str(2**40))
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, "bytes" in json.loads(answer.read())["error"]) == (400, True)
    connection.close()


def test_an_output_filter_leaves_the_other_outputs_out(server, stub):
    request = sample_request()
    request.output_filter.append("inside_prior")
    assert list(stub.Predict(request, timeout=60).outputs) == ["inside_prior"]


def test_a_deadline_ends_a_request_and_the_next_one_is_answered(served, server, stub):
    slow = predict_request(MODEL, "posterior", good_request("posterior", 8, 600))
    with pytest.raises(grpc.RpcError) as error:
        stub.Predict(slow, timeout=0.2)
    assert error.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    good = good_request("log_prob", 1)
    assert_equal_answers(over_grpc(stub, "log_prob", good), in_process(served, "log_prob", good))


def test_a_newer_version_takes_over_without_a_pause(served, server):
    """Versions 2 (the same model) and 3 (damaged) come while clients ask; nobody sees an error."""
    errors, answers, is_over = [], [], threading.Event()

    def ask():
        with Client(server.grpc, MODEL, num_retries=0) as client:
            while not is_over.is_set():
                try:
                    answers.append(client.log_prob(served.maps[:2], served.theta[:2]))
                except ServerError as error:
                    errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    shutil.copytree(served.path, server.folder / "part")
    (server.folder / "part").rename(server.folder / "2")
    (server.folder / "3").mkdir()
    (server.folder / "3" / "saved_model.pb").write_bytes(b"no graph")
    wanted = [("3", "END"), ("2", "AVAILABLE")]
    deadline, found = time.monotonic() + 300, None
    while found != wanted and time.monotonic() < deadline:
        time.sleep(0.5)
        _, status = ask_http(f"{server.rest}/v1/models/tiny")
        found = [(each["version"], each["state"]) for each in status["model_version_status"]]
    is_over.set()
    for thread in threads:
        thread.join()
    assert found == wanted
    assert errors == []
    assert len(answers) > 2
    assert all(np.array_equal(answer, answers[0]) for answer in answers)


def test_sigterm_answers_what_has_begun_and_ends_cleanly(served, server):
    """The last test of the file: it ends the server."""
    hi_maps, grid = np.repeat(served.maps[:1], 8, axis=0), np.repeat(served.theta[:1], 1000, axis=0)
    with ThreadPoolExecutor(1) as pool, Client(server.grpc, MODEL, num_retries=0) as client:
        began = pool.submit(client.posterior, hi_maps, grid)
        time.sleep(0.5)
        assert not began.done()
        assert server.stop() == 0
        assert began.result(60).mean.shape == (8, 2)
    with (
        pytest.raises(ServerError, match="expected a server") as error,
        Client(server.rest, MODEL, num_retries=0) as client,
    ):
        client.sample(served.theta[:1])
    assert error.value.code == "UNAVAILABLE"
