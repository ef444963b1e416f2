"""Statistics of a comparison: mean and spread over seeds, cost to a target, sensitivity, performance profiles."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fdl_zoo.comparison.child import Child
from fdl_zoo.tasks import higher_is_better

TOLERANCE = 0.1


@dataclass(frozen=True)
class Row:
    """One setting of a comparison.

    Args:
        setting: Its name.
        learning_rate: The rate it was trained with.
        seeds: How many of its seeds finished.
        failed: How many did not.
        value: Mean over seeds of the monitored metric after the last epoch.
        value_spread: Standard deviation over seeds, with n - 1; NaN of one seed.
        metrics: Mean and spread of every test metric, by its name.
        seconds: Mean seconds of training, start-up left out.
        startup: Mean seconds of start-up: what the first epoch took longer than the others.
        reached: How many seeds reached the target.
        seconds_to_target: Median seconds to the target over the seeds that reached it; NaN of none.
        steps_to_target: Likewise in steps.
        rates_tried: How many learning rates were tried.
        rates_reached: How many of them reached the target: the fewer, the more the setting depends on its rate.
        rate_at_edge: The best rate is the first or last of the grid, so a better one may lie beyond.
    """

    setting: str
    learning_rate: float | None
    seeds: int
    failed: int
    value: float
    value_spread: float
    metrics: Mapping[str, tuple[float, float]]
    seconds: float
    startup: float
    reached: int
    seconds_to_target: float
    steps_to_target: float
    rates_tried: int = 0
    rates_reached: int = 0
    rate_at_edge: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Plain facts."""
        return asdict(self)


def mean_and_spread(values: Iterable[float]) -> tuple[float, float]:
    """Mean, and standard deviation with n - 1; NaN where there are too few."""
    values = np.asarray(list(values), float)
    if not len(values):
        return math.nan, math.nan
    return float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else math.nan


def better(first: float, second: float, monitor: str) -> bool:
    """Whether the first value is better; a value that is not finite is the worst."""
    if not math.isfinite(first) or not math.isfinite(second):
        return math.isfinite(first) and not math.isfinite(second)
    return first > second if higher_is_better(monitor) else first < second


def best_child(children: Sequence[Child], monitor: str) -> Child | None:
    """The child whose final value of the monitored metric is best; None where none finished."""
    best = None
    for child in children:
        if math.isfinite(child.final) and (best is None or better(child.final, best.final, monitor)):
            best = child
    return best


def convergence_target(children: Sequence[Child], monitor: str, tolerance: float = TOLERANCE) -> float:
    """The value at which a run counts as converged: f <= f_best + tolerance (f_0 - f_best), of Moré and Wild (2009).

    f_best is the best value that any run has reached, f_0 the median over the runs after their first epoch.
    """
    finite = [child for child in children if child.finished and child.values and np.isfinite(child.values).all()]
    if not finite:
        return math.nan
    start = float(np.median([child.values[0] for child in finite]))
    values = np.concatenate([child.values for child in finite])
    best = float(values.max() if higher_is_better(monitor) else values.min())
    return best + tolerance * (start - best)


def cost_to(target: float, child: Child, monitor: str) -> tuple[float, float] | None:
    """Seconds and steps after which the metric was first at the target, or better; None where it never was."""
    values = np.asarray(child.values, float)
    there = values >= target if higher_is_better(monitor) else values <= target
    if not there.any():
        return None
    index = int(np.argmax(there))
    return child.seconds[index], float(child.steps[index])


def make_row(setting: str, children: Sequence[Child], tried: Sequence[Child], target: float, monitor: str) -> Row:
    """The row of a setting, from its runs over seeds and over learning rates."""
    done = [child for child in children if child.finished]
    value, spread = mean_and_spread(child.final for child in done)
    costs = [cost for child in done if (cost := cost_to(target, child, monitor))]
    names = sorted({name for child in done for name in child.metrics if name.startswith("test_")})
    rates = [child.learning_rate for child in tried]
    chosen = children[0].learning_rate if children else None
    return Row(
        setting=setting,
        learning_rate=chosen,
        seeds=len(done),
        failed=len(children) - len(done),
        value=value,
        value_spread=spread,
        metrics={
            name: mean_and_spread(child.metrics[name] for child in done if name in child.metrics) for name in names
        },
        seconds=mean_and_spread(child.seconds[-1] for child in done if child.seconds)[0],
        startup=mean_and_spread(child.startup for child in done)[0],
        reached=len(costs),
        seconds_to_target=float(np.median([seconds for seconds, _ in costs])) if costs else math.nan,
        steps_to_target=float(np.median([steps for _, steps in costs])) if costs else math.nan,
        rates_tried=len(tried),
        rates_reached=sum(child.finished and cost_to(target, child, monitor) is not None for child in tried),
        rate_at_edge=len(rates) > 1 and chosen in (min(rates), max(rates)),
    )


def reported(monitor: str) -> str:
    """The test metric of a monitored one: what is chosen on validation data is judged on test data."""
    return "test_" + monitor.removeprefix("val_")


def ranked(rows: Iterable[Row], monitor: str) -> list[Row]:
    """Rows from the best mean test metric to the worst; settings of which no seed finished come last.

    Where there is no such test metric, the mean of the monitored one decides.
    """
    sign = -1.0 if higher_is_better(monitor) else 1.0

    def place(row: Row) -> float:
        value, _ = row.metrics.get(reported(monitor), (row.value, math.nan))
        return sign * value if math.isfinite(value) else math.inf

    return sorted(rows, key=place)


def performance_profile(costs: Mapping[str, Sequence[float]]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Performance profiles of Dolan and Moré (2002): share of problems solved within a factor of the fastest.

    Args:
        costs: Of each solver the cost of each problem [problems], in one order; infinity where it is not solved.

    Returns:
        Of each solver the factors at which its share changes, from 1, and the share from there on.
    """
    table = np.asarray(list(costs.values()), float)  # [solvers, problems]
    fastest = table.min(axis=0)
    with np.errstate(invalid="ignore"):
        ratios = np.where(np.isfinite(fastest), table / fastest, math.inf)
    profiles = {}
    for name, row in zip(costs, ratios, strict=True):
        solved = np.sort(row[np.isfinite(row)])
        factors = np.unique(np.concatenate([[1.0], solved]))
        profiles[name] = factors, np.searchsorted(solved, factors, side="right") / table.shape[1]
    return profiles


def band(curves: Sequence[tuple[Sequence[float], Sequence[float]]]) -> tuple[np.ndarray, ...]:
    """Mean, lowest and highest of several curves, epoch by epoch, as far as all of them go.

    Args:
        curves: Of each its places (epochs, or seconds), increasing, and its values.

    Returns:
        Mean of the places, mean, lowest, highest; each [epochs].
    """
    shortest = min(len(places) for places, _ in curves)
    places = np.array([each[:shortest] for each, _ in curves], float)  # [curves, epochs]
    values = np.array([each[:shortest] for _, each in curves], float)
    return places.mean(axis=0), values.mean(axis=0), values.min(axis=0), values.max(axis=0)
