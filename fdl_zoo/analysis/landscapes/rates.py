"""AdaGrad's effective learning rate by step beside RMSProp's: one forgets nothing, the other does (chapter 4)."""

from pathlib import Path

import keras
import numpy as np

from fdl_zoo import catalogue
from fdl_zoo.analysis.figure import drawing, series_style
from fdl_zoo.analysis.landscapes.demonstration import Demonstration, written

STEEP, FLAT = 1.0, 0.01


def effective_rate(name: str, gradients: np.ndarray, learning_rate: float, **options: float) -> np.ndarray:
    """The number that each step multiplies its gradient by [steps], as the optimizer itself takes it.

    Args:
        name: The optimizer, in the catalogue.
        gradients: Of one parameter, step by step [steps]; none is zero.
        learning_rate: Its option.
        **options: Further options.
    """
    optimizer = catalogue.create_optimizer(name, learning_rate=learning_rate, **options)
    variable = keras.Variable(np.zeros(1), dtype="float64")
    optimizer.build([variable])
    rates = []
    for gradient in gradients:
        before = variable.numpy()[0]
        optimizer.apply([keras.ops.convert_to_tensor(np.array([gradient]))], [variable])
        rates.append((before - variable.numpy()[0]) / gradient)
    return np.array(rates)


def effective_rates(
    folder: str | Path, *, steps: int = 400, flat_from: int = 200, learning_rate: float = 0.1, rho: float = 0.9
) -> Demonstration:
    """Go down a steep slope and then over a flat region, and record each optimizer's effective rate.

    On the slope AdaGrad's falls as one over the root of the step; RMSProp's settles. Where it becomes flat RMSProp's
    grows to what suits the new gradients, and AdaGrad's, which has forgotten nothing, goes on falling.

    Args:
        folder: Where `effective_rates.png` and `effective_rates.csv` are written.
        steps: How many steps.
        flat_from: The step from which the gradient is flat.
        learning_rate: Of both.
        rho: RMSProp's decay.

    Returns:
        The columns step, gradient, adagrad and rmsprop.
    """
    gradients = np.where(np.arange(steps) < flat_from, STEEP, FLAT)
    columns = {
        "step": np.arange(1, steps + 1),
        "gradient": gradients,
        "adagrad": effective_rate("adagrad", gradients, learning_rate),
        "rmsprop": effective_rate("rmsprop", gradients, learning_rate, rho=rho),
    }
    caption = (
        f"Effective learning rate, step over gradient, of AdaGrad and RMSProp (decay {rho:g}) with learning rate"
        f" {learning_rate:g}: the gradient is {STEEP:g} up to step {flat_from} (dotted) and {FLAT:g} after it."
    )
    with drawing(caption) as figure:
        axes = figure.add_subplot()
        axes.plot(columns["step"], columns["adagrad"], label="AdaGrad", **series_style(0))
        axes.plot(columns["step"], columns["rmsprop"], label="RMSProp", **series_style(1))
        axes.axvline(flat_from, color="0.5", linestyle=":", linewidth=1)
        axes.set_yscale("log")
        axes.set_xlabel("step")
        axes.set_ylabel("effective learning rate")
        axes.legend()
    return written(folder, "effective_rates", figure, columns)
