"""The functions of two variables on which optimizers are watched: bowl, Rosenbrock, Beale, saddle (chapter 4)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class Landscape:
    """A function of two variables.

    Args:
        title: What it is called in captions.
        formula: In the notation of mathtext.
        value: Points [..., 2] to values [...], in TensorFlow operations.
        start: Where descents start.
        window: What is drawn: ((left, right), (bottom, top)).
        minima: Where the function is least.
        lowest: Its value there.
    """

    title: str
    formula: str
    value: Callable[[tf.Tensor], tf.Tensor]
    start: tuple[float, float]
    window: tuple[tuple[float, float], tuple[float, float]]
    minima: tuple[tuple[float, float], ...]
    lowest: float = 0.0

    def grid(self, points: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Both coordinates [points] of the window, and the values there [points, points], rows from below."""
        x, y = (np.linspace(*side, points) for side in self.window)
        values = self.value(tf.constant(np.stack(np.meshgrid(x, y), axis=-1)))
        return x, y, values.numpy()


def bowl(condition: float = 100.0, angle: float = math.pi / 6) -> Landscape:
    """An ill-conditioned quadratic valley, turned so that it lies along no axis.

    Args:
        condition: Largest over smallest eigenvalue of its Hessian; the smallest is 1.
        angle: Between the first axis and the floor of the valley, in radians.
    """
    matrix = bowl_hessian(condition, angle)

    def value(point: tf.Tensor) -> tf.Tensor:
        return 0.5 * tf.reduce_sum(point * tf.linalg.matvec(tf.constant(matrix, point.dtype), point), -1)

    along, across = np.array([math.cos(angle), math.sin(angle)]), np.array([-math.sin(angle), math.cos(angle)])
    start = -2.0 * along + 0.5 * across
    return Landscape(
        f"an ill-conditioned bowl (condition number {condition:g})",
        r"$\frac{1}{2}\,\theta^\top H\,\theta$",
        value,
        (float(start[0]), float(start[1])),
        ((-2.4, 1.2), (-1.5, 1.1)),
        ((0.0, 0.0),),
    )


def bowl_hessian(condition: float, angle: float) -> np.ndarray:
    """The symmetric matrix [2, 2] with eigenvalue 1 along `angle` and `condition` across it."""
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return turn @ np.diag([1.0, condition]) @ turn.T


def _rosenbrock(point: tf.Tensor) -> tf.Tensor:
    x, y = point[..., 0], point[..., 1]
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def _beale(point: tf.Tensor) -> tf.Tensor:
    x, y = point[..., 0], point[..., 1]
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def saddle(point: Any) -> Any:
    """A saddle at the origin between two minima, of a tensor or an array [..., 2]."""
    x, y = point[..., 0], point[..., 1]
    return 0.5 * x**2 - 0.5 * y**2 + 0.25 * y**4


LANDSCAPES = {
    "bowl": bowl(),
    "rosenbrock": Landscape(
        "Rosenbrock's valley",
        r"$(1-x)^2 + 100\,(y-x^2)^2$",
        _rosenbrock,
        (-1.2, 1.0),
        ((-1.8, 1.6), (-0.8, 2.4)),
        ((1.0, 1.0),),
    ),
    "beale": Landscape(
        "Beale's function",
        r"$(1.5-x+xy)^2 + (2.25-x+xy^2)^2 + (2.625-x+xy^3)^2$",
        _beale,
        (1.0, 1.5),
        ((-0.2, 4.0), (-1.7, 2.0)),
        ((3.0, 0.5),),
    ),
    "saddle": Landscape(
        "a saddle between two minima",
        r"$\frac{1}{2}x^2 - \frac{1}{2}y^2 + \frac{1}{4}y^4$",
        saddle,
        (1.4, 1e-3),
        ((-0.8, 1.6), (-0.5, 1.5)),
        ((0.0, 1.0), (0.0, -1.0)),
        -0.25,
    ),
}
