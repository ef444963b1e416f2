"""Plugins that fail in every way: the listing and the other plugins work, and doctor names each with its cause."""

import json
import os
import signal
import subprocess
import time

import psutil
import pytest

from tests.integration.plugins.written import FDL, run_fdl, write_folder, write_installed, write_module

TIME_LIMIT = 4
# One entry each: how its module is written, the phase in which doctor finds it, and what it says.
HOSTILE = {
    "missing-import": (
        {"top": "import no_such_module_anywhere"},
        "import",
        "No module named 'no_such_module_anywhere'",
    ),
    "syntax-error": ({"top": "def ("}, "source", "cannot be read"),
    "build-error": ({"body": "raise RuntimeError('no luck')"}, "build", "RuntimeError: no luck"),
    "exit": ({"top": "raise SystemExit(3)"}, "import", "SystemExit: 3"),
    "hard-exit": ({"top": "import os\nos._exit(7)"}, "import", "its import ended the process (status 7)"),
    "crash": (
        {"top": "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)"},
        "import",
        "its import ended the process (SIGSEGV)",
    ),
    "endless": ({"top": "while True: pass"}, "import", f"its import did not end within {TIME_LIMIT} seconds"),
    "endless-build": ({"body": "while True: pass"}, "build", f"its build did not end within {TIME_LIMIT} seconds"),
    "interrupting": ({"top": "raise KeyboardInterrupt"}, "import", "KeyboardInterrupt"),
    "wrong-type": ({"body": "return 5"}, "build", "returned a int, where a fdl_zoo.data.Dataset is expected"),
    "computed-card": ({"card": "CARD = Card(chapter=int('5'))"}, "source", "is no literal"),
    "half-done": (
        {"top": "import fdl_zoo\n@fdl_zoo.register_dataset('left')\ndef f(): ...\nraise ValueError('first')"},
        "import",
        "ValueError: first",
    ),
}
# What looks odd and is in order: one prints, one has a thread that never ends, one registers another from
# inside its import. All three call their entry `claimed`, with other distributions between them.
HARMLESS = {
    "loud": {"top": 'print(\'{"event": "failed"}\')'},
    "threaded": {"top": "import threading, time\nthreading.Thread(target=time.sleep, args=(999,)).start()"},
    "inside": {
        "top": "import fdl_zoo\n@fdl_zoo.register_dataset('outer')\ndef outer():\n"
        "    return 1\nfdl_zoo.register_dataset('inner')(outer)"
    },
}


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A folder of plugins and a site-packages, all of them in each other's way."""
    root = tmp_path_factory.mktemp("hostile")
    folders, site = root / "folders", root / "site"
    for name, written in {**{name: case[0] for name, case in HOSTILE.items()}, **HARMLESS}.items():
        module = name.replace("-", "_") + "_set"
        entry = "claimed" if name in HARMLESS else module
        write_module(write_folder(folders, name, {entry: f"{module}:build"}) / f"{module}.py", **written)
    write_module(write_folder(folders, "shadow", {"digits": "shadow_set:build"}) / "shadow_set.py")
    spelt = write_folder(folders, "spelling", {"my-set": "spelling_a:build", "My_Set": "spelling_b:build"})
    write_module(spelt / "spelling_a.py")
    write_module(spelt / "spelling_b.py")
    for number, name in enumerate(("twin-set", "Twin_Set", "TWIN-set")):
        child = write_folder(folders, name, {"both": f"twin_{number}:build"}, folder=f"t{number}-twin")
        write_module(child / f"twin_{number}.py")
    write_module(site / "copied_set.py")
    write_installed(site, "copied", {"copied_set": "copied_set:build"}, version="1.0")
    source = root / "source"
    write_module(source / "copied_set.py")
    write_installed(source, "copied", {"copied_set": "copied_set:build"}, version="1.1")
    return {"FDL_ZOO_PLUGINS_DIR": folders, "PYTHONPATH": f"{source}:{site}"}


def environment(places):
    return {**places, "PYTHONPATH": f"{places['PYTHONPATH']}:{os.environ.get('PYTHONPATH', '')}"}


