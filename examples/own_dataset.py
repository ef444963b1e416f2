"""Your own data: arrays in an .npz file and a table in a .csv file, trained on by their paths.

CHAPTER   Fundamentals of Deep Learning; Chapter 3; Implementing Neural Nets. in TF
CLAIM     The notes' read_data and feed_dict come to this: a path in place of a dataset's name.
EXPECTED  Points of three separated classes, written to both kinds of file, are classified with a test accuracy above
          0.95 by logistic regression.
"""

import numpy as np
from _common import Result, experiment, spread, train


def measure(quick, folder):
    """Writes the files, trains on them, and evaluates."""
    found = {"npz": [], "csv": []}
    for seed in range(1 if quick else 3):
        random = np.random.default_rng(seed)
        y = random.integers(0, 3, 600)
        x = np.array([[0, 0], [4, 0], [0, 4]])[y] + random.normal(size=(600, 2)) * 0.7
        np.savez(folder / "points.npz", x=x.astype("float32"), y=y)
        rows = [f"{first:.4f},{second:.4f},{'abc'[which]}" for (first, second), which in zip(x, y, strict=True)]
        (folder / "points.csv").write_text("\n".join(["width,height,kind", *rows]) + "\n")
        for kind, data in (
            ("npz", str(folder / "points.npz")),
            ("csv", {"name": "csv", "path": str(folder / "points.csv"), "target": "kind"}),
        ):
            run = train(
                folder, "logistic_regression", data=data, optimizer="adam", learning_rate=0.05, batch_size=32,
                epochs=20, seed=seed,
            )  # fmt: skip
            found[kind].append(run.metrics["test_accuracy"])
    table = ", ".join(f"{kind} {spread(values)}" for kind, values in found.items())
    return Result(f"test accuracy: {table}", bool(min(map(np.mean, found.values())) > 0.95))


if __name__ == "__main__":
    experiment(measure)
