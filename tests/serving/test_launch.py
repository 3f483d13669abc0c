"""When `higlow serve` gives up, and when it waits for Ray to start a replica anew."""

from types import SimpleNamespace

import pytest

from higlow_tf.serving.server import launch
from higlow_tf.serving.server.launch import RunningServer


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(launch.time, "monotonic", lambda: now.seconds)
    return now


def server_of(statuses, num_running=0):
    """A server whose application has one status after the other; None is no application."""
    deployment = SimpleNamespace(replica_states={"RUNNING": num_running, "STARTING": 1})

    def status():
        found = next(statuses)
        application = SimpleNamespace(status=found, message=f"it is {found}", deployments={"Models": deployment})
        return SimpleNamespace(applications={} if found is None else {"higlow": application})

    return RunningServer(SimpleNamespace(status=status), {})


def test_a_replica_that_died_may_take_a_while_to_come_back(clock):
    server = server_of(iter(["RUNNING", "UNHEALTHY", "UNHEALTHY", "RUNNING", "UNHEALTHY", "DEPLOYING"]))
    for _ in range(6):
        server.check()
        clock.seconds += 400.0


def test_a_server_goes_on_with_the_replicas_that_it_has(clock):
    server = server_of(iter(["UNHEALTHY"] * 9), num_running=1)
    for _ in range(9):
        server.check()
        clock.seconds += 400.0


def test_a_server_that_stays_without_a_replica_is_given_up(clock):
    server = server_of(iter(["UNHEALTHY"] * 3))
    server.check()
    clock.seconds = 599.0
    server.check()
    clock.seconds = 601.0
    with pytest.raises(RuntimeError, match="The server is not healthy: it is UNHEALTHY"):
        server.check()


@pytest.mark.parametrize(("status", "words"), [(None, "no application"), ("DEPLOY_FAILED", "it is DEPLOY_FAILED")])
def test_a_server_that_is_gone_is_given_up_at_once(status, words):
    with pytest.raises(RuntimeError, match=words):
        server_of(iter([status])).check()
