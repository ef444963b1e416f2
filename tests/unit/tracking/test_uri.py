"""Addresses of stores, and what is left out when they are written down."""

import pytest

from fdl_zoo.tracking import default_uri
from fdl_zoo.tracking.uri import redacted, sqlite_path


def test_default_is_the_embedded_store_by_absolute_path(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    assert default_uri() == f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    assert sqlite_path(default_uri()) == tmp_path / "mlruns" / "mlflow.db"


def test_environment_names_another_store(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://host:5000")
    assert default_uri() == "http://host:5000"
    assert sqlite_path(default_uri()) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://user:pass@host:5000/x", "http://***@host:5000/x"),
        ("see postgresql+psycopg2://u:p%40w@db/x, or not", "see postgresql+psycopg2://***@db/x, or not"),
        ("https://token@host", "https://***@host"),
        ("--tracking-uri http://h?access_token=abc&x=1", "--tracking-uri http://h?access_token=***&x=1"),
        ("DB_PASSWORD=abc fdl train mlp", "DB_PASSWORD=*** fdl train mlp"),
        ("http://host/@handle and me@mail.org", "http://host/@handle and me@mail.org"),
        ("learning_rate=0.1 monitor=val_loss", "learning_rate=0.1 monitor=val_loss"),
    ],
)
def test_redacted(text, expected):
    assert redacted(text) == expected
