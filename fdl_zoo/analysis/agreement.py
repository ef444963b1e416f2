"""Predicted against true values: what a regression got right (chapter 2, evaluation)."""

from typing import Any

import numpy as np

MOST_PANELS = 6
MOST_POINTS = 3000  # more would cover each other: then the shade of a hexagon is how many lie in it


def agreement_figure(truth: np.ndarray, answers: np.ndarray, title: str = "") -> Any:
    """A figure with a panel per output, a point per example, and the line on which both are equal.

    Args:
        truth: [examples, outputs].
        answers: [examples, outputs].
        title: What stands above.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    from matplotlib.figure import Figure

    panels = min(truth.shape[1], MOST_PANELS)
    figure = Figure(figsize=(4.0 * panels, 4.0), layout="constrained")
    for index, axes in enumerate(figure.subplots(1, panels, squeeze=False)[0]):
        true, answered = truth[:, index], answers[:, index]
        low, high = (float(find([find(true), find(answered)])) for find in (np.min, np.max))
        if len(true) <= MOST_POINTS:
            axes.plot(true, answered, ".", color="C0", alpha=0.6, markersize=5)
        else:
            figure.colorbar(axes.hexbin(true, answered, gridsize=40, cmap="Blues", mincnt=1), ax=axes, label="examples")
        axes.plot([low, high], [low, high], color="C1", linestyle="--", label="truth")
        axes.set_xlabel("true value" if panels == 1 else f"true value {index + 1}")
        axes.set_ylabel("predicted value")
        axes.set_title(f"mean absolute error {np.abs(answered - true).mean():.4g}", fontsize=10)
        axes.set_aspect("equal", adjustable="datalim")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    figure.suptitle(title, fontsize=11)
    return figure
