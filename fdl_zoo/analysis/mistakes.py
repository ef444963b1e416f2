"""A sheet of the images that a classifier got most wrong (chapter 2, evaluation)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fdl_zoo.analysis.figure import drawing

MOST = 24
COLUMNS = 6


def are_images(shape: Sequence[int]) -> bool:
    """Whether examples of this shape can be shown: height, width, and one or three channels."""
    return len(shape) == 3 and shape[-1] in (1, 3) and min(shape[:2]) > 1


def mistakes_figure(images: np.ndarray, captions: Sequence[str], title: str = "") -> Any:
    """A figure with an image per mistake and what it was taken for.

    Args:
        images: [mistakes, height, width, 1 or 3]; each is shown between its own darkest and brightest value.
        captions: A line or two per image.
        title: What is shown, as the caption says it: model, data and split, and how many are wrong.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    columns = min(COLUMNS, max(len(images), 1))
    rows = -(-max(len(images), 1) // columns)
    longest = max((len(line) for each in captions for line in each.splitlines()), default=0)
    width = max(1.5 * columns, 3.6, 0.09 * longest * columns)
    with drawing(title, width=width, height=2.0 * rows + 0.2) as figure:
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in panels:
            axes.set_axis_off()
        if not len(images):
            panels[0].text(0.5, 0.5, "no mistakes", ha="center", va="center")
        for axes, image, caption in zip(panels, images, captions, strict=False):
            low, high = float(image.min()), float(image.max())
            shown = (image - low) / (high - low) if high > low else np.zeros_like(image)
            axes.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axes.set_title(caption, fontsize=10)
    return figure


def caption(truth: str, answer: str, probability: float) -> str:
    """What stands above one mistake."""
    return f"{answer} ({probability:.0%})\ntruth {truth}"
