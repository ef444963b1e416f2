"""Whatever looks inside a run leaves its figures and numbers in MLflow too, while training and afterwards."""

from pathlib import Path

import pytest

import fdl_zoo as fdl
from fdl_zoo.training.progress import Silent

CALLBACKS = ("gradient_norms", "weight_histograms", "activation_histograms")
FIGURES = {
    "surface": {"line", "plane_random"},
    "curvature": {"spectrum_final", "taylor_final"},
    "features": {"filters_conv_1", "maps_conv_1", "shift_conv_1", "tsne", "line_detectors"},
    "gradient_norms": {"by_layer"},
    "weight_histograms": {"weights"},
    "activation_histograms": {"activations"},
}


def files_of(client, run_id, path=None):
    """The paths of all artifacts below a path."""
    for each in client.list_artifacts(run_id, path):
        if each.is_dir:
            yield from files_of(client, run_id, each.path)
        else:
            yield each.path


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory):
    """A run with callbacks, looked into by each command once it had ended; its client and where its files came to."""
    from mlflow import MlflowClient

    root = tmp_path_factory.mktemp("looked") / "mlruns"
    model = {"name": "convnet", "filters": [2, 2], "units": 8}
    run = fdl.train(model, data="digits", epochs=1, seed=0, callbacks=CALLBACKS, root=root, progress=Silent())
    fdl.surface(run, points=2, plane="random", resolution=2)
    fdl.curvature(run, steps=4, probes=1)
    fdl.features(run)
    return run, MlflowClient(f"sqlite:///{root}/mlflow.db")


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_figures_and_numbers_are_in_mlflow_as_in_the_runs_folder(name, looked_at, tmp_path):
    run, client = looked_at
    here = {path.name: path for path in (run.path / "artifacts" / name).iterdir()}
    there = {path.rpartition("/")[2]: path for path in files_of(client, run.run_id, name)}
    assert set(here) == set(there)
    assert {path.stem for path in here.values() if path.suffix == ".png"} == FIGURES[name]
    assert {path.stem for path in here.values() if path.suffix in (".csv", ".json")} == FIGURES[name]
    for file, path in there.items():
        copy = client.download_artifacts(run.run_id, path, str(tmp_path))
        assert Path(copy).read_bytes() == here[file].read_bytes()
