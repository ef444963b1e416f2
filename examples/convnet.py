"""The convolutional network: accuracy, filters, feature maps, learning curves.

CHAPTER   Filters and Feature Maps; Shifting back to MNIST; Visualizing Learning in CNNs
CLAIM     Two convolutions with pooling and a dense layer of 1,024 neurons, with Adam, reach 99.4 % on MNIST; feature
          maps show where a filter's feature is; cost and validation error over time show how learning goes.
EXPECTED  On the 8x8 digits, which need no download, a test accuracy of at least 0.98, validation cost falling, and
          3,274,634 parameters at MNIST's shape.
"""

import shutil

import numpy as np
from _common import Result, experiment, spread, train


def measure(quick, folder):
    """Trains and looks inside."""
    import fdl_zoo as fdl

    accuracies, falls = [], []
    for seed in range(1 if quick else 3):
        run = train(folder, "convnet", epochs=1 if quick else 15, seed=seed)
        accuracies.append(run.metrics["test_accuracy"])
        falls.append(run.history["val_loss"][-1] <= run.history["val_loss"][0])
    found = fdl.features(run, 5, method="pca", examples=50 if quick else 1000, root=folder / "mlruns")
    for file in found.files:
        shutil.copy(file, folder)
    run.plot().savefig(folder / "curves.png")
    parameters = fdl.create_model("convnet").count_params()
    holds = np.mean(accuracies) >= 0.98 and all(falls) and parameters == 3_274_634
    return Result(f"test accuracy {spread(accuracies)}, {parameters:,} parameters at 28x28", bool(holds))


if __name__ == "__main__":
    experiment(measure)
