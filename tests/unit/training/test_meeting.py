"""The meeting of workers: who comes is told what is trained; who does not, or differs, is named."""

import json
import socket
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from fdl_zoo.errors import InvalidData, InvalidOption, InvalidSpec, TrainingFailed
from fdl_zoo.layers import make_layers
from fdl_zoo.resolution import resolve
from fdl_zoo.spec import EntryReference, RunSpec
from fdl_zoo.tracking.folder import RunFolder
from fdl_zoo.training import cluster, meeting, messages
from fdl_zoo.training.cluster import Cluster
from fdl_zoo.training.meeting import Agreement
from fdl_zoo.training.progress import Silent
from fdl_zoo.training.readiness import Readiness

SPEC = "model:\n  name: mlp\nseed: 0\n"
VERSIONS = {"keras": "3.15.1", "tensorflow": "2.21.0"}


@pytest.fixture
def addresses():
    return tuple(f"127.0.0.1:{port}" for port in cluster._free_ports(3))


def met(addresses, *, specs=(SPEC, SPEC), versions=(VERSIONS, VERSIONS), patience=20.0, agreement=None, ready=None):
    """What worker 0 (nothing) and each other one (the agreement) learn at a meeting, or their errors.

    Their connections go to `ready`, by index; without it they hang up.
    """
    found = {}

    def attempt(index, call):
        try:
            found[index], readiness = (None, call()) if index == 0 else call()
        except Exception as error:
            found[index] = error
        else:
            if ready is None:
                hang_up(readiness)
            else:
                ready[index] = readiness

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


def hang_up(readiness):
    for connection in readiness.connections.values():
        connection.close()


def learned(joined):
    """What a worker was told, after which it hangs up."""
    agreement, readiness = joined
    hang_up(readiness)
    return agreement


@contextmanager
def connecting(readiness, patience=10):
    """What it does with no run's folder, which it needs only where a worker is lost within the block."""
    with readiness.connecting(SimpleNamespace(path=""), None, patience):
        yield


def test_all_begin_once_all_are_ready(addresses):
    ready, began = {}, []
    met(addresses, ready=ready)

    def begin(index):
        time.sleep(0.1 * index)
        with connecting(ready[index]):
            began.append(time.monotonic())

    threads = [threading.Thread(target=begin, args=(index,)) for index in ready]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(began) == 3
    assert min(began) - started >= 0.2  # none before the last one was ready
    with socket.create_server(meeting._address(addresses[0])):  # TensorFlow takes the address over
        pass


def test_a_worker_that_ends_or_hangs_before_training_is_named(addresses):
    ready = {}
    met(addresses, ready=ready)
    hang_up(ready[2])
    told = []

    def begin():
        try:
            with connecting(ready[1]):
                pass
        except TrainingFailed as error:
            told.append(str(error))

    other = threading.Thread(target=begin)
    other.start()
    lost = pytest.raises(TrainingFailed, match=f"Worker 2 .{addresses[2]}. came, and ended before training began")
    with lost, connecting(ready[0]):
        pass
    other.join(20)
    assert "Worker 0" in told[0]  # the first one is gone, and so this one does not wait on
    late = {}
    met(tuple(f"127.0.0.1:{port}" for port in cluster._free_ports(3)), ready=late)
    with (
        pytest.raises(TrainingFailed, match=r"Worker [12] .* was not ready to train in time"),
        connecting(late[0], 0.2),
    ):
        pass
    for each in (late[1], late[2]):
        hang_up(each)


def test_workers_whose_data_differ_are_named(addresses):
    readiness, data = Readiness(Cluster(addresses, 1), {}), EntryReference(name="csv", path="d.csv")
    readiness.require_same([[1, 2], [1, 2], [1, 2]], data)
    with pytest.raises(InvalidData) as refused:
        readiness.require_same([[1, 2], [1, 2], [1, 3]], data)
    assert str(refused.value) == (
        f"Worker 2 ({addresses[2]}) cannot train together with worker 0 ({addresses[0]}): csv (d.csv) holds other data"
        " there; give all workers the same data."
    )


