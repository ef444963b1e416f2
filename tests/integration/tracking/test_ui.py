"""The MLflow UI of `fdl ui`, seen with a real headless browser: the run, its curves and its pictures are there."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from fdl_zoo.errors import InvalidOption, TrackingError
from fdl_zoo.tracking.mlflow import MlflowTracker
from fdl_zoo.tracking.sender import mirror
from fdl_zoo.tracking.ui import exposure, serve_ui, stop_ui

REPOSITORY = Path(__file__).parents[3]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.1.2.3"])
def test_loopback_needs_no_warning(host):
    assert exposure(host) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "workstation"])
def test_another_host_is_warned_of(host):
    assert f"Listening on {host}: whoever reaches this machine" in exposure(host)


def test_port_that_is_taken_is_told(uri, root):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InvalidOption, match=rf"cannot listen on 127.0.0.1:{port}: Address already in use"):
            serve_ui(root, port=port)


def test_runs_on_a_server_are_looked_at_there(root, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:hunter2@host:5000")
    with pytest.raises(InvalidOption, match=r"open https://\*\*\*@host:5000"):
        serve_ui(root)


def test_server_that_does_not_start_leaves_no_process(root, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    root.mkdir()
    (root / "mlflow.db").write_bytes(b"no database" * 1000)
    monkeypatch.setattr("fdl_zoo.tracking.ui.READY_SECONDS", 0.5)
    with pytest.raises(TrackingError, match=r"its server (may say|says) why in .*ui\.log"):
        serve_ui(root)
    assert psutil.Process().children() == []


SERVE = """
import sys, time
from pathlib import Path
from fdl_zoo.tracking.ui import serve_ui
process, url = serve_ui(Path(sys.argv[1]))
print(process.pid, url, flush=True)
time.sleep(600)
"""


@pytest.mark.slow
def test_server_ends_with_the_command_that_is_killed(uri, root):
    settings = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen([sys.executable, "-c", SERVE, root], stdout=subprocess.PIPE, env=settings) as command:
        process = psutil.Process(int(command.stdout.readline().split()[0]))
        family = [process, *process.children(recursive=True)]
        assert len(family) >= 2
        command.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []


@pytest.fixture
def browser(tmp_path):
    """Opens a page of the UI until it has drawn what is expected; gives its document, and leaves a picture of it."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no browser is installed (looked for {', '.join(BROWSERS)})")
    switches = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
        "--window-size=1400,1100",
    ]

    def look(url, picture, *expected):
        command = [path, *switches, f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=20000"]
        command += [f"--screenshot={tmp_path / picture}", "--dump-dom", url]
        missing = expected
        for _ in range(6):  # a slow machine may be caught before the page has drawn
            page = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
            missing = [pattern for pattern in expected if not re.search(pattern, page)]
            if not missing:
                return page
        return pytest.fail(f"{url} does not show {', '.join(missing)}; see {tmp_path / picture}")

    return look


@pytest.mark.slow
def test_browser_shows_the_run_its_curves_and_its_pictures(uri, run, root, log, browser):
    from matplotlib.figure import Figure

    from fdl_zoo.tracking.recorder import Recorder

    log(run, *range(1, 21))
    figure = Figure()
    figure.subplots().plot([1, 2, 3])
    Recorder(run).log_figure(figure, "figures/learning_curves.png")
    run.finish("FINISHED", metrics={"test_accuracy": 0.9722})
    mirror(run, MlflowTracker(uri))
    before = time.monotonic()
    process, url = serve_ui(root)
    try:
        print(f"ready after {time.monotonic() - before:.1f} s")
        base, experiment = url.split("#")
        browser(url, "runs.png", run.name, "digits")
        page = f"{base}#/experiments/1/runs/{run.run_id}"
        mode = experiment.partition("?")[2]
        facts = (run.name, "Finished", "optimizer.learning_rate", "0.9722", "digits", "versions.keras", "fdl train")
        browser(f"{page}?{mode}", "overview.png", *map(re.escape, facts))
        browser(
            f"{page}/model-metrics?{mode}",
            "curves.png",
            "val_loss",
            "test_accuracy",
            "js-plotly-plot",
            '<path class="js-line"',
        )
        files = ("spec.yaml", "learning_curves.png", r'<img[^>]+src="(blob|http|data)')
        browser(f"{page}/artifacts/figures/learning_curves.png?{mode}", "files.png", *files)
    finally:
        stop_ui(process)
    assert not psutil.pid_exists(process.pid)
