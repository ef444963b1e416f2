"""Training on a set of TensorFlow Datasets by its name: prepared on this disk, or refused at once."""

import json
import time

import numpy as np
import pytest
import tensorflow_datasets as tfds

from fdl_zoo import cli
from fdl_zoo.datasets import _tfds

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture
def prepared(tmp_path):
    """Sixty bright and dark images in TFDS's own format."""
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 100, (9, 9, 1), np.uint8) + 150 * (i % 2) for i in range(60)]
    tfds.dataset_builders.store_as_tfds_dataset(
        name="dark_bright",
        version="1.0.0",
        features=tfds.features.FeaturesDict(
            {"image": tfds.features.Image(shape=(9, 9, 1)), "label": tfds.features.ClassLabel(names=["dark", "bright"])}
        ),
        split_datasets={
            "train": [(i, {"image": each.astype(np.uint8), "label": i % 2}) for i, each in enumerate(images)]
        },
        data_dir=tmp_path / "data",
        disable_shuffling=True,
    )
    return tmp_path / "data"


@pytest.mark.parametrize("in_memory", [2**30, 0])
def test_a_prepared_set_is_trained_on_by_its_name(prepared, folder, monkeypatch, capsys, in_memory):
    monkeypatch.setattr(_tfds, "IN_MEMORY", in_memory)
    arguments = ["--data-dir", str(prepared), "--epochs", "3", "--no-tracking", "--json"]
    assert cli.run(["train", "convnet", "--data", "tfds/dark_bright", *arguments]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["data"] == "tfds"
    assert printed["metrics"]["test_accuracy"] == 1.0
    facts = json.loads((folder / "mlruns" / "runs" / printed["name"] / "run.json").read_text())["facts"]
    assert facts["dataset"]["source"] == "dark_bright:1.0.0"
    assert facts["chosen"]["resident"] == bool(in_memory)


def test_a_set_that_cannot_be_had_is_refused_within_five_seconds(folder, capsys, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://192.0.2.1:9")  # an address that nobody has: silence
    begin = time.monotonic()
    assert cli.run(["train", "convnet", "--data", "tfds/cats_vs_dogs", "--data-dir", "nowhere"]) == 2
    assert time.monotonic() - begin < 5
    (line,) = capsys.readouterr().err.splitlines()
    for word in ("cats_vs_dogs", "nowhere", "--data-dir", "digits, which works now"):
        assert word in line
    assert not list(folder.iterdir())
