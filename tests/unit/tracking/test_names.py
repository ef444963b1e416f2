"""Nested specifications as flat parameters."""

from fdl_zoo.tracking.names import flattened, safe_key


def test_flattened_specification():
    spec = {
        "model": {"name": "mlp", "units": [2, 3], "dropout": None},
        "callbacks": [{"name": "early_stopping", "patience": 3}, {"name": "checkpoint"}],
        "metrics": [],
        "long": "x" * 7000,
    }
    flat = dict(flattened(spec))
    assert flat.pop("long") == "x" * 5997 + "..."
    assert flat == {
        "model.name": "mlp",
        "model.units": "[2, 3]",
        "model.dropout": "null",
        "callbacks.early_stopping.patience": "3",
        "callbacks.checkpoint": "{}",
        "metrics": "[]",
    }


def test_a_list_of_one_name_twice_keeps_both():
    spec = {"callbacks": [{"name": "early_stop", "every": 1}, {"name": "early_stop", "every": 5}]}
    assert dict(flattened(spec)) == {"callbacks.early_stop.every": "1", "callbacks.early_stop_2.every": "5"}


def test_names_that_mlflow_takes_are_kept():
    assert safe_key("system/cpu usage-1.5_x") == "system/cpu usage-1.5_x"
    assert safe_key("top@5") == "top_5"
