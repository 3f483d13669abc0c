"""The client against a server that says what a test wants: retries, sentences, warnings, files."""

import contextlib
import json
import threading
import warnings

import h5py
import numpy as np
import pytest
from made_up_server import MadeUpServer

from higlow_tf.errors import InputError, InputWarning
from higlow_tf.inference import infer
from higlow_tf.serving import Client, ServedPosterior, ServerError
from higlow_tf.serving.client.card import Card
from higlow_tf.serving.client.files import named_parameters, write_log_prob, write_served_samples
from higlow_tf.serving.client.retry import with_retries


@pytest.fixture
def server():
    with MadeUpServer() as made_up:
        thread = threading.Thread(target=made_up.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made_up
        made_up.shutdown()
        thread.join()


@pytest.fixture
def no_waiting(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def client_of(server, **arguments):
    return contextlib.closing(Client(server.url, "any", **arguments))


def test_batches_are_joined_in_their_order(server):
    stages = []
    with client_of(server, batch_size=3) as client:
        maps = client.sample(np.full((8, 2), 0.3), first_row=5, progress=lambda *args: stages.append(args))
    assert maps.shape == (8, 4, 4)
    assert maps.dtype == np.float32
    np.testing.assert_array_equal(maps[:, 0, 0], np.arange(5, 13))
    assert sorted(len(body["inputs"]["theta"]) for body in server.bodies) == [2, 3, 3]
    assert stages == [("maps", 3, 8), ("maps", 6, 8), ("maps", 8, 8)]


def test_an_only_output_comes_without_its_name(server):
    with client_of(server) as client:
        np.testing.assert_allclose(client.log_prob(np.ones((2, 4, 4)), [[0.25, 0.5], [1, 2]]), [0.75, 3.0])


@pytest.mark.parametrize(
    ("failures", "num_asked"),
    [
        ([(503, {"error": "later"}), (429, b"busy")], 3),
        ([(None, None)], 2),
        ([(502, b""), (None, None), (503, b"x")], 4),
        ([(500, b"Internal Server Error")], 2),  # of a proxy whose replica has died
    ],
)
def test_a_busy_or_absent_server_is_asked_again(server, no_waiting, failures, num_asked):
    server.failures = list(failures)
    with client_of(server) as client:
        assert client.sample([[0.3, 0.8]]).shape == (1, 4, 4)
    assert len(server.bodies) == num_asked


@pytest.mark.parametrize(
    ("failure", "code", "sentence"),
    [
        ((400, {"error": "Expected theta of shape [B, 2]."}), "INVALID_ARGUMENT", r"shape \[B, 2\]. \(HTTP 400\)"),
        ((404, {"error": "no model"}), "NOT_FOUND", "no model"),
        ((408, b"Request timed out"), "DEADLINE_EXCEEDED", "Request timed out"),
        ((500, {"error": "The model failed"}), "INTERNAL", "The model failed"),
        ((200, b"<html>"), "INTERNAL", "expected JSON"),
    ],
)
def test_a_request_that_was_refused_is_not_repeated(server, failure, code, sentence):
    server.failures = [failure]
    with client_of(server) as client, pytest.raises(ServerError, match=sentence) as error:
        client.sample([[0.3, 0.8]])
    assert error.value.code == code
    assert len(server.bodies) == 1


def test_retries_come_to_an_end(server, no_waiting):
    server.failures = [(503, {"error": "never"})] * 9
    with client_of(server, num_retries=2) as client, pytest.raises(ServerError, match="never"):
        client.sample([[0.3, 0.8]])
    assert len(server.bodies) == 3


def test_waits_grow():
    waits = []

    def call():
        raise ServerError("busy", "UNAVAILABLE")

    with pytest.raises(ServerError):
        with_retries(call, 4, first_wait_s=1.0, sleep=waits.append)
    assert [round(np.log2(wait)) for wait in waits] == [0, 1, 2, 3]


def test_rows_outside_the_prior_are_a_warning(server):
    with client_of(server) as client:
        with pytest.warns(InputWarning, match="extrapolates: 1 of 2 rows lie outside its prior, row 1 first"):
            client.sample([[0.3, 0.8], [0.6, 0.8]])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            client.sample([[0.3, 0.8]])


def test_maps_unlike_the_training_maps_are_a_warning(server):
    with (
        client_of(server) as client,
        pytest.warns(InputWarning, match=r"map 1: unlike the training maps \(p = 0.001\)"),
    ):
        client.posterior(np.full((2, 4, 4), [[[0.5]], [[0.001]]]), [[0.3, 0.8], [0.4, 0.9]])


def test_many_points_go_in_small_requests(server):
    with client_of(server, batch_size=64) as client:
        posterior = client.posterior(np.ones((5, 4, 4)), np.full((2000, 2), 0.3))
    assert sorted(len(body["inputs"]["hi_map"]) for body in server.bodies) == [1, 2, 2]
    assert posterior.log_prob.shape == (5, 2000)


def test_a_posterior_is_written_and_read(server, tmp_path):
    with client_of(server) as client:
        posterior = client.posterior(np.ones((2, 4, 4)), [[0.3, 0.8], [0.4, 0.9]])
    posterior.save(tmp_path / "posterior.h5")
    read = ServedPosterior.load(tmp_path / "posterior.h5")
    for name in ("mean", "sd", "log_prob", "theta_grid", "typicality"):
        np.testing.assert_array_equal(getattr(read, name), getattr(posterior, name))
    assert read.inside_prior is None
    assert len(read) == 2
    with pytest.raises(InputError, match="does not exist, or --overwrite"):
        posterior.save(tmp_path / "posterior.h5")
    with h5py.File(tmp_path / "posterior.h5", "a") as h5:
        h5.attrs["format_version"] = 99
    with pytest.raises(InputError, match="one of a newer version"):
        ServedPosterior.load(tmp_path / "posterior.h5")


def test_other_files_are_no_posterior(tmp_path):
    (tmp_path / "text.h5").write_text("text")
    with h5py.File(tmp_path / "other.h5", "w"):
        pass
    for name in ("text.h5", "other.h5", "missing.h5"):
        with pytest.raises(InputError, match=f"{name}: expected a file of higlow client posterior. Received:"):
            ServedPosterior.load(tmp_path / name)


def test_samples_and_densities_are_written_as_a_model_writes_them(server, tmp_path):
    with client_of(server) as client:
        assert write_served_samples(client, [[0.4, 0.8]] * 3, tmp_path / "maps.npy", seed=1) == 0
        assert write_log_prob([1.0, np.nan], [[0.3, 0.8]] * 2, ("a", "b"), tmp_path / "log_prob.h5") == 1
        assert named_parameters(client).names == ("Omega_m", "sigma_8")
    np.testing.assert_array_equal(np.load(tmp_path / "maps.npy")[:, 0, 0], [0, 1, 2])
    assert (tmp_path / "maps_params.txt").read_text().startswith("# Omega_m sigma_8\n")
    with h5py.File(tmp_path / "log_prob.h5") as h5:
        assert list(h5.attrs["parameters"]) == ["a", "b"]
    with pytest.raises(InputError, match="ends in .npy or .h5"):
        write_log_prob([1.0], [[0.3]], ("a",), tmp_path / "log_prob.txt")


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("ftp://localhost:1", "expected a URL such as"),
        ("http://", "expected a URL such as"),
        ("http://localhost:port", "with a number as its port"),
        ("localhost", "expected HOST:PORT"),
        ("localhost:port", "expected HOST:PORT"),
        ("", "expected HOST:PORT"),
    ],
)
def test_addresses_that_are_none_are_refused(address, sentence):
    with pytest.raises(InputError, match=sentence):
        Client(address, "any")


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (
            lambda client: client.sample([0.3, 0.8]),
            r"theta: expected an array of 2 axes, rows first. Received: shape \(2,\)",
        ),
        (lambda client: client.sample([["a", "b"]]), "theta: expected an array of numbers"),
        (lambda client: client.sample(np.zeros((0, 2))), "at least one row"),
        (lambda client: client.log_prob(np.ones((2, 4, 4)), [[0.3, 0.8]]), "Received: 2 of hi_map, 1 of theta"),
        (lambda client: client.log_prob(np.ones((4, 4)), [[0.3, 0.8]]), "hi_maps: expected an array of 3 or 4 axes"),
        (lambda client: client.posterior(np.ones((1, 4, 4))), "over REST there is no word for a grid without points"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_sent(server, ask, sentence):
    with client_of(server) as client, pytest.raises(InputError, match=sentence):
        ask(client)
    assert server.bodies == []


def test_the_grid_of_a_card_gives_the_posterior_of_the_models_own(served):
    card = Card.read(served.path / "assets.extra" / "model_card.json")
    assert card.parameters == served.model.parameters
    assert card.calibration.tempering == served.calibration["tempering"]
    maps, grid = served.maps[:4], card.centres().astype(np.float32)
    posterior = served.signatures["posterior"]
    own = posterior(hi_map=maps, theta_grid=np.zeros((4, 0, 2), np.float32))
    given = posterior(hi_map=maps, theta_grid=np.broadcast_to(grid, (4, *grid.shape)))
    off = (given["posterior_mean"] - own["posterior_mean"]) / own["posterior_sd"]
    assert np.abs(off).max() < 0.05
    np.testing.assert_allclose(given["posterior_sd"], own["posterior_sd"], rtol=0.05)


def test_a_client_with_a_card_is_a_model_for_infer(server, tmp_path):
    parameters = [
        {"name": name, "label": name, "low": 0.0, "high": 2.0, "prior": "uniform"} for name in ("first", "second")
    ]
    calibration = {"tempering": 0.5, "widening": [0.0, 0.1], "num_symmetries": 2}
    (tmp_path / "card.json").write_text(json.dumps({"parameters": parameters, "calibration": calibration}))
    with client_of(server, card=tmp_path / "card.json") as client:
        posterior = infer(client, np.ones((1, 4, 4)))
    assert posterior.parameters.names == ("first", "second")
    assert posterior.calibration.num_symmetries == 2
    # The made-up density is exp(theta), tempered: the mean of exp(t / 2) on [0, 2] is 2 / (1 - 1 / e) - 2.
    assert posterior.mean[0, 0] == pytest.approx(2.0 / (1.0 - np.exp(-1.0)) - 2.0, abs=1e-3)


def test_files_that_are_no_card_are_refused(tmp_path):
    (tmp_path / "card.json").write_text('{"parameters": [{"name": "a"}]}')
    with pytest.raises(InputError, match="expected a model card with parameters and calibration"):
        Card.read(tmp_path / "card.json")
    parameter = {"name": "a", "label": "a", "low": 0.0, "high": 1.0, "prior": "uniform"}
    calibration = {"tempering": 1.0, "widening": [0.0], "num_symmetries": 1}
    card = {"parameters": [parameter], "calibration": calibration, "data": 1, "split": 2}
    (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises(InputError, match="expected a model card with parameters and calibration"):
        Card.read(tmp_path / "card.json")


def test_a_card_says_what_the_model_must_not_be_used_for(served, server):
    card = served.path / "assets.extra" / "model_card.json"
    with client_of(server, card=card) as client:
        first, second, *limits = client.card_sentences()
    assert first.startswith("tiny: Conditional Glow")
    assert second == "Trained on 20 maps; suite: mock, redshift: 6.0, box: 25.0 Mpc/h."
    assert limits[0].startswith("Not for: Parameters outside the prior (Omega_m in [0.1, 0.5], sigma_8 in [0.6, 1])")
    assert len(limits) == 7
    with client_of(server) as client:
        assert client.card_sentences() == ()
