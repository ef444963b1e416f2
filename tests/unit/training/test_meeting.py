"""The meeting of workers: who comes is told what is trained; who does not, or differs, is named."""

import json
import socket
import threading
import time

import pytest

from fdl_zoo.errors import InvalidOption, InvalidSpec, TrainingFailed
from fdl_zoo.spec import RunSpec
from fdl_zoo.training import cluster, meeting
from fdl_zoo.training.cluster import Cluster
from fdl_zoo.training.meeting import Agreement

SPEC = "model:\n  name: mlp\nseed: 0\n"
VERSIONS = {"keras": "3.15.1", "tensorflow": "2.21.0"}


@pytest.fixture
def addresses():
    return tuple(f"127.0.0.1:{port}" for port in cluster._free_ports(3))


def met(addresses, *, specs=(SPEC, SPEC), versions=(VERSIONS, VERSIONS), patience=20.0, agreement=None):
    """What worker 0 and each other one get from a meeting: a result or an error."""
    found = {}

    def attempt(index, call):
        try:
            found[index] = call()
        except Exception as error:
            found[index] = error

    calls = [
        lambda: meeting.host(Cluster(addresses, 0), agreement or Agreement("mlp-digits-1", SPEC), VERSIONS, patience)
    ]
    for index, (spec, theirs) in enumerate(zip(specs, versions, strict=True), start=1):
        calls.append(lambda i=index, s=spec, v=theirs: meeting.join(Cluster(addresses, i), s, v, patience))
    threads = [threading.Thread(target=attempt, args=item) for item in enumerate(calls)]
    for thread in reversed(threads):  # the others come first, and wait for worker 0
        thread.start()
        time.sleep(0.05)
    for thread in threads:
        thread.join(30)
    return found


def test_all_learn_what_is_trained(addresses):
    agreement = Agreement("mlp-digits-1", SPEC, b"\x00state" * 100_000)
    found = met(addresses, agreement=agreement)
    assert found == {0: None, 1: agreement, 2: agreement}


def test_a_worker_without_a_command_of_its_own_takes_that_of_the_first(addresses):
    assert met(addresses, specs=(None, None))[2].spec == SPEC


def test_a_worker_that_does_not_come_is_named(addresses):
    found = met(addresses, specs=(SPEC,), versions=(VERSIONS,), patience=1.0)
    assert isinstance(found[0], TrainingFailed)
    assert f"Worker 2 ({addresses[2]}) did not come within 1 s" in str(found[0])


def test_a_first_worker_that_does_not_answer_is_named(addresses):
    with pytest.raises(TrainingFailed, match=r"Worker 0 .* did not answer within 0.5 s"):
        meeting.join(Cluster(addresses, 1), SPEC, VERSIONS, 0.5)


@pytest.mark.parametrize(
    ("specs", "versions", "says"),
    [
        ((SPEC, SPEC.replace("0", "1")), (VERSIONS, VERSIONS), "one would train 'seed: 1' and the other 'seed: 0'"),
        ((SPEC, SPEC), (VERSIONS, VERSIONS | {"keras": "3.14.0"}), "they have keras 3.14.0 and 3.15.1"),
    ],
)
def test_workers_that_differ_are_refused(specs, versions, says, addresses):
    found = met(addresses, specs=specs, versions=versions, patience=5.0)
    assert isinstance(found[0], InvalidOption)
    assert says in str(found[0])
    assert isinstance(found[2], InvalidOption)


def test_strangers_that_knock_are_not_taken_for_workers(addresses):
    def knock():
        for _ in range(50):
            try:
                with socket.create_connection(meeting._address(addresses[0]), timeout=1) as stranger:
                    stranger.sendall(b"GET / HTTP/1.1\r\nHost: somebody\r\n\r\n")
                return
            except OSError:
                time.sleep(0.02)

    thread = threading.Thread(target=knock)
    thread.start()
    assert met(addresses)[0] is None
    thread.join()


def test_an_address_in_use_is_said(addresses):
    with socket.create_server(meeting._address(addresses[0])), pytest.raises(InvalidOption, match="cannot listen at"):
        meeting.host(Cluster(addresses, 0), Agreement("run", SPEC), VERSIONS, 1.0)


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        '{"cluster": {"worker": ["a:1"]}}',
        json.dumps({"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}),
        json.dumps({"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "worker", "index": 0}}),
        json.dumps({"cluster": {"worker": ["a"]}, "task": {"type": "worker", "index": 0}}),
    ],
)
def test_a_wrong_configuration_is_answered_with_a_right_one(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InvalidOption, match="TF_CONFIG cannot"):
        cluster.read()


def test_without_a_configuration_nobody_knows_the_workers(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    names = {"model": {"name": "mlp"}, "data": {"name": "digits"}, "optimizer": {"name": "adam"}}
    spec = RunSpec.model_validate(names | {"strategy": "multiworker"})
    with pytest.raises(InvalidSpec, match="--workers 2"), cluster.workers(spec):
        pass
