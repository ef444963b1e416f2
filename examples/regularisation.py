"""Overfitting on 100 digits, and what L2, max norm and dropout do about it.

CHAPTER   Overfitting + Validation data
CLAIM     A complex model fitted closely generalizes poorly; penalties on large weights, max norm constraints and
          dropout prevent that.
EXPECTED  Each narrows the gap in cross-entropy between training and validation and raises validation accuracy.
"""

import numpy as np
from _common import Result, experiment, spread

METHODS = {"none": {}, "L2 0.01": {"l2": 0.01}, "max norm 0.7": {"max_norm": 0.7}, "dropout 0.5": {"dropout": 0.5}}


def fitted(data, seed, epochs, options):
    """Gap in cross-entropy, penalties left out, and validation accuracy of an MLP fitted to 100 digits."""
    import keras

    import fdl_zoo as fdl

    keras.utils.set_random_seed(seed)
    model = fdl.create_model("mlp", data.input_shape, data.num_outputs, **options)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    error = keras.metrics.SparseCategoricalCrossentropy("error", from_logits=True)
    model.compile(fdl.create_optimizer("adam"), loss, metrics=["accuracy", error])
    x, y = data.train.x[:100], data.train.y[:100]
    model.fit(x, y, batch_size=100, epochs=epochs, verbose=0)
    seen = model.evaluate(x, y, verbose=0, return_dict=True)
    unseen = model.evaluate(data.validation.x, data.validation.y, verbose=0, return_dict=True)
    return unseen["error"] - seen["error"], unseen["accuracy"]


def measure(quick, folder):
    """Fits every method with every seed."""
    import fdl_zoo as fdl

    data, found = fdl.load_dataset("digits"), {}
    for name, options in METHODS.items():
        runs = [fitted(data, seed, 2 if quick else 60, options) for seed in range(1 if quick else 5)]
        found[name] = np.array(runs).T
    rows = [f"{name},{','.join(f'{value:.4f}' for value in values.mean(axis=1))}" for name, values in found.items()]
    (folder / "gap.csv").write_text("\n".join(["method,gap,validation_accuracy", *rows]) + "\n")
    gap, accuracy = np.array([values.mean(axis=1) for values in found.values()]).T
    table = "; ".join(f"{name}: gap {spread(gaps)}, accuracy {spread(hits)}" for name, (gaps, hits) in found.items())
    return Result(table, bool((gap[1:] < gap[0]).all() and (accuracy[1:] > accuracy[0]).all()))


if __name__ == "__main__":
    experiment(measure)
