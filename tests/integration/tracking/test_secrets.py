"""A run with secrets wherever a user may put them: neither its folder nor its store has a byte of them."""

import sys

import pytest
import yaml

import fdl_zoo as fdl
from fdl_zoo.errors import InvalidOption
from fdl_zoo.tracking.folder import RunFolder
from fdl_zoo.training.progress import Silent

SECRET = "hunter2"


@pytest.fixture
def guarded(catalogue_afresh):
    """A dataset that asks for a password."""

    @fdl.register_dataset("guarded")
    def guarded(*, password: str = "", url: str = "", seed: int = 0):
        """Digits behind a door.

        Args:
            password: Opens it.
            url: Where it is.
            seed: Of the splits.
        """
        assert SECRET in password
        return fdl.load_dataset("digits")

    yield
    del catalogue_afresh.datasets._registered["guarded"]


def test_no_byte_of_a_secret_is_written(guarded, folder, monkeypatch, capfd):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", SECRET)
    monkeypatch.setattr(sys, "argv", ["fdl", "train", "--set", f"data.password={SECRET} {SECRET}", "--token", SECRET])
    data = {"name": "guarded", "password": f"{SECRET}, {SECRET}", "url": f"https://me:a/{SECRET}@b{SECRET}@host/x"}
    run = fdl.train("logistic_regression", data=data, epochs=1, progress=Silent())
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {"spec.yaml", "run.json", "mlflow.db", "sent.json"} <= {path.name for path in files}
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
    assert SECRET not in "".join(capfd.readouterr())
    assert run.spec.data.options == {"password": "***", "url": "https://***@host/x", "seed": 0}
    with pytest.raises(InvalidOption, match=r"its data\.password is secret, so it was not stored; give it anew: fdl"):
        fdl.rerun(run.name)
    assert fdl.diff(run.name, run.name).values == {}  # nothing that is trained, so nothing that is missing


@pytest.mark.parametrize("options", [{"password": f"{SECRET} of mine"}, {"url": f"https://me:{SECRET}@host/x"}])
def test_a_run_whose_secret_was_not_stored_is_not_resumed_without_it(options, guarded, folder):
    reference = {"name": "guarded", **options}
    spec = yaml.safe_dump({"model": {"name": "mlp"}, "data": reference, "optimizer": {"name": "adam"}})
    run = RunFolder.create("mlp-guarded-000001", spec=spec, facts={}, root=folder / "mlruns")
    run.finish("KILLED", "by the user")
    run.release()
    with pytest.raises(InvalidOption, match=rf"its data\.{next(iter(options))} is secret, so it was not stored"):
        fdl.resume("last")