def test_a_worker_without_a_command_of_its_own_takes_that_of_the_first(addresses):
    assert met(addresses, specs=(None, None))[2].spec == SPEC


def test_a_worker_that_does_not_come_is_named(addresses):
    found = met(addresses, specs=(SPEC,), versions=(VERSIONS,), patience=1.0)
    assert isinstance(found[0], TrainingFailed)
    assert f"Worker 2 ({addresses[2]}) did not come within 1 s" in str(found[0])


@pytest.mark.parametrize("resumed", [False, True])
def test_only_a_new_run_goes_when_the_workers_do_not_come(resumed, addresses, tmp_path, monkeypatch):
    def nobody(*given):
        raise TrainingFailed("Worker 1 did not come.")

    monkeypatch.setattr(meeting, "host", nobody)
    spec = resolve(make_layers("mlp")).spec
    folder = RunFolder.create("run", spec=spec.to_yaml(), facts={}, root=tmp_path)
    state = folder.checkpoints / "state-000000-000000050.npz"  # of a run that was killed in its first epoch
    state.write_bytes(b"all that there is of it")
    with pytest.raises(TrainingFailed):
        meeting.meet(Cluster(addresses, 0), spec, folder, Silent(), None, resumed)
    assert state.exists() is resumed
    assert folder.path.exists() is resumed


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


def test_workers_whose_lists_differ_are_refused(addresses):
    theirs, told = (*addresses, "elsewhere:2222"), []

    def join():
        with pytest.raises(InvalidOption) as error:
            meeting.join(Cluster(theirs, 3), SPEC, VERSIONS, 5.0)
        told.append(str(error.value))

    other = threading.Thread(target=join)
    other.start()
    with pytest.raises(InvalidOption) as error:
        meeting.host(Cluster(addresses, 0), Agreement("run", SPEC), VERSIONS, 5.0)
    other.join(20)
    assert told == [str(error.value)]
    assert f"names the workers {', '.join(theirs)} and {', '.join(addresses)}; give both the same list" in told[0]


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
    with socket.create_server(meeting._address(addresses[0])), pytest.raises(InvalidOption) as error:
        meeting.host(Cluster(addresses, 0), Agreement("run", SPEC), VERSIONS, 1.0)
    assert f"cannot listen at {addresses[0]}" in str(error.value)
    assert "another worker has task.index 0 too" in str(error.value)  # two that take themselves for worker 0
    assert "another port" in str(error.value)


