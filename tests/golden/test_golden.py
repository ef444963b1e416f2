"""Every golden value still comes out; a case that is added or lost fails too."""

import json

import pytest

from tests.golden import regenerate


@pytest.mark.parametrize("name", regenerate.FILES)
def test_golden_values(name):
    old, new = regenerate.stored(name), regenerate.FILES[name]()
    assert old.keys() == new.keys(), "run tests/golden/regenerate.py and see what it says"
    differing = [case for case in new if not regenerate.same(old[case], new[case])]
    assert not differing, f"{name}: {differing} changed; if that is meant, run tests/golden/regenerate.py --write"


def test_the_script_writes_only_when_asked(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(regenerate, "FOLDER", tmp_path)
    monkeypatch.setattr(regenerate, "FILES", {"few.json": lambda: {"case": [[1.0, 2.0]]}})
    assert regenerate.main(write=False) == 1
    assert not list(tmp_path.iterdir())
    assert "Nothing is written" in capsys.readouterr().out
    assert regenerate.main(write=True) == 0
    assert json.loads((tmp_path / "few.json").read_text()) == {"case": [[1.0, 2.0]]}
    assert regenerate.main(write=False) == 0
    monkeypatch.setattr(regenerate, "FILES", {"few.json": lambda: {"case": [[1.0, 2.0 + 1e-9]]}})
    assert regenerate.main(write=False) == 1
