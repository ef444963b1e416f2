"""The figures of gradients: their length by layer over training, and by distance in time (chapter 7)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fdl_zoo.analysis.figure import DASHES, SEQUENTIAL, drawing, series_style

Records = Sequence[Mapping[str, Any]]
LINES = 6  # looks that are drawn as a line each


def layers_figure(records: Records, caption: str) -> Any:
    """The length of the gradient by the weights of each layer, over the epochs.

    Args:
        records: With `epoch` and `by_layer`.
        caption: What the caption begins with.
    """
    epochs = [record["epoch"] for record in records]
    what = f"{caption} Length of the gradient of the mean loss by the weights of each layer, in inference mode."
    with drawing(what) as figure:
        axes = figure.subplots()
        for index, name in enumerate(records[0]["by_layer"]):
            norms = [record["by_layer"][name] for record in records]
            axes.plot(epochs, norms, label=name, marker="o", markersize=3, **series_style(index))
        axes.set_yscale("log")
        axes.set_xlabel("epoch")
        axes.set_ylabel("length of the gradient (loss per parameter)")
        axes.locator_params(axis="x", integer=True)
        axes.legend(ncols=2 if len(records[0]["by_layer"]) > 4 else 1)
    return figure


def chosen(records: Records, count: int = LINES) -> list[Mapping[str, Any]]:
    """The first record, the last, and some evenly between."""
    return [records[index] for index in np.unique(np.linspace(0, len(records) - 1, count).round().astype(int))]


def time_columns(records: Records) -> dict[str, list[float]]:
    """The gradient's length by distance in time, a column per look."""
    steps = len(records[0]["by_time"])
    columns: dict[str, list[float]] = {"distance": [*range(steps)]}
    return columns | {f"epoch_{record['epoch']}": [*reversed(record["by_time"])] for record in records}


def time_figure(records: Records, caption: str) -> Any:
    """The length of the gradient by the recurrent state, by distance in time from the last step.

    Args:
        records: With `epoch` and `by_time` [time].
        caption: What the caption begins with.
    """
    from matplotlib import colormaps

    what = (
        f"{caption} Length of the gradient of an example's loss by the state of the recurrent layer (all that it hands"
        " on), by distance in time from the last step; mean over examples."
    )
    with drawing(what) as figure:
        axes = figure.subplots()
        shown = chosen(records)
        colours = colormaps[SEQUENTIAL](np.linspace(0.05, 0.85, len(shown)))
        for index, (record, colour) in enumerate(zip(shown, colours, strict=True)):
            label = "before training" if record["epoch"] == 0 else f"epoch {record['epoch']}"
            by_distance = _drawable(record["by_time"])
            axes.plot(by_distance, color=colour, linestyle=DASHES[index % len(DASHES)], label=label)
        _time_axes(axes)
    return figure


def _drawable(by_time: Sequence[float]) -> np.ndarray:
    """By distance, with gaps where the gradient is zero, which a logarithmic axis cannot show."""
    by_distance = np.asarray(by_time, float)[::-1]
    return np.where(by_distance > 0, by_distance, np.nan)


def _time_axes(axes: Any) -> None:
    axes.set_yscale("log")
    axes.set_xlabel("distance in time from the last step (steps)")
    axes.set_ylabel("length of the gradient (loss per unit of state)")
    axes.legend()


def reach_figure(measured: Mapping[str, Mapping[str, Sequence[float]]], caption: str) -> Any:
    """Several models in one figure, each before and after training.

    Args:
        measured: By label: `initial` and `final`, the gradient's length after each step [time].
        caption: What is drawn.
    """
    with drawing(caption, height=4.6) as figure:
        axes = figure.subplots()
        for index, (label, found) in enumerate(measured.items()):
            colour = series_style(index)["color"]
            axes.plot(_drawable(found["initial"]), color=colour, linestyle=":", label=f"{label} before training")
            axes.plot(_drawable(found["final"]), color=colour, linestyle="-", label=f"{label} after training")
        _time_axes(axes)
    return figure