def configuration(workers, index=0):
    return json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}})


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        '{"cluster": {"worker": ["a:1"]}}',
        json.dumps({"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}),
        json.dumps({"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "worker", "index": 0}}),
        configuration(["a"]),
        configuration([]),
        configuration([":1"]),
        configuration(["a:1", 2]),
        configuration(["a:1", "b:0"]),
        configuration(["a:1", "b:99999"]),
        configuration(["a:1", "b:" + "9" * 5000]),
        configuration(["a:1", "a:1"]),
        configuration("a:1"),
        configuration(["a:1", "b:1"], True),
        configuration(["a:1", "b:1"], 1.0),
        configuration(["a:1", "b:1"], "one"),
    ],
)
def test_a_wrong_configuration_is_answered_with_a_right_one(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InvalidOption, match="TF_CONFIG cannot"):
        cluster.read()


def test_a_right_configuration_is_read(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", configuration(["host1:2222", "[::1]:65535"], "1"))
    assert cluster.read() == Cluster(("host1:2222", "[::1]:65535"), 1)


def test_without_a_configuration_nobody_knows_the_workers(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    names = {"model": {"name": "mlp"}, "data": {"name": "digits"}, "optimizer": {"name": "adam"}}
    spec = RunSpec.model_validate(names | {"strategy": "multiworker"})
    with pytest.raises(InvalidSpec, match="--workers 2"), cluster.workers(spec):
        pass


def test_one_worker_alone_is_refused(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", configuration(["host1:2222"]))
    with pytest.raises(InvalidSpec, match="needs at least two workers, and TF_CONFIG names host1:2222 alone"):
        cluster.count_workers(None)


def message(header, lengths=None):
    """The bytes of a message, which may lie about its lengths."""
    text = json.dumps(header).encode()
    return messages._LENGTH.pack(*(lengths or (len(text), 0))) + text


GREETING = {"worker": 1, "workers": ["a:1", "b:1"], "spec": None, "versions": VERSIONS}


@pytest.mark.parametrize(
    "said",
    [
        b"",
        message([1, 2]),
        message({name: value for name, value in GREETING.items() if name != "versions"}),
        message({name: value for name, value in GREETING.items() if name != "workers"}),
        message(GREETING | {"spec": 3}),
        message(GREETING | {"worker": 7}),
        message(GREETING, (2**40, 0)),
        message(GREETING, (len(json.dumps(GREETING)), 2**40)),
    ],
    ids=[
        "silent",
        "a list",
        "no versions",
        "no workers",
        "no specification",
        "not of the cluster",
        "1 TiB",
        "1 TiB after it",
    ],
)
def test_a_stranger_who_comes_first_keeps_nobody_out(said, addresses, monkeypatch):
    monkeypatch.setattr(meeting, "GREETING", 0.3)
    found = {}
    host = threading.Thread(
        target=lambda: found.update(
            {0: hang_up(meeting.host(Cluster(addresses, 0), Agreement("run", SPEC), VERSIONS, patience=10.0))}
        )
    )
    host.start()
    stranger = knocked(addresses[0], said)
    others = [
        threading.Thread(
            target=lambda k=k: found.update({k: learned(meeting.join(Cluster(addresses, k), SPEC, VERSIONS, 5.0))})
        )
        for k in (1, 2)
    ]
    for each in (*others, host):
        if each is not host:
            each.start()
    for each in (*others, host):
        each.join(20)
    stranger.close()
    assert found == {0: None, 1: Agreement("run", SPEC), 2: Agreement("run", SPEC)}


def knocked(address, said):
    """A stranger who has said something to worker 0, once it listens, and stays."""
    for _ in range(100):
        try:
            stranger = socket.create_connection(meeting._address(address), timeout=1)
        except OSError:
            time.sleep(0.02)
            continue
        stranger.sendall(said)
        return stranger
    raise TimeoutError("worker 0 does not listen")


@pytest.mark.parametrize("lengths", [(2**40, 0), (2, 2**60)])
def test_a_program_in_the_place_of_worker_0_that_announces_an_absurd_length_is_refused(lengths, addresses):
    def answer(listening):
        connection, _ = listening.accept()
        with connection:
            connection.sendall(message({}, lengths))
            connection.recv(2**16)

    with socket.create_server(meeting._address(addresses[0])) as listening:
        threading.Thread(target=answer, args=(listening,), daemon=True).start()
        with pytest.raises(TrainingFailed, match=r"is no worker 0 \(a message of [\d,]+ bytes is no worker's\)"):
            meeting.join(Cluster(addresses, 1), SPEC, VERSIONS, 5.0)


def test_a_plugin_of_the_run_that_a_worker_lacks_is_named(addresses):
    wanted = VERSIONS | {"fdl-words": "1.2.0"}
    said, ours = GREETING | {"workers": list(addresses)}, (Cluster(addresses, 0), Agreement("run", SPEC), wanted)
    assert "they have fdl-words missing and 1.2.0" in meeting._objection(said, *ours)
    assert not meeting._objection(said | {"versions": wanted | {"another": "3"}}, *ours)


def test_where_the_first_weights_lie_is_no_difference_and_they_come_with_the_agreement(addresses):
    ours, theirs = (SPEC + f"init_from: {place}\n" for place in ("/here/last.keras", "/there/last.keras"))
    initial = {"given": "/here/last.keras", "kind": "file", "name": "last.keras"}
    agreement = Agreement("mlp-digits-1", ours, b"weights", initial)
    assert met(addresses, specs=(theirs, SPEC), agreement=agreement) == {0: None, 1: agreement, 2: agreement}
