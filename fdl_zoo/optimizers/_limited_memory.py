"""The direction of limited-memory BFGS from the last m steps, in compact form (chapter 4).

With the last steps s and gradient changes y as rows of S and Y, newest first, the two-loop recursion for

    d = -H g,   H = the BFGS update of gamma I by every pair in turn,   gamma = s.y / y.y of the newest pair,

is two triangular solves with the m x m matrix L = lower triangle of S Y^T and its diagonal D:

    a = L^-1 S g,   c = L^-T (D a - gamma (Y g - Y Y^T a)),   d = -gamma g + gamma Y^T a - S^T c.

So a turn reads the memory twice, whatever m is. Source: R. H. Byrd, J. Nocedal and R. B. Schnabel, Representations of
quasi-Newton matrices and their use in limited memory methods, Mathematical Programming 63 (1994), theorem 2.2.
"""

from dataclasses import dataclass

import tensorflow as tf

from fdl_zoo.errors import InvalidOption
from fdl_zoo.optimizers._descent import Pair
from fdl_zoo.optimizers._line_search import Search


@dataclass(frozen=True)
class LimitedMemory:
    """The L-BFGS direction.

    Args:
        memory: m, how many pairs are remembered.
        c1: Decrease that a step must bring, as a share of what the slope promises.
        c2: Slope that a step may leave, as a share of the slope before it.

    Raises:
        InvalidOption: `memory` is less than 1.
    """

    memory: int = 10
    c1: float = 1e-4
    c2: float = 0.9

    def __post_init__(self) -> None:
        if self.memory < 1:
            raise InvalidOption(f"memory={self.memory} cannot be: L-BFGS remembers at least one step.")

    def row_shapes(self, count: int) -> tuple[tuple[int, ...], ...]:
        """S above Y in one matrix, each a ring of m rows."""
        return ((2 * self.memory, count),)

    def product_shapes(self, count: int) -> tuple[tuple[tuple[int, ...], str | None], ...]:
        """S Y^T and Y Y^T, in the order of the ring."""
        return (((self.memory, self.memory), "float64"),) * 2

    def remember(self, rows: tuple, pair: Pair) -> tuple:
        """Overwrite the oldest pair."""
        slot = self._slot(pair)
        memory = rows[0]
        # Row by row: XLA writes a single row in place, and copies the matrix for two.
        for place, new in ((slot, pair.step), (slot + self.memory, pair.change)):
            row = tf.where(pair.kept, new, tf.gather(memory, place))  # a slice would be compiled for each place
            memory = tf.tensor_scatter_nd_update(memory, [[place]], [row])
        return (memory,)

    def turn(
        self, rows: tuple, products: tuple, pair: Pair, gradient: tf.Tensor, previous: tf.Tensor
    ) -> tuple[tf.Tensor, tuple]:
        """The direction in compact form."""
        m = self.memory
        s_y, y_y = self._products(rows, pair.change)
        s_g, y_g = self._products(rows, gradient)
        new = (tf.range(m) == self._slot(pair)) & pair.kept
        products = sy, yy = (
            tf.where(new, tf.where(new, pair.curvature, s_y)[:, None], products[0]),
            tf.where(new, y_y[:, None], tf.where(new[:, None], y_y, products[1])),
        )
        number = pair.number + tf.cast(pair.kept, tf.float64)
        # Newest first; the same indices lead back to the order of the ring.
        order = tf.math.floormod(tf.cast(number, tf.int32) - 1 - tf.range(m), m)
        live = tf.cast(tf.range(m), tf.float64) < number
        sy, yy = (tf.gather(tf.gather(each, order), order, axis=1) for each in (sy, yy))
        s_g, y_g = (tf.where(live, tf.gather(each, order), 0) for each in (s_g, y_g))
        gamma = tf.where(live[0], sy[0, 0] / yy[0, 0], 1)
        a, c = _solve(
            *(tf.where(live & live[:, None], each, tf.eye(m, dtype=each.dtype)) for each in (sy, yy)), s_g, y_g, gamma
        )
        weights = tf.concat([tf.gather(-c, order), tf.gather(gamma * a, order)], 0)  # [2m]
        combined = tf.linalg.matvec(rows[0], tf.cast(weights, gradient.dtype), transpose_a=True)
        return combined - tf.cast(gamma, gradient.dtype) * gradient, products

    def first_step(self, search: Search, slope: tf.Tensor) -> tf.Tensor:
        """Newton's own step."""
        return tf.ones_like(slope)

    def _products(self, rows: tuple, vector: tf.Tensor) -> list[tf.Tensor]:
        """Every s and every y [m] times a vector [n]; two such products are faster than one with a thin matrix."""
        return tf.split(tf.cast(tf.linalg.matvec(rows[0], vector), tf.float64), 2)

    def _slot(self, pair: Pair) -> tf.Tensor:
        return tf.cast(pair.number, tf.int32) % self.memory


def _solve(sy: tf.Tensor, yy: tf.Tensor, s_g: tf.Tensor, y_g: tf.Tensor, gamma: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """The coefficients a and c [m] of the direction; all matrices [m, m] and vectors [m] newest first."""
    lower = tf.linalg.band_part(sy, -1, 0)
    a = tf.linalg.triangular_solve(lower, s_g[:, None])
    right = tf.linalg.diag_part(sy)[:, None] * a - gamma * (y_g[:, None] - tf.matmul(yy, a))
    c = tf.linalg.triangular_solve(lower, right, adjoint=True)
    return a[:, 0], c[:, 0]
