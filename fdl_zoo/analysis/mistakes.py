"""A sheet of the images that a classifier got most wrong (chapter 2, evaluation)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fdl_zoo.analysis.figure import drawing

MOST = 24
COLUMNS = 6
HEIGHT = 2.0  # inches of an image with its caption


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
    width = max(1.5, 3.6 / columns, 0.09 * longest)  # of one image with its caption, in inches
    with drawing(title, width=width * columns, height=HEIGHT * rows) as figure:
        # One axes in inches: one per image would take most of the time that a run's figures need.
        axes = figure.subplots()
        axes.set_axis_off()
        for number, (image, caption) in enumerate(zip(images, captions, strict=True)):
            row, column = divmod(number, columns)
            scale = min(0.9 * width / image.shape[1], 0.7 * HEIGHT / image.shape[0])
            half, tall = scale * image.shape[1] / 2, scale * image.shape[0]
            middle, top = (column + 0.5) * width, row * HEIGHT
            low, high = float(image.min()), float(image.max())
            shown = (image - low) / (high - low) if high > low else np.zeros_like(image)
            place = (middle - half, middle + half, top + tall, top)
            axes.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest", extent=place)
            axes.text(middle, top - 0.06, caption, ha="center", va="bottom", fontsize=10)
        if not len(images):
            axes.text(width / 2, 0.35 * HEIGHT, "no mistakes", ha="center", va="center")
        axes.set(xlim=(0, columns * width), ylim=((rows - 0.3) * HEIGHT, -0.3 * HEIGHT), aspect="equal")
    return figure


def caption(truth: str, answer: str, probability: float) -> str:
    """What stands above one mistake."""
    return f"{answer} ({probability:.0%})\ntruth {truth}"
