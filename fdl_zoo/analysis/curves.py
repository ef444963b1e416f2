"""Learning curves: loss and metrics by epoch, training beside validation (chapter 5, visualizing learning)."""

from collections.abc import Mapping, Sequence
from typing import Any

from fdl_zoo.analysis.figure import SPLIT_STYLES, drawing

_LEFT_OUT = {"epoch", "epoch_seconds", "learning_rate"}


def learning_curves(history: Mapping[str, Sequence[float]], title: str = "") -> Any:
    """A figure with a panel per metric, training and validation in one.

    Args:
        history: A list per metric, one value per epoch; `epoch` numbers them.
        title: What is shown, as the caption says it: a run's name.

    Returns:
        A `matplotlib.figure.Figure`. It belongs to no window, so it need not be closed.
    """
    from matplotlib.ticker import FixedLocator, MaxNLocator

    names = [name for name in history if name not in _LEFT_OUT and not name.startswith("val_")] or ["loss"]
    epochs = history.get("epoch", ())
    caption = f"{title or 'Training'}: {', '.join(names).replace('_', ' ')} by epoch, on training and validation data."
    with drawing(caption, width=max(6.4, 4.0 * len(names)), height=3.4) as figure:
        for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
            for key, split in ((name, "training"), (f"val_{name}", "validation")):
                if key in history:
                    marker = "o" if len(epochs) == 1 else None
                    axes.plot(epochs, history[key], marker=marker, label=split, **SPLIT_STYLES[split])
            axes.set_xlabel("epoch")
            axes.set_ylabel(name.replace("_", " "))
            axes.xaxis.set_major_locator(FixedLocator(epochs) if len(epochs) == 1 else MaxNLocator(integer=True))
            if axes.lines:
                axes.legend()
    return figure
