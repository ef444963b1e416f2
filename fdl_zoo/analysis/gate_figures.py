"""The figure of an LSTM's gates over a sequence, unit by unit (chapter 7)."""

from typing import Any

import numpy as np

from fdl_zoo.analysis.figure import BLACK, SERIES, drawing
from fdl_zoo.analysis.gates import GATES


def gates_figure(found: dict[str, np.ndarray], x: np.ndarray, caption: str) -> Any:
    """The three gates of one sequence, unit by unit over time, above them what the LSTM read.

    Args:
        found: As `gate_activations` gives it, of one sequence: each [time, units].
        x: What it read [time, features].
        caption: What the caption says.
    """
    heights = [1.1, *[1.3] * len(GATES)]
    with drawing(caption, width=6.8, height=6.6) as figure:
        rows = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
        _draw_inputs(rows[0], x)
        for axes, name in zip(rows[1:], GATES, strict=True):
            order = np.argsort(found["keep"].mean(0))  # the same in all three, so that a unit is one row
            image = axes.imshow(
                found[name][:, order].T, aspect="auto", origin="lower", cmap="viridis", vmin=0, vmax=1,
                interpolation="nearest", extent=(-0.5, len(x) - 0.5, -0.5, len(order) - 0.5),
            )  # fmt: skip
            axes.set_ylabel(f"{name} gate\n(unit)", fontsize=10)
            axes.grid(False)
        rows[-1].set_xlabel("time step")
        figure.colorbar(image, ax=rows[1:].tolist(), label="gate: 0 closed, 1 open")
    return figure


def _draw_inputs(axes: Any, x: np.ndarray) -> None:
    if x.shape[1] > 4:  # too many lines: their strength as an image
        axes.imshow(x.T, aspect="auto", cmap="Greys", extent=(-0.5, len(x) - 0.5, -0.5, x.shape[1] - 0.5))
        axes.set_ylabel("input\n(feature)", fontsize=10)
        axes.grid(False)
        return
    for feature, colour in zip(range(x.shape[1]), (BLACK, *SERIES), strict=False):
        axes.plot(x[:, feature], color=colour, linewidth=1 + feature, alpha=0.8, label=f"feature {feature}")
    axes.set_ylabel("input", fontsize=10)
    axes.legend(ncols=x.shape[1], fontsize=8, loc="upper left", bbox_to_anchor=(0, 1.35))
