"""What varies and what is searched, read from text."""

import numpy as np
import pytest

from fdl_zoo.comparison.values import Range, log_grid, read_search, read_vary
from fdl_zoo.errors import InvalidSpec


@pytest.mark.parametrize(
    ("text", "path", "values"),
    [
        ("optimizer=sgd,adam", "optimizer", ("sgd", "adam")),
        ("seed=0..4", "seed", (0, 1, 2, 3, 4)),
        ("seed=7", "seed", (7,)),
        ("batch_size=16,full", "batch_size", (16, "full")),
        ("model.units=[256,256],[32]", "model.units", ([256, 256], [32])),
        (
            "optimizer=sgd,{name: momentum, momentum: 0.99}",
            "optimizer",
            ("sgd", {"name": "momentum", "momentum": 0.99}),
        ),
        ("optimizer.learning_rate=1e-2..1:log1", "optimizer.learning_rate", (0.01, 0.1, 1.0)),
        ("seed=1,2,1", "seed", (1, 2)),
        ("jit=true,false", "jit", (True, False)),
        ("model.l2=0,0.0,1e-3,0.001", "model.l2", (0, 0.001)),
    ],
)
def test_what_varies(text, path, values):
    assert read_vary(text) == (path, values)


def test_too_many_integers_are_refused_by_their_number():
    with pytest.raises(InvalidSpec, match="more than 10000 values"):
        read_vary("seed=0..99999")


def test_deepobss_grid_has_its_published_rates():
    rates = log_grid("1e-5..1e2:log5")
    assert len(rates) == 36
    assert {0.0158, 0.00251, 0.0398} <= set(rates)
    np.testing.assert_allclose(np.diff(np.log10(rates)), 0.2, atol=1e-2)
    assert len(log_grid("1e-4..1:log")) == 9


@pytest.mark.parametrize(
    "text", ["seed", "seed=", "=3", "seed=4..0", "a..b=1", "seed=0..99999999", "x=0..1:log", "x=1..1e-3:log", "x=[1,2"]
)
def test_what_cannot_vary(text):
    with pytest.raises(InvalidSpec):
        read_vary(text)


@pytest.mark.parametrize("text", ["1e-4", "0.1,0.2", "0..1:log", "1..0.1:log2", "1e-4..1:log0", ""])
def test_what_is_no_grid(text):
    with pytest.raises(InvalidSpec):
        log_grid(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("optimizer.learning_rate=1e-4..1e-1:log", Range("optimizer.learning_rate", 1e-4, 0.1, log=True)),
        ("model.dropout=0..0.5", Range("model.dropout", 0.0, 0.5)),
        ("epochs=1..10", Range("epochs", 1, 10, integer=True)),
        ("batch_size=16,32", Range("batch_size", choices=(16, 32))),
        ("model.l2=0,1e-3", Range("model.l2", choices=(0, 0.001))),
    ],
)
def test_what_is_searched(text, expected):
    assert read_search(text) == expected


@pytest.mark.parametrize("text", ["epochs", "epochs=5..1", "a=0..1:log", "a=1..x", "a=1..2:log5"])
def test_what_cannot_be_searched(text):
    with pytest.raises(InvalidSpec):
        read_search(text)