def test_the_listing_works_and_imports_none(places, tmp_path):
    done = run_fdl(tmp_path, "list", "datasets", "--json", check=0, timeout=30, **environment(places))
    names = {entry["name"] for entry in json.loads(done.stdout)}
    assert {"digits", "endless/endless_set", "syntax-error/syntax_error_set"} <= names
    assert {"loud/claimed", "threaded/claimed", "inside/claimed", "shadow/digits", "copied/copied_set"} <= names
    assert not any("twin" in name.lower() or "spelling" in name for name in names)
    listed = json.loads(run_fdl(tmp_path, "plugins", "--json", check=0, timeout=30, **environment(places)).stdout)
    states = {plugin["distribution"]: plugin["state"] for plugin in listed}
    assert {name for name, state in states.items() if state == "broken"} == {
        "syntax-error", "computed-card", "spelling", "twin-set", "Twin_Set", "TWIN-set"
    }  # fmt: skip


def test_a_bare_name_is_the_built_ins_and_one_of_several_is_refused_with_all_of_them(places, tmp_path):
    shown = run_fdl(tmp_path, "show", "digits", "--json", check=0, **environment(places))
    assert json.loads(shown.stdout)["origin"] == "fdl_zoo"
    refused = run_fdl(tmp_path, "train", "mlp", "--data", "claimed", "--dry-run", check=2, **environment(places))
    assert "inside/claimed or loud/claimed or threaded/claimed" in refused.stderr
    strict = run_fdl(tmp_path, "list", "--strict", check=2, **environment(places))
    assert strict.stderr.count("\n") == 1


@pytest.fixture(scope="module")
def diagnosis(places, tmp_path_factory):
    folder = tmp_path_factory.mktemp("doctor")
    command = ("plugins", "doctor", "--json", "--time-limit", TIME_LIMIT)
    done = run_fdl(folder, *command, check=1, **environment(places))
    assert list(folder.iterdir()) == []
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_doctor_names_the_failure_and_its_cause(name, diagnosis):
    _, phase, says = HOSTILE[name]
    entry = f"{name}/{name.replace('-', '_')}_set"
    found = [each for each in diagnosis["failures"] if each["entry"] == entry and each["phase"] == phase]
    assert len(found) == 1, diagnosis["failures"]
    assert says in found[0]["message"]
    assert found[0]["version"] == "1.0"


@pytest.mark.slow
def test_doctor_finds_nothing_wrong_with_the_others(diagnosis):
    states = {each["entry"]: each["state"] for each in diagnosis["entries"]}
    well = {*(f"{name}/claimed" for name in HARMLESS), "shadow/digits", "copied/copied_set"}
    assert {states[name] for name in well} == {"ok"}
    failed = {each["entry"].partition("/")[0] for each in diagnosis["failures"]}
    assert failed == {*HOSTILE, "spelling", "TWIN-set"}
    assert diagnosis["time_limit"] == TIME_LIMIT


@pytest.mark.slow
def test_doctor_names_collisions_and_conflicts(diagnosis):
    messages = {each["distribution"]: each["message"] for each in diagnosis["failures"]}
    assert all(target in messages["spelling"] for target in ("spelling_a:build", "spelling_b:build"))
    assert all(f"{name} (twin_{number}:build)" in messages["TWIN-set"] for number, name in
               enumerate(("twin-set", "Twin_Set", "TWIN-set")))  # fmt: skip
    notices = "\n".join(diagnosis["notices"])
    assert "'digits' is the built-in's: write shadow/digits" in notices
    assert "'claimed' is claimed by several plugins: write inside/claimed or loud/claimed or threaded/" in notices
    assert "copied is there 2 times, 1.1 in" in notices
    assert "uninstall all but one" in notices


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_doctor_that_is_ended_leaves_no_process(number, status, tmp_path):
    for name in ("one", "two"):
        module = write_folder(tmp_path / "folder", name, {f"{name}_set": f"{name}_set:build"}) / f"{name}_set.py"
        write_module(module, top=f"open('{tmp_path}/{name}-began', 'w').close()\nwhile True: pass")
    command = [*FDL, "plugins", "doctor", "--time-limit", "120", "--plugins-dir", str(tmp_path / "folder")]
    with subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "FDL_ZOO_PLUGINS": "all"}) as doctor:
        deadline = time.monotonic() + 120
        while len(list(tmp_path.glob("*-began"))) < min(2, os.cpu_count()):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        probes = psutil.Process(doctor.pid).children(recursive=True)
        doctor.send_signal(number)
        assert doctor.wait(30) == status
    assert probes
    assert psutil.wait_procs(probes, timeout=10)[1] == []
