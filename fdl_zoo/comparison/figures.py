"""Figures of a comparison: curves with bands over seeds, sensitivity to the learning rate, performance profiles."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fdl_zoo.analysis.figure import MARKERS, drawing, series_style
from fdl_zoo.comparison.child import Child
from fdl_zoo.comparison.statistics import band, cost_to, performance_profile

Runs = Mapping[str, Sequence[Child]]


def in_words(metric: str) -> str:
    """A metric as an axis names it: `val_loss` is the validation loss."""
    return metric.replace("val_", "validation ").replace("test_", "test ").replace("_", " ")


def curves(runs: Runs, monitor: str, axis: str, caption: str) -> tuple[Any, dict[str, Any]]:
    """The monitored metric by epoch or by seconds: a line per setting, and a band from the worst seed to the best.

    Args:
        runs: The children of each setting.
        monitor: The metric.
        axis: `epoch` or `seconds`.
        caption: What stands below.

    Returns:
        The figure, and its numbers as columns.
    """
    from matplotlib.ticker import MaxNLocator

    columns: dict[str, list[Any]] = {"setting": [], axis: [], "mean": [], "lowest": [], "highest": []}
    with drawing(caption) as figure:
        axes = figure.add_subplot()
        for index, (setting, children) in enumerate(runs.items()):
            given = [(child.epochs if axis == "epoch" else child.seconds, child.values) for child in children]
            given = [(places, values) for places, values in given if len(places) and np.isfinite(values).all()]
            if not given:
                continue
            places, mean, low, high = band(given)
            line = series_style(index)
            axes.plot(places, mean, label=setting, **line)
            axes.fill_between(places, low, high, color=line["color"], alpha=0.2, linewidth=0)
            columns["setting"] += [setting] * len(places)
            for name, values in zip((axis, "mean", "lowest", "highest"), (places, mean, low, high), strict=True):
                columns[name] += values.tolist()
        axes.set_xlabel("epoch" if axis == "epoch" else "wall time of training without start-up in s")
        if axis == "epoch":
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylabel(in_words(monitor))
        _scale(axes, columns["mean"])
        axes.legend()
    return figure, columns


def sensitivity(
    tried: Runs, chosen: Mapping[str, float | None], order: Sequence[str], monitor: str, caption: str
) -> tuple[Any, dict[str, Any]]:
    """The monitored metric after the last epoch by learning rate, the chosen rate marked; diverged runs are left out.

    Args:
        tried: The children of each setting, a learning rate each.
        chosen: The rate of each setting.
        order: All settings as the other figures have them, so that each keeps its colour.
        monitor: The metric.
        caption: What stands below.
    """
    columns: dict[str, list[Any]] = {"setting": [], "learning_rate": [], "value": [], "status": []}
    with drawing(caption) as figure:
        axes = figure.add_subplot()
        for index, setting in [(index, setting) for index, setting in enumerate(order) if setting in tried]:
            children = sorted(tried[setting], key=lambda child: child.learning_rate)
            rates, values = [child.learning_rate for child in children], [child.final for child in children]
            line = series_style(index)
            axes.plot(rates, values, marker=MARKERS[index % len(MARKERS)], markersize=4, label=setting, **line)
            best = [(rate, value) for rate, value in zip(rates, values, strict=True) if rate == chosen[setting]]
            axes.plot(*np.reshape(best, (-1, 2)).T, "o", markersize=11, fillstyle="none", color=line["color"])
            columns["setting"] += [setting] * len(rates)
            columns["learning_rate"] += rates
            columns["value"] += values
            columns["status"] += [child.status for child in children]
        axes.set_xscale("log")
        _plain_ticks(axes)
        axes.set_xlabel("learning rate")
        axes.set_ylabel(f"{in_words(monitor)} after the last epoch")
        _scale(axes, columns["value"])
        axes.legend()
    return figure, columns


def profile(runs: Runs, target: float, monitor: str, caption: str) -> tuple[Any, dict[str, Any]] | None:
    """The performance profile of the settings over seeds, in seconds to the target; None where none reached it."""
    costs = {
        setting: [math.inf if (cost := cost_to(target, child, monitor)) is None else cost[0] for child in children]
        for setting, children in runs.items()
    }
    if not np.isfinite(np.concatenate(list(costs.values()))).any():
        return None
    found = performance_profile(costs)
    last = 1.1 * max(2.0, *(float(factors[-1]) for factors, _ in found.values()))
    columns: dict[str, list[Any]] = {"setting": [], "factor": [], "share": []}
    with drawing(caption) as figure:
        axes = figure.add_subplot()
        for index, (setting, (factors, shares)) in enumerate(found.items()):
            places, heights = [*factors, last], [*shares, shares[-1]]
            axes.step(places, heights, where="post", label=setting, **series_style(index))
            columns["setting"] += [setting] * len(factors)
            columns["factor"] += factors.tolist()
            columns["share"] += shares.tolist()
        axes.set_xscale("log")
        axes.set_xlim(1, last)
        axes.set_ylim(-0.03, 1.05)
        axes.set_xlabel("wall time to the target, as a multiple of the fastest setting's")
        axes.set_ylabel("share of the seeds")
        _plain_ticks(axes)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=9)  # steps fill the axes
    return figure, columns


def _scale(axes: Any, values: Sequence[float]) -> None:
    """A logarithmic axis where values span more than a factor of ten."""
    finite = np.asarray([value for value in values if math.isfinite(value)])
    if len(finite) and finite.min() > 0 and finite.max() > 10 * finite.min():
        axes.set_yscale("log")


def _plain_ticks(axes: Any) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator

    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5) if high < 100 * low else (1,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
