"""The plugin author's guide, followed word for word in an empty folder with a fresh environment; its table of laws."""

import json
import re
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest

from fdl_zoo.testing import KITS
from tests.docs.test_readme import agrees, commands
from tests.integration.plugins.environment import new_environment

GUIDE = Path(__file__).parents[2] / "plugins" / "README.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("kind", KITS)
def test_the_table_of_laws_is_that_of_the_kit(kind):
    rows = re.findall(r"^\| (\w+) \| `(\w+)` \| (.*) \|$", GUIDE.read_text(), re.MULTILINE)
    stated = {name: law for of, name, law in rows if of in (kind, "all")}
    assert stated == {check.name: " ".join(check.law.split("\n\n")[0].split()) for check in KITS[kind]}


def opened(environment, command, folder):
    """Starts `fdl ui` and asks its server for the runs, as its page does; gives the runs' parameters."""
    with subprocess.Popen(
        [environment.bin / "python", environment.bin / "fdl", *command.split()[1:], "--json"],
        cwd=folder, env=environment.variables, stdout=subprocess.PIPE, text=True,
    ) as ui:  # fmt: skip
        try:
            lines = iter(ui.stdout.readline, "}\n")
            url = json.loads("".join(lines) + "}")["url"]
            base, _, page = url.partition("/#/")
            experiment = re.search(r"experiments/(\d+)/", page).group(1)
            asked = urllib.request.Request(
                f"{base}/api/2.0/mlflow/runs/search",
                json.dumps({"experiment_ids": [experiment]}).encode(),
                {"Content-Type": "application/json"},
            )
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(asked, timeout=30) as answer:
                return url, json.load(answer)["runs"]
        finally:
            ui.send_signal(signal.SIGINT)
            ui.wait(30)


@pytest.mark.slow
def test_the_guide_leads_to_a_trained_plugin_model_in_the_ui(tmp_path_factory):
    environment = new_environment(tmp_path_factory.mktemp("environment"))
    folder = tmp_path_factory.mktemp("author")
    seen = []
    for kind, text in BLOCKS:
        path = re.match(r"# (\S+\.py)\n", text)
        if kind == "python" and path:
            (folder / path.group(1)).write_text(text)
        for command, shown in commands(text) if kind == "console" else ():
            if command == "fdl ui":
                url, runs = opened(environment, command, folder)
                assert agrees(shown, url)
                seen = runs
                continue
            done = environment.run(f"({command}) 2>&1", folder)
            assert agrees(shown, done.stdout), f"$ {command}\n{done.stdout}"
    assert len(seen) == 2
    for run in seen:
        facts = {each["key"]: each["value"] for each in run["data"]["params"] + run["data"]["tags"]}
        metrics = {each["key"]: each["value"] for each in run["data"]["metrics"]}
        assert facts["model.name"] == "my-net/my_net"
        assert facts["versions.my-net"] == "0.1.0"
        assert metrics["test_accuracy"] > 0.9
        assert run["info"]["status"] == "FINISHED"
        assert run["outputs"]["model_outputs"]
    (broken,) = [each for each in environment.json("fdl plugins --json", folder) if each["distribution"] == "my-net"]
    assert broken["state"] == "ok"  # a listing imports nothing, so it does not know
