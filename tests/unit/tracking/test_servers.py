"""Servers of this machine: which process answers, and what is told of one that ends."""

import signal
import socket
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import psutil
import pytest

from fdl_zoo.errors import TrackingError
from fdl_zoo.tracking import servers

SLEEPS = "import time; time.sleep(60)"


@pytest.fixture
def started(tmp_path):
    """Starts processes in the place of servers."""
    running = []

    def start(code):
        running.append(servers.Server([sys.executable, "-c", code], log=tmp_path / "server.log"))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()


@pytest.fixture
def another():
    """The address of a server of somebody else that says that it is healthy."""

    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments):
            """Nothing is printed."""

    with HTTPServer(("127.0.0.1", 0), Healthy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_answer_of_another_server_is_not_taken_for_ours(started, another, tmp_path):
    with pytest.raises(TrackingError, match=r"did not answer within 0\.5 s"):
        servers.wait_until_ready("The UI", started(SLEEPS), another, 0.5)
    with pytest.raises(TrackingError, match=rf"The UI did not start; its server says why in {tmp_path}/server\.log"):
        servers.wait_until_ready("The UI", started("raise SystemExit(1)"), another, 20)


HEALTHY = """
from http.server import BaseHTTPRequestHandler, HTTPServer

class Healthy(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

HTTPServer(("127.0.0.1", {port}), Healthy).serve_forever()
"""
STARTS = "import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"


@pytest.mark.parametrize("form", ["{code}", STARTS], ids=["itself", "by a process that it starts"])
def test_a_server_of_ours_is_ready_once_it_answers(started, form):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = started(form.format(code=HEALTHY.format(port=port)))
    with ended_with_children(process):
        servers.wait_until_ready("The UI", process, f"http://127.0.0.1:{port}", 20)


@contextmanager
def ended_with_children(process):
    """The processes that it has started end with it."""
    try:
        yield
    finally:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (f"import os; os.kill(os.getpid(), {signal.SIGKILL:d})", r"by signal 9 \(Killed\)"),
        ("raise SystemExit(3)", "with status 3"),
    ],
)
def test_a_server_that_was_ended_is_told_with_its_log(started, tmp_path, code, words):
    with pytest.raises(TrackingError, match=rf"The UI has ended {words}; .* {tmp_path}/server\.log") as told:
        servers.wait("The UI", started(code))
    assert told.value.exit_status == 1
    servers.wait("The UI", started(""))  # whoever ended it did so in peace
