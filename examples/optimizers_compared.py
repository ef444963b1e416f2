"""SGD, momentum, AdaGrad, RMSProp and Adam on the MLP, each with its own learning rate chosen on validation data.

CHAPTER   Learning Rate Adaptation; Adam; RMSProp
CLAIM     A rate too small learns too slowly and one too large struggles; of the adaptive methods RMSProp and Adam suit
          deep networks better than AdaGrad and than a fixed rate.
EXPECTED  RMSProp and Adam both end with a lower validation loss than SGD and AdaGrad.
"""

import shutil

import numpy as np
from _common import Result, experiment, spread


def measure(quick, folder):
    """Compares as DeepOBS does: a grid of rates with one seed, then all seeds with the chosen rate."""
    import fdl_zoo as fdl

    names = ("sgd", "rmsprop", "adam") if quick else ("sgd", "momentum", "adagrad", "rmsprop", "adam")
    found = fdl.compare(
        "logistic_regression" if quick else "mlp", root=folder / "mlruns", say=lambda text: None, jobs=1,
        vary=[f"optimizer={','.join(names)}", "seed=0" if quick else "seed=0..2"], epochs=1 if quick else 8,
        learning_rates="1e-2..1e-1:log1" if quick else "1e-3..1e-1:log1", settings=["tracking.enabled=false"],
    )  # fmt: skip
    for file in found.figures:
        shutil.copy(file, folder)
    losses = {
        label.split()[0]: [child.values[-1] for child in children if child.finished]
        for label, children in found.children.items()
    }
    table = ", ".join(f"{name} {spread(losses[name])}" for name in names)
    mean = {name: np.mean(values) for name, values in losses.items()}
    plain = min(mean[name] for name in ("sgd", "adagrad") if name in mean)
    return Result(f"validation loss after the last epoch: {table}", bool(max(mean["rmsprop"], mean["adam"]) < plain))


if __name__ == "__main__":
    experiment(measure)
