"""TensorFlow's fused kernels where they are faster than the book's formulas: outside of XLA, which fuses by itself.

Each kernel computes one entry's rule exactly, in one pass over memory; the tests hold each to its pure function.
What TensorFlow corrects for starting at zero it would correct in float32, losing five digits at the first step, so
that corrections are computed here, folded into the rate and the small constant:
epsilon s^ / (delta + sqrt(r^)) = (epsilon sqrt(c_2) / c_1) s / (delta sqrt(c_2) + sqrt(r)), with c = 1 - rho^t.
"""

import tensorflow as tf

from fdl_zoo.optimizers._bias import bias_correction
from fdl_zoo.optimizers._xla import compiled

TYPES = (tf.float16, tf.bfloat16, tf.float32, tf.float64)


def usable(variable: tf.Variable) -> bool:
    """Whether the kernels are for this variable, and faster than the formula where this is traced."""
    return variable.dtype in TYPES and not compiled()


def sgd(theta: tf.Variable, g: tf.Tensor, epsilon: tf.Tensor) -> None:
    """The rule theta <- theta - epsilon g."""
    tf.raw_ops.ResourceApplyGradientDescent(var=theta.handle, alpha=epsilon, delta=g)


def momentum(theta: tf.Variable, g: tf.Tensor, v: tf.Variable, epsilon: tf.Tensor, m: float, nesterov: bool) -> None:
    """The rule v <- m v - epsilon g, theta <- theta + v, or Nesterov's."""
    m = tf.constant(m, g.dtype)
    tf.raw_ops.ResourceApplyKerasMomentum(
        var=theta.handle, accum=v.handle, lr=epsilon, grad=g, momentum=m, use_nesterov=nesterov
    )


def adagrad(theta: tf.Variable, g: tf.Tensor, r: tf.Variable, epsilon: tf.Tensor, delta: tf.Tensor) -> None:
    """The rule r <- r + g^2, theta <- theta - epsilon g / (delta + sqrt(r))."""
    tf.raw_ops.ResourceApplyAdagradV2(var=theta.handle, accum=r.handle, lr=epsilon, epsilon=delta, grad=g)


def rmsprop(
    theta: tf.Variable,
    g: tf.Tensor,
    r: tf.Variable,
    velocity: tf.Variable | None,
    correction: tf.Tensor | None,
    epsilon: tf.Tensor,
    rho: float,
    delta: float,
    momentum: float,
) -> None:
    """The rule r <- rho r + (1 - rho) g^2 and AdaGrad's step on sqrt(1 - rho) g, into the velocity if there is one."""
    rho, delta = tf.constant(rho, g.dtype), tf.constant(delta, g.dtype)
    scale = tf.sqrt(1 - rho)
    root = tf.ones((), g.dtype) if correction is None else tf.sqrt(correction)
    r.assign(rho * r)
    if velocity is None:
        adagrad(theta, scale * g, r, epsilon * root / scale, delta * root)
        return
    velocity.assign(tf.constant(momentum, g.dtype) * velocity)
    adagrad(velocity, scale * g, r, -epsilon * root / scale, delta * root)  # adds, for the velocity points downhill
    theta.assign_sub(velocity)


def adam(
    theta: tf.Variable,
    g: tf.Tensor,
    s: tf.Variable,
    r: tf.Variable,
    t: tf.Tensor,
    epsilon: tf.Tensor,
    rho_1: float,
    rho_2: float,
    delta: float,
) -> None:
    """The rule of Adam."""
    rho_1, rho_2, delta, zero = (tf.constant(each, g.dtype) for each in (rho_1, rho_2, delta, 0.0))
    root = tf.sqrt(bias_correction(rho_2, t))
    tf.raw_ops.ResourceApplyAdam(
        var=theta.handle,
        m=s.handle,
        v=r.handle,
        beta1_power=zero,
        beta2_power=zero,
        lr=epsilon * root / bias_correction(rho_1, t),
        beta1=rho_1,
        beta2=rho_2,
        epsilon=delta * root,
        grad=g,
    )
