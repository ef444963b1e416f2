"""A sheet of the images that a classifier got most wrong (chapter 2, evaluation)."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

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
        title: What stands above.

    Returns:
        A `matplotlib.figure.Figure`.
    """
    from matplotlib.figure import Figure

    columns = min(COLUMNS, max(len(images), 1))
    rows = -(-max(len(images), 1) // columns)
    longest = max((len(line) for each in captions for line in each.splitlines()), default=0)
    width = max(1.5 * columns, 3.6, 0.07 * longest * columns)
    figure = Figure(figsize=(width, 1.9 * rows + 0.6), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, image, caption in zip(panels, images, captions, strict=False):
        low, high = float(image.min()), float(image.max())
        shown = (image - low) / (high - low) if high > low else np.zeros_like(image)
        axes.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_title(caption, fontsize=8)
    figure.suptitle("\n".join(textwrap.wrap(title, max(int(width * 11), 30))), fontsize=10)
    return figure


def caption(truth: str, answer: str, probability: float) -> str:
    """What stands above one mistake."""
    return f"{answer} ({probability:.0%})\ntruth {truth}"
