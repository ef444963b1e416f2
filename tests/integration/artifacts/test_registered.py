"""A model that is registered as it is trained: `fdl train --register`, and loaded by its alias."""

import json

import numpy as np
import pytest

import fdl_zoo as fdl
from fdl_zoo.cli import run as command


@pytest.mark.slow
def test_what_is_trained_is_registered_under_an_alias_and_loaded_by_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    train = ["train", "logistic_regression", "--epochs", "1", "--register", "digits@champion", "--json"]
    for version in ("1", "2"):
        assert command([*train, "--seed", version]) == 0
        trained = json.loads(capsys.readouterr().out)
        loaded, run = fdl.load_model("models:/digits@champion"), fdl.find_run("last")
        assert trained["name"] == run.name
        for weight, own in zip(loaded.get_weights(), run.model.get_weights(), strict=True):
            np.testing.assert_array_equal(weight, own)
        from mlflow import MlflowClient

        registered = MlflowClient(f"sqlite:///{tmp_path}/mlruns/mlflow.db").get_model_version_by_alias(
            "digits", "champion"
        )
        assert (str(registered.version), registered.run_id) == (version, run.run_id)
