"""Learning curves: loss and metrics by epoch, training beside validation (chapter 5, visualizing learning)."""

from collections.abc import Mapping, Sequence
from typing import Any

_LEFT_OUT = {"epoch", "epoch_seconds", "learning_rate"}


def learning_curves(history: Mapping[str, Sequence[float]], title: str = "") -> Any:
    """A figure with a panel per metric, training and validation in one.

    Args:
        history: A list per metric, one value per epoch; `epoch` numbers them.
        title: What stands above.

    Returns:
        A `matplotlib.figure.Figure`. It belongs to no window, so it need not be closed.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    names = [name for name in history if name not in _LEFT_OUT and not name.startswith("val_")] or ["loss"]
    epochs = history.get("epoch", ())
    figure = Figure(figsize=(4.2 * len(names), 3.4), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        # Blue and orange are told apart in every common form of colour blindness; the dash helps in print.
        for key, label, colour, style in ((name, "training", "C0", "-"), (f"val_{name}", "validation", "C1", "--")):
            if key in history:
                marker = "o" if len(epochs) == 1 else None
                axes.plot(epochs, history[key], color=colour, linestyle=style, marker=marker, label=label)
        axes.set_xlabel("epoch")
        axes.set_ylabel(name.replace("_", " "))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(frameon=False)
    figure.suptitle(title)
    return figure
