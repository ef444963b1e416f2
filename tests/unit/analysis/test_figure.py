"""Figures and their numbers: side by side, nothing cut off, told apart in grey and in colour blindness."""

import csv
import json

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from fdl_zoo.analysis import figure as module
from fdl_zoo.tracking.folder import RunFolder
from fdl_zoo.tracking.recorder import Recorder

CAPTION = "Run mlp-digits-7f3a2c: mlp on digits, sgd. " + "WIDE MMMM words and narrow ill ones; " * 8


def drawn(width=6.4):
    with module.drawing(CAPTION, width=width) as made:
        made.subplots().plot([0, 1], [1, 2])
    return made


@pytest.mark.parametrize("width", [4.0, 6.4, 9.0])
def test_the_caption_stays_inside_the_figure(width):
    made = drawn(width)
    made.draw_without_rendering()
    box = made._supxlabel.get_window_extent()
    assert 0 <= box.x0 < box.x1 <= made.bbox.x1
    assert 0 <= box.y0 < box.y1 < made.axes[0].get_tightbbox().y0
    assert made._supxlabel.get_text().replace("\n", " ") == CAPTION.strip()


def test_columns_become_csv_that_comes_back_bit_for_bit(tmp_path):
    columns = {"x": np.array([0.1, 1 / 3]), "n": [1, 2], "name": ["a", "b,c"]}
    assert module.save(tmp_path, "some/line", drawn(), columns) == ["some/line.png", "some/line.csv"]
    rows = list(csv.DictReader((tmp_path / "some" / "line.csv").read_text().splitlines()))
    assert [float(row["x"]) for row in rows] == columns["x"].tolist()
    assert [row["name"] for row in rows] == ["a", "b,c"]


def test_anything_else_becomes_json_without_nan(tmp_path):
    values = {"matrix": np.eye(2), "missing": float("nan"), "word": "a", "nested": {1: np.float32(0.5)}}
    assert module.save(tmp_path, "facts", drawn(), values)[1] == "facts.json"
    read = json.loads((tmp_path / "facts.json").read_text(), parse_constant=pytest.fail)
    assert read == {"matrix": [[1, 0], [0, 1]], "missing": None, "word": "a", "nested": {"1": 0.5}}


def test_a_run_gets_both_among_its_artifacts_and_nothing_else(tmp_path):
    folder = RunFolder.create("run", spec="", facts={}, root=tmp_path)
    module.save(Recorder(folder), "deep/line", drawn(), {"x": [1.0]})
    module.save(Recorder(folder), "flat", drawn(), {"x": [1.0]})
    folder.finish("FINISHED")
    found = {path.relative_to(folder.artifacts).as_posix() for path in folder.artifacts.rglob("*") if path.is_file()}
    assert found == {"deep/line.png", "deep/line.csv", "flat.png", "flat.csv"}


def test_the_style_is_put_back():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    drawn()
    assert dict(mpl.rcParams) == before


# Machado, Oliveira and Fernandes (2009), complete deuteranopia and protanopia, on linear RGB.
BLINDNESS = {
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}


@pytest.mark.parametrize("kind", BLINDNESS)
def test_the_first_colours_differ_in_colour_blindness(kind):
    linear = np.array([to_rgb(colour) for colour in module.SERIES[:3]]) ** 2.2
    seen = np.clip(linear @ np.array(BLINDNESS[kind]).T, 0, 1) ** (1 / 2.2)
    for one in range(3):
        for other in range(one):
            assert np.abs(seen[one] - seen[other]).max() > 0.2, (one, other)


def test_series_never_look_alike():
    looks = [tuple(map(str, module.series_style(index).values())) for index in range(28)]
    assert len(set(looks)) == len(looks)
