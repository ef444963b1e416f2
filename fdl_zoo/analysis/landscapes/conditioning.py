"""How ill-conditioning slows gradient descent, and what momentum, conjugate gradient and BFGS gain there (chapter 4).

On a quadratic with condition number k the best fixed rate takes gradient descent from error to error by the factor
(k - 1)/(k + 1), and momentum with Polak's rates by (sqrt k - 1)/(sqrt k + 1): Polyak (1964),
doi:10.1016/0041-5553(64)90137-5. Conjugate gradient needs as many line searches as there are dimensions.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np

from fdl_zoo.analysis.figure import MARKERS, drawing, series_style
from fdl_zoo.analysis.landscapes.demonstration import Demonstration, written
from fdl_zoo.analysis.landscapes.descent import descend
from fdl_zoo.analysis.landscapes.functions import bowl

REDUCTION = 1e-10
MOST = 20_000


def tuned(condition: float) -> dict[str, dict[str, Any]]:
    """Each optimizer with the best fixed options for eigenvalues 1 and `condition`."""
    root = math.sqrt(condition)
    return {
        "gradient descent": {"name": "sgd", "learning_rate": 2 / (1 + condition)},
        "momentum": {
            "name": "momentum",
            "learning_rate": (2 / (1 + root)) ** 2,
            "momentum": ((root - 1) / (root + 1)) ** 2,
        },
        "conjugate gradient": {"name": "conjugate_gradient", "tolerance": 0.0},
        "BFGS": {"name": "bfgs", "tolerance": 0.0},
    }


def valley(
    folder: str | Path, *, conditions: tuple[float, ...] = (3.0, 10.0, 30.0, 100.0, 300.0), reduction: float = REDUCTION
) -> Demonstration:
    """Measure the evaluations that each optimizer needs to reduce the loss, by condition number.

    Args:
        folder: Where `valley.png` and `valley.csv` are written.
        conditions: Condition numbers of the bowl.
        reduction: The loss that counts as solved, as a share of the first.

    Returns:
        The columns condition, optimizer and evaluations.
    """
    columns: dict[str, list[Any]] = {"condition": [], "optimizer": [], "evaluations": []}
    for condition in conditions:
        surface = bowl(condition)
        first = descend(surface, "sgd", 1).losses[0]
        for label, options in tuned(condition).items():
            path = descend(surface, options, MOST, until=reduction * first)
            columns["condition"].append(condition)
            columns["optimizer"].append(label)
            columns["evaluations"].append(path.evaluations_to(reduction * first))
    caption = (
        f"Evaluations of loss and gradient that reduce the loss of a quadratic valley to {reduction:g} of its start, by"
        " condition number; gradient descent and momentum with the best fixed rates. Grey: what these rates promise."
    )
    with drawing(caption) as figure:
        axes = figure.add_subplot()
        theory = np.geomspace(min(conditions), max(conditions), 100)
        for factor in ((theory - 1) / (theory + 1), (np.sqrt(theory) - 1) / (np.sqrt(theory) + 1)):
            axes.plot(theory, math.log(reduction) / (2 * np.log(factor)), color="0.6", linewidth=4, alpha=0.5)
        for index, label in enumerate(tuned(1.0)):
            chosen = [row == label for row in columns["optimizer"]]
            places, counts = (np.asarray(columns[name], float)[chosen] for name in ("condition", "evaluations"))
            axes.plot(places, counts, marker=MARKERS[index], label=label, **series_style(index))
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(conditions, [f"{condition:g}" for condition in conditions])
        axes.minorticks_off()
        axes.set_xlabel("condition number of the Hessian")
        axes.set_ylabel("evaluations")
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, fontsize=9)  # lines come near every corner
    return written(folder, "valley", figure, columns)
