"""The error surface of a linear neuron with two weights: a bowl, elliptic contours, and the way down (chapter 2).

E(w) = 1/2 sum_i (t_i - w . x_i)^2 is a quadratic with the Hessian X^T X: its contours are ellipses about the least
squares solution, with axes along the Hessian's eigenvectors, as long as one over the root of its eigenvalues.
"""

from pathlib import Path
from typing import Any

import numpy as np

from fdl_zoo import catalogue
from fdl_zoo.analysis.figure import BLACK, BLUE, ORANGE, SEQUENTIAL, drawing
from fdl_zoo.analysis.landscapes.demonstration import Demonstration, written

BODY_MASS, PRESSURE = 2, 3  # columns of the dataset `diabetes`


def two_weights() -> tuple[np.ndarray, np.ndarray]:
    """Body mass and blood pressure [examples, 2] of the patients in `diabetes`, and the targets [examples], scaled."""
    data = catalogue.load_dataset("diabetes")
    x = data.train.x[:, [BODY_MASS, PRESSURE]].astype(np.float64)
    t = data.train.y[:, 0].astype(np.float64)
    return x, (t - t.mean()) / t.std()


def descend(x: np.ndarray, t: np.ndarray, start: np.ndarray, rate: float, steps: int) -> np.ndarray:
    """The path [steps + 1, 2] of the delta rule over all examples: w <- w + rate * sum_i (t_i - y_i) x_i."""
    path = [np.asarray(start, float)]
    for _ in range(steps):
        residual = t - x @ path[-1]  # [examples]
        path.append(path[-1] + rate * x.T @ residual)
    return np.array(path)


def error(x: np.ndarray, t: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """E at weights [..., 2]."""
    return 0.5 * ((t - weights @ x.T) ** 2).sum(axis=-1)


def linear_neuron(
    folder: str | Path, *, start: tuple[float, float] = (-0.9, 1.3), rate: float = 0.8, steps: int = 25
) -> Demonstration:
    """Draw the bowl, its contours with their axes, and the path of gradient descent.

    Args:
        folder: Where `linear_neuron.png` and `linear_neuron.json` are written.
        start: The first weights.
        rate: The learning rate, as a share of the largest that does not diverge.
        steps: Steps of the delta rule.

    Returns:
        The solution, the Hessian's eigenvalues and axes (columns), the axes' ratio, the path and its errors.
    """
    x, t = two_weights()
    hessian = x.T @ x
    eigenvalues, axes_of = np.linalg.eigh(hessian)
    solution = np.linalg.solve(hessian, x.T @ t)
    path = descend(x, t, np.asarray(start), rate * 2 / eigenvalues[-1], steps)
    numbers: dict[str, Any] = {
        "solution": solution,
        "eigenvalues": eigenvalues,
        "axes": axes_of,
        "axis_ratio": float(np.sqrt(eigenvalues[-1] / eigenvalues[0])),
        "path": path,
        "errors": error(x, t, path),
    }
    caption = (
        "Error of a linear neuron with two weights, progress of diabetes from body mass and blood pressure"
        f" ({len(t)} patients, all scaled): a bowl with elliptic contours {numbers['axis_ratio']:.2f} times as long as"
        f" wide. Each of the {steps} steps of the delta rule, from the dot, leaves a contour at a right angle."
    )
    with drawing(caption, width=8.0, height=3.7) as figure:
        _draw(figure, x, t, numbers)
    return written(folder, "linear_neuron", figure, numbers)


def _draw(figure: Any, x: np.ndarray, t: np.ndarray, numbers: dict[str, Any]) -> None:
    solution, path = numbers["solution"], numbers["path"]
    reach = 1.15 * np.abs(path - solution).max()
    sides = [np.linspace(centre - reach, centre + reach, 80) for centre in solution]
    grid = np.stack(np.meshgrid(*sides), axis=-1)  # [rows, columns, 2]
    heights = error(x, t, grid)
    bowl = figure.add_subplot(1, 2, 1, projection="3d")
    bowl.plot_surface(grid[..., 0], grid[..., 1], heights, cmap=SEQUENTIAL, alpha=0.75, linewidth=0)
    bowl.plot(*path.T, numbers["errors"], color=ORANGE, marker=".", markersize=4, zorder=10)
    bowl.set_xlabel("$w_1$", labelpad=-6)
    bowl.set_ylabel("$w_2$", labelpad=-6)
    bowl.set_zlabel("error $E$", labelpad=-2)
    bowl.tick_params(labelsize=7, pad=-2)
    bowl.view_init(elev=32, azim=-62)
    flat = figure.add_subplot(1, 2, 2)
    lowest = error(x, t, solution)
    levels = lowest + (heights.max() - lowest) * np.linspace(0.03, 1, 12) ** 2
    flat.contour(*sides, heights, levels=levels, cmap=SEQUENTIAL, linewidths=1)
    for eigenvalue, axis in zip(numbers["eigenvalues"], numbers["axes"].T, strict=True):
        half = axis * np.sqrt(2 * (levels[4] - lowest) / eigenvalue)  # to the fifth contour
        flat.plot(*np.array([solution - half, solution + half]).T, color=BLACK, linewidth=1, linestyle=":")
    flat.plot(*path.T, color=ORANGE, marker=".", markersize=5)
    flat.plot(*path[0], "o", color=BLACK)
    flat.plot(*solution, "x", color=BLUE, markersize=9, markeredgewidth=2)
    flat.set_aspect("equal")
    flat.set_xlabel("weight of body mass, $w_1$")
    flat.set_ylabel("weight of blood pressure, $w_2$")
    flat.grid(False)
