"""One server of `higlow serve`: both protocols give what the SavedModel gives, whatever else is asked at the same time."""

import http.client
import json
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.server_process import ServerProcess, ask_http
from benchmarks.soak.request_strategies import SHAPES, good_request, malformed_requests
from higlow_tf.serving import Client, ServerError

pytest.importorskip("ray")
grpc = pytest.importorskip("grpc")
pytest.importorskip("tensorflow_serving")


from tensorflow_serving.apis import (  # noqa: E402
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

# A request in a batch of the same size: sums in float32 in the same order.
TOLERANCE = 1e-6
# In a batch of another size the order is another: the last digits of log10 differ, and ten to that power by 2e-6.
JOINED_TOLERANCE = 1e-5
MODEL = "tiny"


@pytest.fixture(scope="module")
def server(served, tmp_path_factory):
    """A server of one model, in a folder of its own; it ends cleanly."""
    folder = tmp_path_factory.mktemp("served") / MODEL
    shutil.copytree(served.path, folder / "1")
    running = ServerProcess([folder], folder.parent / "log", "--max-batch", "16", "--max-rows", "100")
    running.folder = folder
    yield running
    assert running.stop() == 0, running.log.read_text()


@pytest.fixture(scope="module")
def stub(server):
    with grpc.insecure_channel(server.grpc) as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


def predict_request(signature, inputs, model=MODEL):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = model, signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def over_grpc(stub, signature, inputs):
    response = stub.Predict(predict_request(signature, inputs), timeout=300)
    return {name: tf.make_ndarray(value) for name, value in response.outputs.items()}


def over_rest(server, signature, inputs, is_row_form=False):
    content = {"signature_name": signature}
    if is_row_form:
        columns = {name: value.tolist() for name, value in inputs.items()}
        content["instances"] = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    else:
        content["inputs"] = {name: value.tolist() for name, value in inputs.items()}
    status, answer = ask_http(f"{server.rest}/v1/models/{MODEL}:predict", content)
    assert status == 200, answer
    if not is_row_form:
        return {name: np.array(value) for name, value in answer["outputs"].items()}
    return {name: np.array([row[name] for row in answer["predictions"]]) for name in answer["predictions"][0]}


def in_process(served, signature, inputs):
    outputs = served.signatures[signature](**{name: tf.constant(value) for name, value in inputs.items()})
    return {name: value.numpy() for name, value in outputs.items()}


def assert_equal_answers(found, expected, tolerance=TOLERANCE):
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name].shape == value.shape
        scale = np.maximum(1.0, np.abs(np.nan_to_num(value.astype(np.float64))))
        np.testing.assert_allclose(found[name] / scale, value / scale, rtol=0, atol=tolerance)


def mixed_requests(number, seed=0):
    """Good requests of all signatures, of one to six rows."""
    rng = np.random.default_rng(seed)
    for index in range(number):
        signature = sorted(SHAPES)[index % len(SHAPES)]
        inputs = good_request(signature, int(rng.integers(1, 7)), int(rng.integers(1, 6)))
        for name, value in inputs.items():
            inputs[name] = (
                value + rng.integers(0, 9, value.shape) if name == "seed" else value * np.float32(rng.uniform(0.9, 1.0))
            )
        yield signature, inputs


def check_both_protocols(served, server, stub, requests):
    for index, (signature, inputs) in enumerate(requests):
        expected = in_process(served, signature, inputs)
        of_grpc = over_grpc(stub, signature, inputs)
        of_rest = over_rest(server, signature, inputs, is_row_form=index % 2 == 0)
        assert_equal_answers(of_grpc, expected)
        for name, value in of_grpc.items():
            np.testing.assert_array_equal(of_rest[name].astype(value.dtype), value)


def test_both_protocols_give_what_the_saved_model_gives(served, server, stub):
    check_both_protocols(served, server, stub, mixed_requests(9))


