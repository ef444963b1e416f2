"""A training step of a recurrent layer by itself, for comparing one layer with another."""

from contextlib import nullcontext

import numpy as np
import tensorflow as tf

import fdl_zoo as fdl


def sequences(examples):
    return np.random.default_rng(0).normal(size=(examples, 6, 3))


def padding(examples):
    """The first steps count, of each example another number, at least one."""
    return np.arange(6) <= np.random.default_rng(1).integers(0, 6, (examples, 1))


def step(layer, x, mask=None, jit=False, length=None):
    """Outputs in training, and the gradients of their squares' sum by inputs and weights."""
    weights = [variable.value for variable in layer.trainable_variables]

    def compute(x, mask=None):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, mask=mask, training=True)
            loss = tf.reduce_sum(outputs**2)
        return outputs, *tape.gradient(loss, [x, *weights])

    given = [x] if mask is None else [x, mask]
    specs = [tf.TensorSpec((length, *each.shape[1:]), each.dtype) for each in given]
    return [part.numpy() for part in tf.function(compute, input_signature=specs, jit_compile=jit)(*given)]


def weights_wherever_it_trains(network, x, y, two_replicas):
    """The weights of a compiled network after two epochs: on one device, there with XLA, and on two replicas."""
    for jit, scope in ((False, nullcontext()), (True, nullcontext()), (False, two_replicas.scope())):
        with scope:
            model = network()
        model.fit(fdl.accelerate(model, x, y, batch_size=16, jit=jit), epochs=2, verbose=0)
        yield model.get_weights()
