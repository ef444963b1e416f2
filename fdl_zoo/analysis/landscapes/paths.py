"""The paths of optimizers over the contours of a function, as a figure and as an animation (chapter 4)."""

from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any

import numpy as np

from fdl_zoo.analysis.figure import BLACK, drawing, series_style
from fdl_zoo.analysis.landscapes.demonstration import Demonstration, written
from fdl_zoo.analysis.landscapes.descent import Path, descend
from fdl_zoo.analysis.landscapes.functions import LANDSCAPES, Landscape
from fdl_zoo.errors import InvalidOption

# Rates that suit each function: about the largest with which the optimizer does not diverge there.
OPTIMIZERS: dict[str, dict[str, dict[str, Any]]] = {
    "bowl": {
        "gradient descent": {"name": "sgd", "learning_rate": 0.018},
        "momentum": {"name": "momentum", "learning_rate": 0.018, "momentum": 0.8},
        "AdaGrad": {"name": "adagrad", "learning_rate": 0.5},
        "Adam": {"name": "adam", "learning_rate": 0.15},
        "BFGS": {"name": "bfgs"},
    },
    "rosenbrock": {
        "gradient descent": {"name": "sgd", "learning_rate": 0.0015},
        "momentum": {"name": "momentum", "learning_rate": 0.0004, "momentum": 0.95},
        "RMSProp": {"name": "rmsprop", "learning_rate": 0.01},
        "Adam": {"name": "adam", "learning_rate": 0.05},
        "BFGS": {"name": "bfgs"},
    },
    "beale": {
        "gradient descent": {"name": "sgd", "learning_rate": 0.01},
        "momentum": {"name": "momentum", "learning_rate": 0.001, "momentum": 0.9},
        "RMSProp": {"name": "rmsprop", "learning_rate": 0.02},
        "Adam": {"name": "adam", "learning_rate": 0.1},
        "BFGS": {"name": "bfgs"},
    },
    "saddle": {
        "gradient descent": {"name": "sgd", "learning_rate": 0.1},
        "momentum": {"name": "momentum", "learning_rate": 0.05, "momentum": 0.8},
        "RMSProp": {"name": "rmsprop", "learning_rate": 0.05},
        "Adam": {"name": "adam", "learning_rate": 0.05},
        "BFGS": {"name": "bfgs"},
    },
}
FRAMES, FRAMES_PER_SECOND, DOTS_PER_INCH = 40, 10, 90


def draw_paths(
    landscape: str,
    folder: str | FilePath,
    *,
    optimizers: Mapping[str, Mapping[str, Any]] | None = None,
    steps: int = 300,
    animation: bool = True,
) -> Demonstration:
    """Draw where optimizers go on one of the functions, over its contours, and as a GIF.

    Args:
        landscape: One of `LANDSCAPES`.
        folder: Where `paths/LANDSCAPE.png`, `.csv` and `.gif` are written.
        optimizers: Of each its name for the legend, and its name and options in the catalogue.
        steps: Evaluations of loss and gradient of each.
        animation: Whether to write the GIF.

    Returns:
        The columns optimizer, evaluation, x, y and loss.

    Raises:
        InvalidOption: There is no such function.
    """
    if landscape not in LANDSCAPES:
        raise InvalidOption(f"There is no landscape {landscape!r}: it is one of {', '.join(LANDSCAPES)}.")
    surface = LANDSCAPES[landscape]
    chosen = OPTIMIZERS[landscape] if optimizers is None else optimizers
    paths = {label: descend(surface, options, steps) for label, options in chosen.items()}
    caption = (
        f"Paths of optimizers over {surface.title}: {steps} evaluations of loss and gradient each, from the black dot;"
        " crosses are minima. Trial points of line searches are shown too."
    )
    with drawing(caption, height=4.6) as figure:
        lines, heads = _draw(figure.add_subplot(), surface, paths)
    found = written(folder, f"paths/{landscape}", figure, _columns(paths))
    if not animation:
        return found
    file = FilePath(folder) / f"paths/{landscape}.gif"
    _animate(figure, file, paths, lines, heads, steps)
    return Demonstration(found.numbers, (*found.files, file))


def contours(axes: Any, surface: Landscape) -> None:
    """Contours at levels that are even in the logarithm of the height above the lowest point."""
    x, y, values = surface.grid()
    height = np.log10(values - surface.lowest + 1e-3)
    axes.contourf(x, y, height, levels=14, cmap="Greys", alpha=0.35)
    axes.contour(x, y, height, levels=14, colors="0.55", linewidths=0.5)
    axes.set_xlim(*surface.window[0])
    axes.set_ylim(*surface.window[1])
    axes.grid(False)


def _draw(axes: Any, surface: Landscape, paths: Mapping[str, Path]) -> tuple[list[Any], list[Any]]:
    contours(axes, surface)
    lines, heads = [], []
    for index, (label, path) in enumerate(paths.items()):
        look = series_style(index)
        lines += axes.plot(*path.points.T, label=label, linewidth=1.5, **look)
        heads += axes.plot(*path.points[-1], "o", markersize=5, color=look["color"], markeredgecolor="white")
    axes.plot(*surface.start, "o", color=BLACK, markersize=6)
    for minimum in surface.minima:
        axes.plot(*minimum, "x", color=BLACK, markersize=9, markeredgewidth=2)
    box = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none"}
    axes.text(0.98, 0.03, surface.formula, transform=axes.transAxes, ha="right", va="bottom", bbox=box)
    axes.set_xlabel(r"$\theta_1$")
    axes.set_ylabel(r"$\theta_2$")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=3, fontsize=9)
    return lines, heads


def _columns(paths: Mapping[str, Path]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {"optimizer": [], "evaluation": [], "x": [], "y": [], "loss": []}
    for label, path in paths.items():
        count = len(path.losses)
        columns["optimizer"] += [label] * count
        columns["evaluation"] += list(range(1, count + 1))
        columns["x"] += path.points[:, 0].tolist()
        columns["y"] += path.points[:, 1].tolist()
        columns["loss"] += path.losses.tolist()
    return columns


def _animate(figure: Any, file: FilePath, paths: Mapping[str, Path], lines: list, heads: list, steps: int) -> None:
    """The same figure, its paths growing; slowly at first, where most happens."""
    from matplotlib.animation import PillowWriter

    figure.set_layout_engine("none")  # as it was laid out for the figure
    moments = np.unique(np.round(np.geomspace(1, steps, FRAMES)).astype(int))
    writer = PillowWriter(fps=FRAMES_PER_SECOND)
    with writer.saving(figure, str(file), dpi=DOTS_PER_INCH):
        for moment in [*moments, *[moments[-1]] * FRAMES_PER_SECOND]:
            for path, line, head in zip(paths.values(), lines, heads, strict=True):
                shown = path.points[:moment]
                line.set_data(*shown.T)
                head.set_data(*shown[-1:].T)
            writer.grab_frame()