@pytest.mark.slow
def test_two_hundred_requests_give_what_the_saved_model_gives(served, server, stub):
    check_both_protocols(served, server, stub, mixed_requests(200, seed=1))


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
def test_malformed_requests_are_refused_and_the_next_one_is_answered(served, server, stub, case):
    signature, (_, inputs, verdicts) = case
    url = f"{server.rest}/v1/models/{MODEL}:predict"
    content = {"signature_name": signature, "inputs": {name: value.tolist() for name, value in inputs.items()}}
    status, answer = ask_http(url, content)
    if verdicts is None:
        assert status == 400
        assert "Expected" in answer["error"]
        with pytest.raises(grpc.RpcError) as error:
            over_grpc(stub, signature, inputs)
        assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert error.value.details() == answer["error"] or 0 in [
            size for value in inputs.values() for size in value.shape
        ]
    else:
        assert_equal_answers(over_grpc(stub, signature, inputs), in_process(served, signature, inputs))
        assert status == (200 if verdicts else 400)  # JSON has no word for an array without rows
    good = good_request(signature, 1, 2)
    assert_equal_answers(over_grpc(stub, signature, good), in_process(served, signature, good))


@pytest.mark.parametrize(
    ("path", "content", "status", "sentence"),
    [
        ("/v1/models/other", None, 404, "Expected a served model: tiny. Received: 'other'."),
        ("/v1/models/tiny/versions/9", None, 404, "Expected the served version of tiny, 1. Received: 9."),
        ("/v1/models/tiny/versions/9:predict", b"{}", 404, "Received: 9."),
        ("/v1/models/tiny/labels/stable:predict", b"{}", 404, "Received: the label 'stable'."),
        ("/v1/models/tiny:predict", None, 400, "Received: GET /v1/models/tiny:predict."),
        ("/v1/models/tiny", b"{}", 400, "Received: POST /v1/models/tiny."),
        ("/v1/models/tiny:classify", b"{}", 501, "Expected :predict"),
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


def test_status_and_metadata(server, stub):
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
    bomb = predict_request("sample", good_request("sample"))
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


def _of_dtype(dtype):
    return lambda request: request.inputs["theta"].CopyFrom(tf.make_tensor_proto(np.zeros((4, 2), dtype)))


def _with_few_values(request):
    request.inputs["theta"].CopyFrom(tf.make_tensor_proto(np.zeros((4, 2), np.float32)))
    request.inputs["theta"].tensor_content = b"123"


def _of_unknown_rank(request):
    request.inputs["theta"].tensor_shape.unknown_rank = True


def _of_negative_size(request):
    request.inputs["theta"].tensor_shape.dim[0].size = -1


def _of_no_type(request):
    request.inputs["theta"].dtype = 77


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_of_dtype(np.float64), "Expected theta of float32. Received: float64."),
        (_of_dtype(np.int64), "Expected theta of float32. Received: int64."),
        (_with_few_values, "as many values as its shape says"),
        (_of_unknown_rank, "Received: one of unknown rank."),
        (_of_negative_size, "not negative"),
        (_of_no_type, "Received: type number 77."),
        (lambda request: request.inputs.pop("seed"), "Expected the inputs seed, temperature, theta. Received:"),
        (lambda request: request.inputs["more"].CopyFrom(request.inputs["theta"]), "Expected the inputs"),
        (lambda request: request.output_filter.append("other"), "Expected an output_filter of hi_map, inside_prior."),
    ],
)
def test_grpc_refuses_damaged_tensors(served, server, stub, damage, sentence):
    request = predict_request("sample", good_request("sample"))
    damage(request)
    with pytest.raises(grpc.RpcError) as error:
        stub.Predict(request, timeout=60)
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert sentence in error.value.details()


def test_an_output_filter_leaves_the_other_outputs_out(server, stub):
    request = predict_request("sample", good_request("sample"))
    request.output_filter.append("inside_prior")
    assert list(stub.Predict(request, timeout=60).outputs) == ["inside_prior"]


def test_a_deadline_ends_a_request_and_the_next_one_is_answered(served, server, stub):
    slow = predict_request("posterior", good_request("posterior", 8, 600))
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
