"""The confusion matrix as a picture: which class is taken for which (chapter 2, evaluation)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fdl_zoo.analysis.figure import drawing

MOST_NUMBERED = 20  # classes; of more the numbers could not be read
MOST_LABELLED = 60


def confusion_figure(matrix: np.ndarray, labels: Sequence[str], title: str = "") -> Any:
    """A figure in which a row is a true class, a column an answer, and the shade the share of the row.

    Args:
        matrix: Counts [classes, classes].
        labels: A label per class.
        title: What is shown, as the caption says it: model, data and split.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    count = len(labels)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    size = float(np.clip(2.2 + 0.42 * count, 3.6, 12))
    caption = f"{title or 'A model'}: how often examples of a class (rows) were taken for each class (columns)."
    with drawing(caption, width=size + 0.9, height=size) as figure:
        axes = figure.subplots()
        axes.grid(False)
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set_xlabel("answer")
        axes.set_ylabel("truth")
        if count <= MOST_LABELLED:
            upright = max(map(len, labels)) <= 2
            axes.set_xticks(range(count), labels, rotation=0 if upright else 90)
            axes.set_yticks(range(count), labels)
        if count <= MOST_NUMBERED:
            for row, column in np.argwhere(matrix > 0):
                colour, number = "white" if shares[row, column] > 0.5 else "black", str(matrix[row, column])
                points = 11 if len(number) < 4 else 8
                axes.text(column, row, number, ha="center", va="center", color=colour, fontsize=points)
        figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    return figure
