"""Predicted against true values: what a regression got right (chapter 2, evaluation)."""

from typing import Any

import numpy as np

from fdl_zoo.analysis.figure import BLUE, ORANGE, drawing

MOST_PANELS = 6
MOST_POINTS = 3000  # more would cover each other: then the shade of a hexagon is how many lie in it


def agreement_figure(truth: np.ndarray, answers: np.ndarray, title: str = "") -> Any:
    """A figure with a panel per output, a point per example, and the line on which both are equal.

    Args:
        truth: [examples, outputs].
        answers: [examples, outputs].
        title: What is shown, as the caption says it: model, data and split.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    panels = min(truth.shape[1], MOST_PANELS)
    caption = f"{title or 'A model'}: predicted and true value of each example; on the dashed line they are equal."
    with drawing(caption, width=max(5.0, 4.0 * panels), height=4.2) as figure:
        for index, axes in enumerate(figure.subplots(1, panels, squeeze=False)[0]):
            true, answered = truth[:, index], answers[:, index]
            low, high = (float(find([find(true), find(answered)])) for find in (np.min, np.max))
            if len(true) <= MOST_POINTS:
                axes.plot(true, answered, ".", color=BLUE, alpha=0.6, markersize=6)
            else:
                bins = axes.hexbin(true, answered, gridsize=40, cmap="Blues", mincnt=1)
                figure.colorbar(bins, ax=axes, label="examples")
            axes.plot([low, high], [low, high], color=ORANGE, linestyle="--")
            axes.set_xlabel("true value" if panels == 1 else f"true value {index + 1}")
            axes.set_ylabel("predicted value")
            axes.set_title(f"mean absolute error {np.abs(answered - true).mean():.4g}", fontsize=11)
            axes.set_aspect("equal", adjustable="datalim")
    return figure
