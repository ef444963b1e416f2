"""The style of every figure that a book could print, and how a figure and its numbers are saved side by side.

Colours are those of Okabe and Ito (2008), told apart in every common form of colour blindness and in grey; lines
differ by their dashes too. The caption stands below the axes and names the run that the figure shows.
"""

import csv
import json
import tempfile
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fdl_zoo.plain import plain

BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
SKY, AMBER, YELLOW, BLACK = "#56B4E9", "#E69F00", "#F0E442", "#000000"
SERIES = (BLUE, ORANGE, GREEN, PINK, SKY, AMBER, BLACK)
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (3, 1)), (0, (1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*")
SPLIT_STYLES = {
    "training": {"color": BLUE, "linestyle": "-"},
    "validation": {"color": ORANGE, "linestyle": "--"},
    "test": {"color": GREEN, "linestyle": "-."},
}
SEQUENTIAL, DIVERGING = "viridis", "RdBu_r"  # colour maps that survive colour blindness
RESOLUTION = 200  # dots per inch: 6.4 inches are enough for a printed column
CAPTION_DENSITY = 14.2  # characters to an inch of width, with room to spare
_STYLE = {
    "font.size": 11,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.edgecolor": "none",  # no frame, but what a legend lies on does not shine through
    "legend.framealpha": 0.85,
    "legend.fancybox": False,
    "lines.linewidth": 1.8,
    "svg.hashsalt": "fdl_zoo",  # the same figure is the same file
}


def series_style(index: int) -> dict[str, Any]:
    """Colour and dashes of the series with this index; after seven the colours come again with other dashes."""
    return {"color": SERIES[index % len(SERIES)], "linestyle": DASHES[(index + index // len(SERIES)) % len(DASHES)]}


@contextmanager
def style() -> Iterator[None]:
    """Axes that are made inside have the book's fonts, grid and lines; what was set before is put back."""
    import matplotlib as mpl

    with mpl.rc_context(_STYLE):
        yield


@contextmanager
def drawing(caption: str, *, width: float = 6.4, height: float = 4.2) -> Iterator[Any]:
    """A `matplotlib.figure.Figure` to draw into, in the common style, with its caption below.

    Args:
        caption: What the figure shows, with the run's name; wrapped to the width.
        width: In inches.
        height: In inches, the caption's lines left out.
    """
    from matplotlib.figure import Figure

    lines = textwrap.wrap(caption, max(20, int(width * CAPTION_DENSITY)), break_on_hyphens=False)
    with style():
        figure = Figure(figsize=(width, height + 0.17 * len(lines)), dpi=RESOLUTION, layout="constrained")
        yield figure
        figure.supxlabel("\n".join(lines), x=0.02, ha="left", fontsize=9)  # the layout leaves room for this one


def save(place: Any, name: str, figure: Any, numbers: Mapping[str, Any]) -> list[str]:
    """Saves a figure, and its numbers beside it under the same name: CSV where they are columns, else JSON.

    Args:
        place: A run's tracker (its `Recorder`, or a callback's `context.tracker`), or a folder.
        name: For example `surface/line`; the suffixes are added.
        figure: A matplotlib figure.
        numbers: Columns of one length, or any mapping of plain values and arrays.

    Returns:
        The names of both files.
    """
    columns = _are_columns(numbers)
    names = [f"{name}.png", f"{name}.{'csv' if columns else 'json'}"]
    if isinstance(place, str | Path):
        for each in names:
            (Path(place) / each).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(Path(place) / names[0], dpi=RESOLUTION)
        (write_csv if columns else write_json)(Path(place) / names[1], numbers)
        return names
    place.log_figure(figure, names[0])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / Path(names[1]).name
        (write_csv if columns else write_json)(file, numbers)
        parent = Path(name).parent.as_posix()
        place.log_artifact(file, "" if parent == "." else parent)
    return names


def _are_columns(numbers: Mapping[str, Any]) -> bool:
    sizes = {np.shape(column) for column in numbers.values()}
    return len(sizes) == 1 and len(next(iter(sizes))) == 1


def write_csv(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """Columns of one length under their names; floats so that they come back bit for bit."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*(np.asarray(column).tolist() for column in columns.values()), strict=True))


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Plain values and arrays; NaN and infinity, for which JSON has no word, become null."""
    path.write_text(json.dumps(plain(values), indent=1, allow_nan=False) + "\n", encoding="utf-8")
