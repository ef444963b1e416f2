"""The direction of BFGS from a dense inverse Hessian, updated by rank two at every step (chapter 4).

    d = -H g,   H <- (I - r s y^T) H (I - r y s^T) + r s s^T,   r = 1 / s.y

which multiplied out needs H only through H y and H g:

    H <- H - r (s (H y)^T + (H y) s^T) + r (1 + r y.(H y)) s s^T

Since y is the new gradient less the old one and the search went along d = -H g of the old one, H y = H g + d: a turn
multiplies by H once.

Before the first update H is gamma I with gamma = s.y / y.y. Source: J. Nocedal and S. J. Wright, Numerical
Optimization (2006), equations 6.17 and 6.20.
"""

from dataclasses import dataclass

import tensorflow as tf

from fdl_zoo.optimizers._descent import Pair, inner
from fdl_zoo.optimizers._line_search import Search


@dataclass(frozen=True)
class Dense:
    """The BFGS direction.

    Args:
        c1: Decrease that a step must bring, as a share of what the slope promises.
        c2: Slope that a step may leave, as a share of the slope before it.
    """

    c1: float = 1e-4
    c2: float = 0.9

    def row_shapes(self, count: int) -> tuple[tuple[int, ...], ...]:
        """No rows: the matrix is all that it remembers."""
        return ()

    def product_shapes(self, count: int) -> tuple[tuple[tuple[int, ...], str | None], ...]:
        """The inverse Hessian."""
        return (((count, count), None),)

    def remember(self, rows: tuple, pair: Pair) -> tuple:
        """Nothing to write."""
        return rows

    def turn(
        self, rows: tuple, products: tuple, pair: Pair, gradient: tf.Tensor, previous: tf.Tensor
    ) -> tuple[tf.Tensor, tuple]:
        """The matrix updated, and its product with the gradient."""
        (h,), s, y = products, pair.step, pair.change
        first, kept = pair.number == 0, tf.cast(pair.kept, s.dtype)
        gamma = tf.cast(pair.curvature / inner(y, y), s.dtype)
        seen = tf.linalg.matvec(h, gradient)
        h_g = tf.where(first, gamma * gradient, seen)
        h_y = tf.where(first, gamma * y, seen + previous)
        r = tf.where(pair.kept, tf.cast(1 / pair.curvature, s.dtype), 0)
        q = r * (1 + r * tf.cast(inner(y, h_y), s.dtype))
        u = 0.5 * q * s - r * h_y  # H <- H + s u^T + u s^T
        s_g, u_g = (tf.cast(inner(each, gradient), s.dtype) for each in (s, u))
        eye = tf.range(s.shape[0])[:, None] == tf.range(s.shape[0])
        h = tf.where(first & pair.kept, tf.where(eye, gamma, 0), h) + s[:, None] * (kept * u) + (kept * u)[:, None] * s
        return -(h_g + s * u_g + u * s_g), (h,)

    def first_step(self, search: Search, slope: tf.Tensor) -> tf.Tensor:
        """Newton's own step."""
        return tf.ones_like(slope)
