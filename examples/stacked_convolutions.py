"""Two convolutions before one pooling, beside a pooling after each convolution.

CHAPTER   Understanding full architecture
CLAIM     Pooling is destructive: stacking convolutions between poolings gives a more meaningful representation.
EXPECTED  With the same filters and number of layers, stacking has the higher validation accuracy over the seeds.
"""

import numpy as np
from _common import Result, experiment, spread


def built(stacked):
    """Four convolutions of 3x3 with 16 maps; pooled after every second one, or after each while that is possible."""
    import keras

    x = inputs = keras.Input((8, 8, 1))
    for number in range(1, 5):
        x = keras.layers.Conv2D(16, 3, padding="same", activation="relu", kernel_initializer="he_normal")(x)
        if number == 2 or (number < 4 and not stacked):
            x = keras.layers.MaxPooling2D(2)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)  # the same dense layer for both
    return keras.Model(inputs, keras.layers.Dense(10)(x))


def measure(quick, folder):
    """Trains both with plain Keras on the accelerated batches."""
    import keras

    import fdl_zoo as fdl

    data, found = fdl.load_dataset("digits"), {"stacked": [], "pooled": []}
    for seed in range(1 if quick else 5):
        for name, accuracies in found.items():
            keras.utils.set_random_seed(seed)
            model = built(name == "stacked")
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            model.compile(fdl.create_optimizer("adam"), loss, metrics=["accuracy"])
            batches = fdl.accelerate(model, data.train.x, data.train.y, batch_size=32)
            model.fit(batches, epochs=1 if quick else 20, verbose=0)
            accuracies.append(model.evaluate(data.validation.x, data.validation.y, verbose=0)[1])
    table = ", ".join(f"{name} {spread(values)}" for name, values in found.items())
    return Result(f"validation accuracy: {table}", bool(np.mean(found["stacked"]) > np.mean(found["pooled"])))


if __name__ == "__main__":
    experiment(measure)
