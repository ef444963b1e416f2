"""The direction of nonlinear conjugate gradient, Polak and Ribiere's with restarts (chapter 4).

    d <- -g + b d,   b = max(0, g.(g - g_old) / g_old.g_old)

and b = 0, steepest descent, where successive gradients are far from orthogonal: |g.g_old| >= 0.2 g.g. Source:
J. Nocedal and S. J. Wright, Numerical Optimization (2006), equation 5.45; M. J. D. Powell, Restart procedures for the
conjugate gradient method, Mathematical Programming 12 (1977).
"""

from dataclasses import dataclass

import tensorflow as tf

from fdl_zoo.optimizers._descent import Pair, inner
from fdl_zoo.optimizers._line_search import Search


@dataclass(frozen=True)
class Conjugate:
    """The conjugate direction.

    Args:
        c1: Decrease that a step must bring, as a share of what the slope promises.
        c2: Slope that a step may leave, as a share of the slope before it.
    """

    c1: float = 1e-4
    c2: float = 0.1

    def row_shapes(self, count: int) -> tuple[tuple[int, ...], ...]:
        """No rows: the previous direction is all that it needs."""
        return ()

    def product_shapes(self, count: int) -> tuple[tuple[tuple[int, ...], str | None], ...]:
        """Nothing derived."""
        return ()

    def remember(self, rows: tuple, pair: Pair) -> tuple:
        """Nothing to write."""
        return rows

    def turn(
        self, rows: tuple, products: tuple, pair: Pair, gradient: tf.Tensor, previous: tf.Tensor
    ) -> tuple[tf.Tensor, tuple]:
        """The negative gradient, bent by the previous direction."""
        old = gradient - pair.change
        b = tf.maximum(inner(gradient, pair.change) / inner(old, old), 0)
        b = tf.where(tf.abs(inner(gradient, old)) >= 0.2 * inner(gradient, gradient), tf.zeros_like(b), b)
        return tf.cast(b, gradient.dtype) * previous - gradient, products

    def first_step(self, search: Search, slope: tf.Tensor) -> tf.Tensor:
        """The step that promises the same first-order change as the one before."""
        return search.step * search.slope / slope
