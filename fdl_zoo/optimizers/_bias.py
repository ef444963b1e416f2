"""The correction of a moving average that starts at zero, shared by Adam and RMSProp (chapter 4)."""

import tensorflow as tf


def bias_correction(rho: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
    """1 - rho^t, without the cancellation that costs a float32 five of its seven digits at t = 1.

    Args:
        rho: Decay of the average, in [0, 1), scalar of the average's type.
        t: Number of the step, from 1.
    """
    return -tf.math.expm1(tf.cast(t, rho.dtype) * tf.math.log(rho))
