"""What an update has to know of XLA: whether it will be compiled by it, and the order that spares it copies.

A step that XLA compiles is an expression without order. The weights of a layer are read to hand the gradient on to the
layer before it, and nothing says whether their update comes before or after that; so XLA copies them in each step, and
updates the copy. Where the update visibly needs what that reading leads to, it overwrites them in place.
"""

import tensorflow as tf
from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

COSTLY = 2**14  # numbers in a tensor from which its copy costs more than the waiting for it


def compiled() -> bool:
    """Whether what is traced now will be compiled by XLA."""
    return GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def once_known(gradient: tf.Tensor, rate: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
    """The rate, unchanged to the bit, as if it depended on the gradient.

    Args:
        gradient: Of the variable before this one, which is computed through this one's weights.
        rate: Learning rate, a scalar.
        t: Number of the update, from 1: never negative, which XLA cannot know.
    """
    first = tf.reduce_sum(tf.reshape(gradient, [-1])[:1])  # also where it is empty
    return rate + tf.where(t < 0, tf.cast(first, rate.dtype), tf.zeros((), rate.dtype))
