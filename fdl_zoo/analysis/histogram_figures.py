"""The figure of distributions as they change in training: ridges, one above the other (chapters 3 and 5)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fdl_zoo.analysis.figure import SEQUENTIAL, drawing
from fdl_zoo.analysis.histograms import centres

RIDGES = 6  # looks that are drawn, one above the other


def histograms_figure(records: Sequence[Mapping[str, Any]], key: str, unit: str, caption: str) -> Any:
    """A panel per tensor or layer: its distribution before training, on the way and at the end, upwards.

    Args:
        records: With `epoch` and histograms by name under `key`.
        key: For example `weights`.
        unit: What the horizontal axis shows.
        caption: What the caption says.
    """
    names = list(records[0][key])
    shown = [records[index] for index in np.unique(np.linspace(0, len(records) - 1, RIDGES).round().astype(int))]
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    caption += " Each curve is scaled to the same height."
    with drawing(caption, width=max(6.4, 2.7 * columns), height=0.3 + 2.5 * rows) as figure:
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, name in zip(panels, names, strict=False):
            _draw_ridges(axes, [(record["epoch"], record[key][name]) for record in shown])
            zeros = shown[-1][key][name]["zero_share"]
            title = _short(name) + (f"\n({100 * zeros:.0f} % zeros left out)" if zeros > 0.005 else "")
            axes.set_title(title, fontsize=9)
        for axes in panels[len(names) :]:
            axes.set_visible(False)
        for axes in panels[max(0, len(names) - columns) : len(names)]:
            axes.set_xlabel(unit, fontsize=10)
        for axes in panels[::columns]:
            axes.set_ylabel("epoch", fontsize=10)
    return figure


def _draw_ridges(axes: Any, found: list[tuple[int, Mapping[str, Any]]]) -> None:
    """Distributions one above the other, each scaled to its largest density; the first is the lowest."""
    from matplotlib import colormaps

    colours = colormaps[SEQUENTIAL](np.linspace(0.1, 0.85, len(found)))
    for level, ((_, each), colour) in reversed([*enumerate(zip(found, colours, strict=True))]):
        density = np.array([0, *each["density"], 0]) / max(each["density"])
        half = (each["high"] - each["low"]) / len(each["density"]) / 2
        places = np.array([each["low"] - half, *centres(each), each["high"] + half])
        axes.fill(places, level + 1.3 * density, facecolor=colour, alpha=0.8, edgecolor="white", linewidth=0.8)
    axes.set_yticks(range(len(found)), [str(epoch) for epoch, _ in found])
    axes.tick_params(labelsize=9)
    axes.locator_params(axis="x", nbins=5)


def _short(name: str) -> str:
    """The last parts of a path, as long as a panel is wide."""
    return name if len(name) <= 28 else "…" + name[-27:]
