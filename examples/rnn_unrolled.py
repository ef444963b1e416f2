"""A recurrent layer, and the same network unrolled through time.

CHAPTER   Chapter 7; RNNs
CLAIM     For a fixed number of steps a recurrent network is a feed-forward network of copies that share their weights;
          it is trained by backpropagation, the copies' derivatives being summed or averaged.
EXPECTED  Loop and unrolled graph give the same outputs and gradients (below 1e-5, relative); averaged gradients of the
          shared weights are the summed ones over the number of steps.
"""

import numpy as np
from _common import Result, experiment


def measure(quick, folder):
    """Compares loop, unrolled graph, and a network written out step by step in NumPy."""
    import keras
    import tensorflow as tf

    import fdl_zoo as fdl

    worst, steps = {"outputs": 0.0, "gradients": 0.0, "averaged": 0.0}, 8
    for seed in range(1 if quick else 5):
        x = tf.constant(np.random.default_rng(seed).normal(size=(16, steps, 8)), "float32")
        options = {"loop": {}, "unrolled": {"unroll": True}, "averaged": {"gradients": "average"}}
        outputs, gradients = {}, {}
        for name, each in options.items():
            keras.utils.set_random_seed(seed)
            model = fdl.create_model("rnn", (steps, 8), 10, **each)
            with tf.GradientTape() as tape:
                outputs[name] = model(x, training=True)
                loss = tf.reduce_mean(outputs[name] ** 2)
            found = tape.gradient(loss, model.trainable_variables)
            gradients[name] = {
                v.path.split("/")[-1]: g.numpy() for v, g in zip(model.trainable_variables, found, strict=True)
            }
            weights = {v.path.split("/")[-1]: v.numpy() for v in model.layers[1].trainable_variables}
        state = np.zeros(64)
        for step in range(steps):  # the copies, by hand
            state = np.tanh(x[:, step] @ weights["kernel"] + weights["bias"] + state @ weights["recurrent_kernel"])
        by_hand = state @ model.layers[-1].kernel.numpy() + model.layers[-1].bias.numpy()
        for other in (outputs["unrolled"].numpy(), by_hand):
            worst["outputs"] = max(
                worst["outputs"], float(abs(outputs["loop"].numpy() - other).max() / abs(by_hand).max())
            )
        for which, other, factor in (("gradients", "unrolled", 1), ("averaged", "averaged", steps)):
            for name in ("recurrent_kernel", "initial_state") if factor == 1 else ("recurrent_kernel",):
                one, two = gradients["loop"][name], gradients[other][name] * factor
                worst[which] = max(worst[which], float(abs(one - two).max() / abs(one).max()))
    table = ", ".join(f"{name} {value:.0e}" for name, value in worst.items())
    return Result(f"largest relative difference: {table}", max(worst.values()) < 1e-5)


if __name__ == "__main__":
    experiment(measure)
