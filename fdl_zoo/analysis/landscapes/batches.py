"""Batches of 1, of 100 and of all examples on one surface, and away from a saddle (chapter 2)."""

from pathlib import Path
from typing import Any

import numpy as np

from fdl_zoo.analysis.figure import BLACK, drawing, series_style
from fdl_zoo.analysis.landscapes.demonstration import Demonstration, written
from fdl_zoo.analysis.landscapes.functions import LANDSCAPES, saddle

EXAMPLES = 1000
NOISE = 1.0  # deviation of an example's gradient from the mean of all
ESCAPED = 0.5  # distance from the ridge that counts as having left it


def follow(
    gradient: Any, start: tuple[float, float], offsets: np.ndarray, batch: int, rate: float, steps: int, seed: int
) -> np.ndarray:
    """The path [steps + 1, 2] of theta <- theta - rate * (gradient + mean offset of a batch).

    Each example's error is that of the surface plus `offset . theta`; the offsets of all examples sum to zero, so that
    the full batch sees the surface itself. Batches go through the examples in a new order each epoch.

    Args:
        gradient: Of the surface, from a point [2].
        start: Where from.
        offsets: Of the examples' gradients [examples, 2].
        batch: Examples per step.
        rate: The learning rate.
        steps: Steps.
        seed: Of the order.
    """
    random = np.random.default_rng(seed)
    order = random.permutation(len(offsets))
    place, path = 0, [np.asarray(start, float)]
    for _ in range(steps):
        if place + batch > len(offsets):
            order, place = random.permutation(len(offsets)), 0
        noise = offsets[order[place : place + batch]].mean(axis=0)
        place += batch
        path.append(path[-1] - rate * (gradient(path[-1]) + noise))
    return np.array(path)


def batch_sizes(
    folder: str | Path,
    *,
    sizes: tuple[int, ...] = (1, 100, EXAMPLES),
    rate: float = 0.05,
    steps: int = 300,
    seed: int = 0,
) -> Demonstration:
    """Start on the ridge of a saddle, where the gradient points straight into it, with batches of several sizes.

    The full batch ends in the saddle and stays; the noise of smaller batches leads away from it. Near the minimum the
    same noise keeps small batches moving.

    Args:
        folder: Where `batch_sizes.png` and `batch_sizes.json` are written.
        sizes: Examples per step.
        rate: The learning rate.
        steps: Steps of each.
        seed: Of noise and orders.

    Returns:
        Of each size its path, the step at which it has left the ridge (None for never), and how far its last steps
        scatter about their mean.
    """
    surface = LANDSCAPES["saddle"]
    offsets = np.random.default_rng(seed).normal(0, NOISE, (EXAMPLES, 2))
    offsets -= offsets.mean(axis=0)
    start = (1.4, 0.0)
    paths = {size: follow(_saddle_gradient, start, offsets, size, rate, steps, seed) for size in sizes}
    numbers = {str(size): _measured(path) for size, path in paths.items()}
    caption = (
        f"Gradient descent from the ridge of a saddle, learning rate {rate:g}, {steps} steps, with"
        f" batches of several sizes out of {EXAMPLES} examples. The full batch runs into the saddle (plus) and stays."
    )
    with drawing(caption, width=8.0, height=3.6) as figure:
        left, right = figure.subplots(1, 2)
        x, y = np.linspace(*surface.window[0], 200), np.linspace(-1.6, 1.6, 200)
        heights = saddle(np.stack(np.meshgrid(x, y), axis=-1))
        left.contourf(x, y, heights, levels=16, cmap="Greys", alpha=0.35)
        left.contour(x, y, heights, levels=16, colors="0.55", linewidths=0.5)
        left.grid(False)
        for index, (size, path) in enumerate(paths.items()):
            label = f"batch of {size}" if size < EXAMPLES else "full batch"
            look = series_style(index)
            left.plot(*path.T, linewidth=1.0 if size == 1 else 1.8, label=label, **look)
            right.plot(saddle(path), label=label, **look)
        left.plot([0], [0], "+", color=BLACK, markersize=12, markeredgewidth=2)
        left.set_xlabel(r"$\theta_1$")
        left.set_ylabel(r"$\theta_2$")
        right.set_xlabel("step")
        right.set_ylabel("error on all examples")
        right.legend()
    return written(folder, "batch_sizes", figure, numbers)


def _saddle_gradient(point: np.ndarray) -> np.ndarray:
    return np.array([point[0], point[1] ** 3 - point[1]])


def _measured(path: np.ndarray) -> dict[str, Any]:
    away = np.abs(path[:, 1]) > ESCAPED
    last = path[-len(path) // 4 :]
    return {
        "left_the_ridge_at_step": int(np.argmax(away)) if away.any() else None,
        "final_error": float(saddle(path[-1])),
        "scatter": float(np.sqrt(((last - last.mean(axis=0)) ** 2).sum(axis=1).mean())),
        "path": path,
    }
