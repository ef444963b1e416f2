"""Two processes train one model together, and get what one gets.

CHAPTER   Fundamentals of Deep Learning; Chapter 3; Implementing Neural Nets. in TF
CLAIM     What the notes place by hand (/cpu:0, /gpu:1) is a flag, and the result does not depend on it.
EXPECTED  Weights of two workers and of one process differ by less than 1e-9 in float64.
"""

import numpy as np
from _common import Result, command, experiment, output_of


def measure(quick, folder):
    """Trains with `--workers 2` and without."""
    import fdl_zoo as fdl

    differences = []
    for seed in range(1 if quick else 3):
        train = ["train", "mlp", "--set", "model.units=[32]", "--batch-size", "100", "--precision", "float64"]
        train += ["--epochs", "1" if quick else "3", "--no-tracking", "--quiet", "--seed", str(seed)]
        weights = []
        for place, flags in (("one", []), ("two", ["--strategy", "multiworker", "--workers", "2"])):
            (folder / place).mkdir(exist_ok=True)
            output_of(command(folder / place, *train, *flags))
            weights.append(fdl.find_run("last", root=folder / place / "mlruns").model.get_weights())
        differences.append(max(float(np.abs(one - two).max()) for one, two in zip(*weights, strict=True)))
    return Result(f"largest difference of a weight {max(differences):.0e}", max(differences) < 1e-9)


if __name__ == "__main__":
    experiment(measure)
