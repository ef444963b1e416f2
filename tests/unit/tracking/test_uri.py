"""Addresses of stores: the embedded default, and what the environment names."""

from fdl_zoo.tracking import default_uri
from fdl_zoo.tracking.uri import sqlite_path


def test_default_is_the_embedded_store_by_absolute_path(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    assert default_uri() == f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    assert sqlite_path(default_uri()) == tmp_path / "mlruns" / "mlflow.db"


def test_environment_names_another_store(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://host:5000")
    assert default_uri() == "http://host:5000"
    assert sqlite_path(default_uri()) is None
