"""Critical points of random surfaces: how many are saddles, by dimension.

CHAPTER   Flat Regions in Error Surface
CLAIM     With more dimensions saddle points are exponentially more likely than local minima.
EXPECTED  In random Gaussian fields the ratio of saddles to minima grows at least twofold with each dimension from two.
"""

import numpy as np
from _common import Result, experiment


def measure(quick, folder):
    """Draws Hessians at critical points, weighted by Kac and Rice's formula."""
    from fdl_zoo.analysis.landscapes import critical_points

    found = critical_points(folder, dimensions=(1, 2, 3, 4, 5, 6), samples=5_000 if quick else 200_000).numbers
    saddles, minima = np.array(found["saddles"][1:]), np.array(found["minima"][1:])
    ratio = saddles / minima
    table = ", ".join(f"{value:.2g}" for value in ratio)
    return Result(f"saddles per minimum in 2 to 6 dimensions: {table}", bool((ratio[1:] > 2 * ratio[:-1]).all()))


if __name__ == "__main__":
    experiment(measure)
