"""What MLflow has of a trained run: all that describes it, once, and what looks inside it, while training and after."""

import json
import re
from pathlib import Path

import pytest
import yaml

import fdl_zoo as fdl
from fdl_zoo.spec import RunSpec
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
def test_all_that_describes_the_run_is_there(looked_at):
    run, client = looked_at
    seen = client.get_run(run.run_id)
    assert seen.info.status == "FINISHED"
    assert {name: json.loads(value) for name, value in seen.data.params.items() if name.startswith("model.fil")} == {
        "model.filters": [2, 2]
    }
    named = {f"callbacks.{name}.name" for name in CALLBACKS}  # the path has the name already
    assert set(seen.data.params) == set(run.spec.flat()) - named
    text = Path(client.download_artifacts(run.run_id, "spec.yaml")).read_text()
    assert RunSpec.model_validate(yaml.safe_load(text)) == run.spec
    metrics = {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "epoch_seconds", "seconds"}
    metrics |= {f"system/{name}" for name in ("examples_per_second", "cpu_percent", "memory_megabytes")}
    metrics |= {"test_loss", "test_accuracy", "best_test_loss", "best_test_accuracy"}
    assert set(seen.data.metrics) >= metrics
    for name in ("loss", "val_accuracy", "learning_rate"):
        assert [each.value for each in client.get_metric_history(run.run_id, name)] == run.history[name]
    versions = {name: seen.data.tags[f"versions.{name}"] for name in ("python", "keras", "tensorflow", "fdl-zoo")}
    assert versions == {name: run.folder.facts["versions"][name] for name in versions}
    assert re.fullmatch(r"[0-9a-f]{40}\+?", seen.data.tags["mlflow.source.git.commit"])
    (data,) = seen.inputs.dataset_inputs
    assert {tag.key: tag.value for tag in data.tags}["sha256"] == fdl.load_dataset("digits").digest()
    assert set(files_of(client, run.run_id, "figures")) == {
        f"figures/{name}"
        for name in ("learning_curves.png", "confusion_matrix.png", "per_class.csv", "worst_mistakes.png")
    }
    assert "conv_1" in Path(client.download_artifacts(run.run_id, "model_summary.txt")).read_text()
    assert len(seen.outputs.model_outputs) == 1


@pytest.mark.slow
def test_nothing_is_logged_twice_under_two_names(looked_at):
    run, client = looked_at
    seen = client.get_run(run.run_id)
    assert not set(seen.data.params) & set(seen.data.tags)
    facts = {name: value for name, value in seen.data.tags.items() if len(value) > 20}  # short ones agree by chance
    assert len(set(facts.values())) == len(facts)
    curves = {
        name: tuple(each.value for each in client.get_metric_history(run.run_id, name))
        for name in seen.data.metrics
        if not name.startswith(("best_", "test_", "activation_"))  # the last epoch may be the best; zeros are common
    }
    assert len(set(curves.values())) == len(curves)


@pytest.mark.slow
def test_a_regression_has_its_figure_of_predicted_and_true(tmp_path):
    from mlflow import MlflowClient

    run = fdl.train("linear", data="diabetes", epochs=1, root=tmp_path / "mlruns", progress=Silent())
    client = MlflowClient(f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    found = set(files_of(client, run.run_id, "figures"))
    assert found == {"figures/learning_curves.png", "figures/predicted_and_true.png"}


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
