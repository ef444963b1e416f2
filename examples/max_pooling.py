"""How max pooling takes a shift of the image by one pixel.

CHAPTER   Max Pooling
CLAIM     Max pooling is locally invariant: where the inputs shift a bit, the output stays constant.
EXPECTED  Constant to within 10 % of its length, where unpooled feature maps change by more (8x8 digits: a pixel is an
          eighth of the image).
"""

import numpy as np
from _common import Result, experiment, spread, train


def measure(quick, folder):
    """Shifts test digits by a pixel and compares the first convolution's maps, pooled and not."""
    import fdl_zoo as fdl

    found = {}
    for seed in range(1 if quick else 3):
        run = train(folder, "convnet", epochs=1 if quick else 10, seed=seed)
        shift = fdl.features(run, method="pca", examples=50, root=folder / "mlruns").shift
        at = list(np.asarray(shift["shift"])).index(1)
        for name, values in shift.items():
            if name != "shift":
                found.setdefault(name, []).append(float(values[at]))
    same = found.pop("max_pooled_unchanged")
    table = ", ".join(f"{name.replace('_', ' ')} {spread(values, 2)}" for name, values in found.items())
    pooled = np.mean(found["max_pooled"])
    return Result(f"relative change: {table}; {spread(same, 2)} of the active maxima stay constant", bool(pooled < 0.1))


if __name__ == "__main__":
    experiment(measure)
