"""How far the gradient points away from the solution, and how ill-conditioned the Hessian is.

CHAPTER   When Gradient Points in Wrong Direction
CLAIM     Where contours are not circular the gradient can be inaccurate by as much as 90 degrees; the Hessian is
          ill-conditioned, and its second-order expansion says what happens along the gradient.
EXPECTED  Somewhere on the way the negative gradient is 60 to 90 degrees away from the final point, and the condition
          number is above 100 (a network of 12 hidden neurons, all eigenvalues computed).
"""

import shutil

from _common import Result, experiment, spread, train


def measure(quick, folder):
    """Trains by SGD and computes the Hessian's spectrum at the end."""
    import fdl_zoo as fdl

    angles, conditions = [], []
    for seed in range(1 if quick else 3):
        run = train(
            folder, {"name": "mlp", "units": [4 if quick else 12]}, optimizer="sgd", learning_rate=0.1,
            epochs=1 if quick else 30, seed=seed,
        )  # fmt: skip
        found = fdl.curvature(run, examples=100 if quick else None, steps=20, probes=1, root=folder / "mlruns")
        angles.append(float(found.angles["degrees"].max()))
        conditions.append(found.condition_number)
    for file in found.files:
        shutil.copy(file, folder)
    table = f"largest angle on the way {spread(angles, 1)} degrees, condition number {min(conditions):.2g} at least"
    return Result(table, 60 < min(angles) <= max(angles) <= 90 and min(conditions) > 100)


if __name__ == "__main__":
    experiment(measure)
