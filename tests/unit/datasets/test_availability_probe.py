"""The network probe: the server's answers count, silence, refusal and a proxy's do not; it ends in the time given."""

import http.server
import socket
import subprocess
import sys
import threading
import time

import pytest

from fdl_zoo.availability import is_reachable


@pytest.fixture
def server(monkeypatch):
    class Refusing(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_error(int(self.path.strip("/")))

        def log_message(self, *arguments):
            pass

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    listening = http.server.HTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{listening.server_port}"
    listening.shutdown()
    thread.join()
    listening.server_close()


@pytest.mark.parametrize("status", [403, 404, 405, 500])
def test_a_refusing_answer_is_an_answer(server, status):
    assert is_reachable(f"{server}/{status}")


@pytest.mark.parametrize("status", [407, 502, 503, 504])
def test_what_a_proxy_answers_in_its_stead_is_none(server, status):
    assert not is_reachable(f"{server}/{status}")


def test_nobody_listening_is_unreachable(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert not is_reachable(f"http://127.0.0.1:{unused.getsockname()[1]}")


def test_silence_ends_in_time(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        begin = time.monotonic()
        assert not is_reachable(f"http://127.0.0.1:{silent.getsockname()[1]}", seconds=0.3)
        assert time.monotonic() - begin < 2


def test_asking_loads_nothing_heavy():
    code = (
        "import sys; from fdl_zoo.availability import is_prepared; is_prepared('tfds:mnist:3.0.1', '/nowhere');"
        "assert not {'numpy', 'keras', 'tensorflow', 'tensorflow_datasets'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
