"""A model of one's own table in use: columns go by their names, and what is exported needs no data."""

import numpy as np
import pytest

import fdl_zoo as fdl
from fdl_zoo.errors import InvalidData
from fdl_zoo.training.progress import Silent

QUIET = {"epochs": 2, "progress": Silent(), "settings": ["tracking.enabled=false"]}


def table(path, order):
    """A hundred rows of two columns of quite other sizes, and their kind."""
    random = np.random.default_rng(0)
    columns = {"width": random.normal(5, 1, 100), "weight": random.normal(4000, 900, 100)}
    columns["kind"] = (columns["weight"] > 4000 * columns["width"] / 5).astype(int)
    rows = [",".join(order), *(",".join(str(columns[name][row]) for name in order) for row in range(100))]
    path.write_text("\n".join(rows) + "\n")
    return str(path)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    data = {"name": "csv", "path": table(folder / "first.csv", ["width", "weight", "kind"]), "target": "kind"}
    return fdl.train("logistic_regression", data=data, root=folder / "mlruns", **QUIET)


def test_columns_in_another_order_are_the_same_table(run, tmp_path):
    own = fdl.evaluate("last", root=run.folder.root, split="train")
    other = table(tmp_path / "other.csv", ["weight", "width", "kind"])
    again = fdl.evaluate("last", root=run.folder.root, split="train", data=other)
    assert again.metrics == pytest.approx(own.metrics, abs=1e-6)


def test_a_table_without_one_of_the_columns_is_refused_by_its_name(run, tmp_path):
    other = table(tmp_path / "other.csv", ["weight", "kind"])
    with pytest.raises(InvalidData, match="there is no column 'width' among its features, which are weight"):
        fdl.evaluate("last", root=run.folder.root, data=other)


def test_it_is_exported_where_its_data_are_gone(run, tmp_path):
    path = run.folder.root.parent / "first.csv"
    content = path.read_text()
    path.unlink()
    try:
        found = fdl.export("last", "saved_model", output=tmp_path / "model", root=run.folder.root)
    finally:
        path.write_text(content)
    assert found.largest_difference < 1e-5


def test_labels_in_a_column_of_their_own_are_told_with_the_predictions(tmp_path):
    random = np.random.default_rng(0)
    x, y = random.normal(size=(60, 4)), random.integers(0, 3, (60, 1))
    np.savez(tmp_path / "own.npz", x=x, y=y)
    data = {"name": "npz", "path": str(tmp_path / "own.npz")}
    fdl.train("logistic_regression", data=data, root=tmp_path / "mlruns", **QUIET)
    found = fdl.predict("last", root=tmp_path / "mlruns", split="test")
    labels = fdl.load_dataset("npz", path=data["path"]).test.y
    assert [each.truth for each in found] == [str(each) for each in labels]
